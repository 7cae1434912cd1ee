"""Handlers of what makes browsers known, and of changes of tokens."""

import asyncio

import msgspec

from till_agent.bridge.answers import NO_CONTENT, Answer
from till_agent.bridge.checks import own_origin
from till_agent.bridge.context import Bridge
from till_agent.bridge.endpoint import Call, Handler
from till_agent.bridge.exceptions import TokenError
from till_agent.bridge.pairing import Pairing
from till_agent.bridge.pairing_shapes import TokensRead
from till_agent.bridge.tokens import Tokens
from till_sync.problems import ProblemError

_encode = msgspec.json.Encoder().encode


def handlers(bridge: Bridge, pairing: Pairing, tokens: Tokens) -> dict[str, Handler]:
    """Handlers by operation id."""

    async def offer(call: Call) -> Answer:
        origin = own_origin(dict(call.scope["headers"])).decode("ascii")
        return Answer(_encode(pairing.offer(call.body.page, origin)))

    async def pair(call: Call) -> Answer:
        try:
            return Answer(_encode(await pairing.pair(call.body.code)))
        except ProblemError as error:
            bridge.refused(error.problem.code)
            raise

    async def known(_call: Call) -> Answer:
        return Answer(_encode(pairing.known()))

    async def forget(call: Call) -> Answer:
        await pairing.forget(call.parameters["client"])
        return Answer(b"", NO_CONTENT)

    async def read_tokens(_call: Call) -> Answer:
        if tokens.folder is None:
            raise ProblemError(503, "tokens_unreadable", "there is no folder for tokens")
        try:
            found = await asyncio.to_thread(tokens.folder.read)
        except TokenError as exc:
            raise ProblemError(503, "tokens_unreadable", str(exc)) from exc
        tokens.put(found)
        earlier = sum(each.until_ms is not None for each in found)
        return Answer(_encode(TokensRead(clients=tokens.clients, earlier=earlier)))

    return {
        "pairing_code": offer,
        "pair": pair,
        "pairings": known,
        "forget_pairing": forget,
        "read_tokens": read_tokens,
    }

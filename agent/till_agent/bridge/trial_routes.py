"""Handlers of test slips: one is begun, and what became of it."""

import msgspec

from till_agent.bridge.answers import Answer
from till_agent.bridge.context import Bridge
from till_agent.bridge.endpoint import Call, Handler

_encode = msgspec.json.Encoder().encode


def handlers(bridge: Bridge) -> dict[str, Handler]:
    """Handlers by operation id."""

    async def try_printer(call: Call) -> Answer:
        language = call.parameters.get("language", bridge.language)
        return Answer(_encode(bridge.trials.start(call.parameters["printer"], language)), 202)

    async def print_note(call: Call) -> Answer:
        return Answer(_encode(bridge.trials.note(call.parameters["printer"], call.body.blocks)), 202)

    async def tried(call: Call) -> Answer:
        return Answer(_encode(bridge.trials.look(call.parameters["job"])))

    return {"try_printer": try_printer, "print_note": print_note, "tried": tried}

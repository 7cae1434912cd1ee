"""Handlers of what cash software does with a receipt: identify, quote, hold, sell, void, return, look up."""

import msgspec

from till_agent.bridge.answers import NO_CONTENT, Answer
from till_agent.bridge.context import Answered, Bridge
from till_agent.bridge.endpoint import Call, Handler

_encode = msgspec.json.Encoder().encode
_REPLAYED = ((b"idempotent-replay", b"true"),)


def handlers(bridge: Bridge) -> dict[str, Handler]:
    """Handlers by operation id."""

    def committed(answered: Answered) -> Answer:
        if answered.replayed:
            return Answer(answered.body, headers=_REPLAYED)
        bridge.committed()
        return Answer(answered.body)

    async def identify(call: Call) -> Answer:
        found = call.parameters
        alone = found.get("alone") == "true"
        return Answer(_encode(await bridge.core.desk.identify(call.body, found.get("language"), alone=alone)))

    async def quote(call: Call) -> Answer:
        return Answer(_encode(await bridge.core.desk.quote(call.body)))

    async def coupon(call: Call) -> Answer:
        found = call.parameters
        asked = await bridge.core.desk.coupon(found["code"], found.get("reference"), found.get("language"))
        return Answer(_encode(asked))

    async def hold(call: Call) -> Answer:
        return Answer(_encode(await bridge.core.desk.hold(call.body)))

    async def release(call: Call) -> Answer:
        await bridge.core.desk.release(call.parameters["hold"])
        bridge.committed()
        return Answer(b"", NO_CONTENT)

    async def sell(call: Call) -> Answer:
        return committed(await bridge.core.desk.sell(call.parameters["uid"], call.body))

    async def void(call: Call) -> Answer:
        asked = call.parameters
        print_slip = asked.get("print_slip") != "false"
        return committed(await bridge.core.desk.void(asked["uid"], asked.get("language"), print_slip=print_slip))

    async def give_back(call: Call) -> Answer:
        uid, language = call.parameters["uid"], call.parameters.get("language")
        return committed(await bridge.core.desk.give_back(uid, call.body, language))

    async def sale(call: Call) -> Answer:
        return Answer(_encode(await bridge.core.desk.sale(call.parameters["uid"])))

    return {
        "identify": identify,
        "quote": quote,
        "coupon": coupon,
        "hold": hold,
        "release": release,
        "sell": sell,
        "void": void,
        "return": give_back,
        "sale": sale,
    }

"""Handlers of what makes members: registration, cards, and one-time codes for large redemptions."""

import msgspec

from till_agent.bridge.answers import Answer
from till_agent.bridge.context import Answered, Bridge
from till_agent.bridge.endpoint import Call, Handler

_encode = msgspec.json.Encoder().encode
_REPLAYED = ((b"idempotent-replay", b"true"),)


def handlers(bridge: Bridge) -> dict[str, Handler]:
    """Handlers by operation id."""

    def answered(found: Answered) -> Answer:
        if found.replayed:
            return Answer(found.body, headers=_REPLAYED)
        # A step that only says what is needed has nothing to push; being told of it costs the worker nothing.
        bridge.committed()
        return Answer(found.body)

    async def register(call: Call) -> Answer:
        return answered(await bridge.core.desk.register(call.body))

    async def attach(call: Call) -> Answer:
        return answered(await bridge.core.desk.attach_card(call.parameters["reference"], call.body))

    async def confirm(call: Call) -> Answer:
        return Answer(_encode(await bridge.core.desk.confirm(call.body)))

    return {"register": register, "attach": attach, "confirm": confirm}

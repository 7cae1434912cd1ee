"""Handler of taking in other settings."""

import msgspec

from till_agent.bridge.answers import Answer
from till_agent.bridge.context import Bridge
from till_agent.bridge.endpoint import Call, Handler

_encode = msgspec.json.Encoder().encode


def handlers(bridge: Bridge) -> dict[str, Handler]:
    """Handlers by operation id."""

    async def reload(_call: Call) -> Answer:
        return Answer(_encode(await bridge.reload()))

    return {"reload": reload}

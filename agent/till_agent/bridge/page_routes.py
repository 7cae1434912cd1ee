"""Handlers of what the bridge's own pages are made of."""

import msgspec

from till_agent.bridge.answers import Answer
from till_agent.bridge.context import Bridge
from till_agent.bridge.endpoint import Call, Handler
from till_agent.bridge.page_operations import LOGS_DEFAULT, MEMBERS_DEFAULT, SALES_DEFAULT

_encode = msgspec.json.Encoder().encode


def handlers(bridge: Bridge) -> dict[str, Handler]:
    """Handlers by operation id."""

    async def page(call: Call) -> Answer:
        return Answer(_encode(bridge.page(call.client.scopes if call.client else ())))

    async def sales(call: Call) -> Answer:
        asked = call.parameters
        found = await bridge.core.desk.sales(int(asked.get("limit", SALES_DEFAULT)), int(asked.get("before", 0)))
        return Answer(_encode(found))

    async def sale_lines(call: Call) -> Answer:
        return Answer(_encode(await bridge.core.desk.lines(call.parameters["uid"])))

    async def members(call: Call) -> Answer:
        asked = call.parameters
        limit = int(asked.get("limit", MEMBERS_DEFAULT))
        found = await bridge.core.desk.members(asked["query"], limit, asked.get("language"))
        return Answer(_encode(found))

    async def logs(call: Call) -> Answer:
        asked = call.parameters
        after = asked.get("after")
        tail = bridge.log_tail(None if after is None else int(after), int(asked.get("limit", LOGS_DEFAULT)))
        return Answer(_encode(tail))

    async def flags(call: Call) -> Answer:
        return Answer(_encode(await bridge.flags(call.parameters.get("language"))))

    return {"flags": flags, "page": page, "sales": sales, "sale_lines": sale_lines, "members": members, "logs": logs}

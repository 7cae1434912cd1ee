"""Handlers about Frontol's sales reports; without reports to watch there is nothing to show."""

import msgspec

from till_agent.bridge.answers import Answer
from till_agent.bridge.context import Bridge, ReportCalls
from till_agent.bridge.endpoint import Call, Handler
from till_agent.bridge.report_operations import FINDINGS_DEFAULT
from till_agent.report_api import Decided, Findings, Reports
from till_sync.problems import ProblemError

_encode = msgspec.json.Encoder().encode


def handlers(bridge: Bridge) -> dict[str, Handler]:
    """Handlers by operation id."""

    async def reports(_call: Call) -> Answer:
        watch = bridge.reports
        return Answer(_encode(Reports(watching=False) if watch is None else await watch.overview()))

    async def findings(call: Call) -> Answer:
        watch = bridge.reports
        if watch is None:
            return Answer(_encode(Findings(open=0, findings=())))
        only_open = call.parameters.get("which", "open") == "open"
        limit = int(call.parameters.get("limit", FINDINGS_DEFAULT))
        return Answer(_encode(await watch.findings(only_open=only_open, limit=limit)))

    async def accept(call: Call) -> Answer:
        decided = await _watch(bridge).accept(int(call.parameters["finding"]))
        return Answer(_encode(Decided(finding=decided)))

    async def dismiss(call: Call) -> Answer:
        decided = await _watch(bridge).dismiss(int(call.parameters["finding"]))
        return Answer(_encode(Decided(finding=decided)))

    return {"reports": reports, "findings": findings, "accept_finding": accept, "dismiss_finding": dismiss}


def _watch(bridge: Bridge) -> ReportCalls:
    if bridge.reports is None:
        raise ProblemError(404, "finding_unknown", "expected reports to watch: set [[frontol.reports]]")
    return bridge.reports

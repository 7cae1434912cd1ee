"""Checks of the bridge: the port is ours, the agent answers, is ready, quick, and can say what troubles it."""

import socket
from http import HTTPStatus
from typing import TYPE_CHECKING

from till_agent.status import NOT_READY
from till_installer.doctor.asking import ask
from till_installer.doctor.catalogue import Answer, check
from till_installer.doctor.findings import Bad, NotLooked

if TYPE_CHECKING:
    from till_installer.doctor.scene import Scene

AREA = "bridge"
SLOW_MS = 500
"""A status takes some 5 ms; half a second is what a cashier begins to notice."""
CONNECT_S = 1.0
TOLD_ELSEWHERE = frozenset(
    (
        "no_cloud_url",
        "offline",
        "sync_halted",
        "history_pruned",
        "cloud_too_old",
        "clock_skew",
        "queue_over_limit",
        "queue_near_limit",
        "ops_rejected",
        "ops_parked",
        "disk_low",
        "no_programme",
        "till_not_enrolled",
        "identity_unusable",
    )
)
"""Problems of the status that a check of their own tells, with more behind it."""
OF_DEVICES = ("scanner_", "printer_")
FIXES = {
    "journal_unavailable": "mend the disk: the findings of the area `state` say what is wrong; the agent then goes on",
    "journal_replaced": "send `tillside support` to support and keep each `journal.db.damaged-...`: what could be "
    "saved was saved",
    "print_queue_unavailable": "mend the disk: the findings of the area `state` say what is wrong",
    "slip_template_failed": "`tillside slip check TEMPLATE` says where; slips come out by the packaged one meanwhile",
    "frontol_findings": "`tillside frontol report findings` names them; docs/how-to/reconcile-frontol-reports.md",
    "restart_needed": "`systemctl restart tillside` when no customer waits",
    "config_bad": "the file is good by now: `tillside config apply` has the agent take it in",
    "policy_refused": "change the till's file or the chain's policy so that they fit: docs/how-to/configure-a-till.md",
    "wallet_on_trust": "mend the line and set the clock; `systemctl restart tillside` counts anew",
    "floor_near_limit": "mend the line: the findings of the area `cloud` say what is wrong",
    "floor_reached": "mend the line: the findings of the area `cloud` say what is wrong",
    "frontol_report_unreadable": "put its path in [[frontol.reports]] right, or let the agent's user read it",
    "frontol_report_not_marked": "let the agent's user write it; or `mark_read = false` where another program marks it",
    "frontol_several_tills": "name this till's `workplaces` in [[frontol.reports]]",
    "frontol_store_unavailable": "mend the disk: the findings of the area `state` say what is wrong",
    "starting": "wait a minute; if it stays, `journalctl -u tillside -n 50` says why",
}


@check(
    "port_taken",
    area=AREA,
    title="The bridge's port is the agent's",
    severity="error",
    looks_at="who listens on bridge.port while no agent runs",
    fix="end the program that has the port, or choose another bridge.port and tell the cash software",
)
def port_taken(scene: "Scene") -> Answer:
    """Ours, or free."""
    port = scene.usable_settings().bridge.port
    if port == 0:
        raise NotLooked("the system chooses the port")
    if scene.is_up():
        if scene.port() != port:
            return Bad(found=f"the agent listens on {scene.port()}, the configuration says {port}",
                       fix="`systemctl restart tillside`", severity="warning")  # fmt: skip
        return f"the agent has {port}"
    try:
        socket.create_connection(("127.0.0.1", port), CONNECT_S).close()
    except TimeoutError:
        return Bad(found=f"something has port {port} and takes no connection")
    except OSError:
        return f"{port} is free"
    return Bad(found=f"another program listens on 127.0.0.1:{port}")


@check(
    "agent_silent",
    area=AREA,
    title="The agent answers",
    severity="error",
    looks_at="`GET /livez` within 2.5 s",
    fix="`systemctl restart tillside`; if it happens again, send `tillside support` to support",
)
def agent_silent(scene: "Scene") -> Answer:
    """It answers 200."""
    try:
        answer = scene.call("/livez")
    except OSError as exc:
        why = "takes no request" if isinstance(exc, TimeoutError) else str(exc)
        return Bad(found=f"the agent on port {scene.port()}: {why}")
    if answer.status != HTTPStatus.OK:
        return Bad(found=f"it answers {answer.status}")
    return f"in {answer.took_ms} ms"


@check(
    "agent_not_ready",
    area=AREA,
    title="The agent takes sales",
    severity="error",
    looks_at="`GET /readyz`, and the reason that it gives",
    fix="see the finding that names the reason; `tillside agent run` in the foreground shows more",
)
def agent_not_ready(scene: "Scene") -> Answer:
    """It is ready."""
    try:
        answer = scene.call("/readyz")
    except OSError as exc:
        raise NotLooked("the agent does not answer") from exc
    told = answer.json()
    reason = str(told.get("reason", "")) if isinstance(told, dict) else ""
    if answer.status == HTTPStatus.OK:
        return "ready"
    if reason in TOLD_ELSEWHERE:
        raise NotLooked(f"not ready, which another finding tells: {reason}")
    return Bad(found=f"not ready: {reason or answer.status}", fix=FIXES.get(reason, ""))


@check(
    "bridge_slow",
    area=AREA,
    title="The agent answers quickly",
    severity="warning",
    looks_at="the better of two calls of `/readyz` (500 ms)",
    fix="see what else takes the machine's processor or disk (`top`); `tillside support` keeps the figures",
)
def bridge_slow(scene: "Scene") -> Answer:
    """Under half a second."""
    try:
        took_ms = scene.call("/readyz").took_ms
        if took_ms > SLOW_MS:
            took_ms = min(took_ms, ask(scene.port(), "/readyz").took_ms)
    except OSError as exc:
        raise NotLooked("the agent does not answer") from exc
    return Bad(found=f"{took_ms} ms") if took_ms > SLOW_MS else f"{took_ms} ms"


@check(
    "agent_troubles",
    area=AREA,
    title="The agent has no trouble of its own",
    severity="warning",
    looks_at="problems of `/v1/status` that no other check tells",
    fix="docs/how-to/find-out-what-is-wrong.md has a row for each",
)
def agent_troubles(scene: "Scene") -> Answer:
    """None that is not told elsewhere."""
    found: list[Bad] = []
    problems = scene.status()["problems"]
    # Of a disk that takes nothing the print queue's file is one more victim.
    victims = {"print_queue_unavailable"} if any(each["code"] == "journal_unavailable" for each in problems) else set()
    for each in problems:
        code, level = each["code"], each["level"]
        if code in NOT_READY or code in victims or _is_told_elsewhere(scene, code):
            continue
        found.append(
            Bad(
                found=f"{code}: {each['text']}",
                fix=FIXES.get(code, ""),
                severity="error" if level == "error" else "warning",
            )
        )
    return found or "none"


def _is_told_elsewhere(scene: "Scene", code: str) -> bool:
    """The agent tells of file and policy as it last read them: what is well by now only it can tell."""
    if code == "config_bad":
        return scene.config_problem() is not None
    if code == "policy_refused":
        return scene.policy_problem() is not None
    return code in TOLD_ELSEWHERE or code.startswith(OF_DEVICES)

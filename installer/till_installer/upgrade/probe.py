"""Looks at the agent that serves, as cash software would: is it the version meant, ready, and does it quote."""

import contextlib
import http.client
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from till_agent.bridge.exceptions import AgentRefusedError, AgentStartError, AgentUnreachableError
from till_agent.cli.asking import ask
from till_agent.desk.open_receipts import PROBE_UID
from till_agent.instance import RUNNING_FILE, Running

LOOK_TIMEOUT_S = 2.0
HTTP_OK = 200
ANSWER_LIMIT_BYTES = 65_536
PROBE_AMOUNT_MINOR = 123_45
PROBE_QUOTE = {
    "receipt": {"lines": [{"number": 1, "sku": PROBE_UID, "amount_minor": PROBE_AMOUNT_MINOR}]},
    "sale_uid": PROBE_UID,
    "slip_preview": False,
}
"""A receipt that nobody pays: a quote leaves nothing behind."""


class Seen(Struct, frozen=True, kw_only=True):
    """What a look found. `trouble`: stable code, "" when all is well; `reason`: why the agent takes no sales."""

    trouble: str = ""
    detail: str = ""
    reason: str = ""


def is_answering(state_dir: Path) -> bool:
    """Whether the agent says that it takes sales; asks no more than that, and needs no token."""
    return _readyz(state_dir) == ""


def readiness(state_dir: Path) -> str | None:
    """Why the agent takes no sales ("": it does); None when nothing answers."""
    return _readyz(state_dir)


def programs_of(version: str) -> str:
    """`1.2.0` of `1.2.0+camera`: what follows tells bundles of the same programs apart; they do not know it."""
    return version.partition("+")[0]


def look(state_dir: Path, version: str, *, sells: bool) -> Seen:
    """The whole look: `silent`, `not_ready`, `other_version`, `refused`, `quote_wrong`, or nothing to find fault with.

    `sells` false: the till took no sales before (it is not enrolled), so it need not now.
    """
    reason = _readyz(state_dir)
    if reason is None:
        return Seen(trouble="silent", detail="nothing answers on the bridge's port")
    if reason and sells:
        return Seen(trouble="not_ready", detail=reason, reason=reason)
    try:
        status = ask(state_dir, "GET", "/v1/status")
        if programs_of(status["version"]) != programs_of(version):
            return Seen(trouble="other_version", detail=f"expected {version}, not {status['version']}")
        if sells:
            quote = ask(state_dir, "POST", "/v1/quotes", PROBE_QUOTE)
            total = _total_of(quote)
            if total != PROBE_AMOUNT_MINOR:
                return Seen(trouble="quote_wrong", detail=f"a receipt of {PROBE_AMOUNT_MINOR} was quoted as {total}")
    except AgentRefusedError as exc:
        return Seen(trouble="refused", detail=str(exc))
    except (AgentUnreachableError, AgentStartError) as exc:
        return Seen(trouble="silent", detail=str(exc))
    except (KeyError, TypeError, ValueError, IndexError) as exc:
        return Seen(trouble="quote_wrong", detail=f"expected a status and a quote, not an answer without {exc}")
    return Seen()


def status_of(state_dir: Path) -> dict[str, Any]:
    """What the agent says of itself; empty when it says nothing."""
    with contextlib.suppress(AgentUnreachableError, AgentRefusedError, AgentStartError):
        found = ask(state_dir, "GET", "/v1/status")
        if isinstance(found, dict):
            return found
    return {}


def _total_of(quote: dict[str, Any]) -> int:
    """What the receipt is worth with what was taken off it."""
    calculation = quote["calculation"]
    return int(calculation["payable_minor"]) + int(calculation.get("discount_minor", 0))


def _readyz(state_dir: Path) -> str | None:
    connection = None
    try:
        port = msgspec.json.decode((state_dir / RUNNING_FILE).read_bytes(), type=Running).port
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LOOK_TIMEOUT_S)
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        found = msgspec.json.decode(answer.read(ANSWER_LIMIT_BYTES), type=_Ready)
    except (OSError, http.client.HTTPException, msgspec.DecodeError):
        return None
    finally:
        if connection is not None:
            connection.close()
    if answer.status == HTTP_OK and found.ready:
        return ""
    return found.reason or "not_ready"


class _Ready(Struct, frozen=True):
    ready: bool
    reason: str = ""

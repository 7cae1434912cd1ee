"""What is played in a rehearsal: somebody is recognised, quoted, sold to, handed a slip, and brings the goods back."""

import contextlib
import http.client
import secrets
import sqlite3
import time
from pathlib import Path
from typing import Any

import msgspec

from till_agent.bridge.token_files import read_token
from till_agent.core import CACHE_FILE
from till_installer.upgrade.exceptions import RefusedError
from till_installer.upgrade.pausing import pause
from till_installer.upgrade.rehearsal_printer import RehearsalPrinter

CALL_TIMEOUT_S = 10.0
READY_TIMEOUT_S = 30.0
SLIP_TIMEOUT_S = 20.0
POLL_S = 0.05
ANSWER_LIMIT_BYTES = 4_194_304
AMOUNT_MINOR = 123_45
PRINTER = "rehearsal"
"""Its name in the settings of the copy."""
NOT_ENROLLED = "till_not_enrolled"
HTTP_OK = 200
HTTP_ERROR = 400


def act(folder: Path, port: int, printer: RehearsalPrinter, *, enrolled: bool) -> None:
    """Play it on the agent of that state directory and port. RefusedError `rehearsal_start`, `rehearsal_sale` or
    `rehearsal_slip` at the first thing that is not as it should be.
    """
    member = _somebody(folder / CACHE_FILE) if enrolled else ""
    _wait_ready(port, enrolled=enrolled)
    if not enrolled:
        return
    client = _client_of(folder)
    ask = _Asking(port, client)
    uid = f"rehearsal-{secrets.token_hex(8)}"
    receipt: dict[str, Any] = {"lines": [{"number": 1, "sku": "rehearsal", "amount_minor": AMOUNT_MINOR}]}
    body: dict[str, Any] = {"receipt": receipt}
    if member:
        who = ask("POST", "/v1/identify", {"reference": member})
        if who.get("reference") != member:
            raise _wrong("a member of the cache was not recognised")
        body["member"] = {"reference": member}
    quote = ask("POST", "/v1/quotes", body)
    calculation = quote["calculation"]
    taken = [
        {"rule": each["rule"], "line": each["line"], "amount_minor": each["amount_minor"]}
        for each in calculation.get("discounts", ())
    ]
    sale = ask("PUT", f"/v1/sales/{uid}", {**body, "number": "rehearsal", "print_slip": True, "discounts": taken})
    if sale.get("uid") != uid or not sale.get("kept", True):
        raise _wrong("the sale was not kept")
    admin = read_token(folder, "admin")
    if not member and admin is not None:
        # Only a sale to a member has a slip; where nobody is known yet, the printer's own test slip is as good.
        _try_printer(_Asking(port, admin))
    if (member or admin) and not printer.slip(1, SLIP_TIMEOUT_S).strip():
        raise RefusedError("expected a slip with words on it, not a blank one", code="rehearsal_slip")
    back = ask("PUT", f"/v1/returns/{uid}-back", {"sale_uid": uid})
    if back.get("sale_uid") != uid:
        raise _wrong("the sale was not taken back")


def _try_printer(ask: "_Asking") -> None:
    """Print a test slip as soon as the printer takes one."""
    until = time.monotonic() + SLIP_TIMEOUT_S
    while ask("POST", f"/v1/printers/{PRINTER}/test", None).get("state") == "refused" and time.monotonic() < until:
        pause(POLL_S)


def _somebody(cache: Path) -> str:
    """Any member of the copy of the cache; "" when it can't be read or is empty."""
    if not cache.is_file():
        return ""
    with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(cache, isolation_level=None)) as opened:
        opened.execute("PRAGMA query_only = ON")
        row = opened.execute("SELECT member_id FROM members LIMIT 1").fetchone()
        return str(row[0]) if row else ""
    return ""


def _client_of(folder: Path) -> str:
    """The token of a client that may sell: of the cash software, or else of whoever has one."""
    for name in ("pos", "admin", *sorted(path.stem for path in (folder / "tokens").glob("*.token"))):
        token = read_token(folder, name)
        if token is not None:
            return token
    raise RefusedError("expected a client that may sell in bridge.clients", code="rehearsal_sale")


def _wait_ready(port: int, *, enrolled: bool) -> None:
    until = time.monotonic() + READY_TIMEOUT_S
    reason = "nothing answers"
    while time.monotonic() < until:
        with contextlib.suppress(OSError, http.client.HTTPException, msgspec.DecodeError):
            status, found = _request(port, "GET", "/readyz")
            reason = str(found.get("reason", ""))
            if status == HTTP_OK or (not enrolled and reason == NOT_ENROLLED):
                return
        pause(POLL_S)
    raise RefusedError(f"expected an agent that takes sales on a copy of this till: {reason}", code="rehearsal_start")


class _Asking:
    """Calls as cash software makes them; whatever is not a good answer is a RefusedError."""

    def __init__(self, port: int, token: str) -> None:
        self._port = port
        self._token = token

    def __call__(self, method: str, path: str, body: object) -> dict[str, Any]:
        try:
            status, found = _request(self._port, method, path, body, self._token)
        except (OSError, http.client.HTTPException, msgspec.DecodeError) as exc:
            raise _wrong(f"{method} {path} was not answered: {exc}") from exc
        if status >= HTTP_ERROR:
            raise _wrong(f"{method} {path} was refused: {found.get('code', status)}")
        return found


def _request(port: int, method: str, path: str, body: object = None, token: str = "") -> tuple[int, dict[str, Any]]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=CALL_TIMEOUT_S)
    try:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        if body is not None:
            headers["Content-Type"] = "application/json"
        data = msgspec.json.encode(body) if body is not None else None
        connection.request(method, path, body=data, headers={**headers, "X-Tillside-Client": "tillside-upgrade"})
        answer = connection.getresponse()
        return answer.status, msgspec.json.decode(answer.read(ANSWER_LIMIT_BYTES), type=dict[str, Any])
    finally:
        connection.close()


def _wrong(what: str) -> RefusedError:
    return RefusedError(f"{what}, on a copy of this till", code="rehearsal_sale")

"""Waits until nobody is at a receipt, and until the hours in which a till may be changed."""

import datetime as dt
import time
from collections.abc import Callable
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Struct

from till_installer.upgrade.exceptions import RefusedError, UpgradeError
from till_installer.upgrade.pausing import pause
from till_installer.upgrade.probe import status_of
from till_sync.exceptions import IdentityError
from till_sync.identity import IDENTITY_FILE, read_identity

ABANDONED_MS = 600_000
"""A receipt about which nothing was asked for ten minutes: the customer has gone, or pays elsewhere."""
PATIENCE_S = 4 * 3600.0
"""A till whose receipts never end for four hours is told to the operator instead."""
POLL_S = 1.0


class Waiting(Struct, frozen=True, kw_only=True):
    """How long to wait, and for what. `window`: from and to, in minutes of the store's day; None: at any time.

    `wanted`: whether the change still is; asked while it is waited, and last before the switch.
    """

    window: tuple[int, int] | None = None
    patience_s: float = PATIENCE_S
    abandoned_ms: int = ABANDONED_MS
    poll_s: float = POLL_S
    wanted: Callable[[], bool] = lambda: True


def parse_window(text: str) -> tuple[int, int]:
    """`02:00-05:00` as minutes of the day; UpgradeError when it is none. It may go over midnight."""
    try:
        begin, end = (dt.time.fromisoformat(part.strip()) for part in text.split("-"))
    except ValueError as exc:
        raise UpgradeError(f"expected hours as 02:00-05:00, not {text!r}", code="window", exit_code=2) from exc
    return begin.hour * 60 + begin.minute, end.hour * 60 + end.minute


def is_within(window: tuple[int, int] | None, minute: int) -> bool:
    """Whether a minute of the day is in the window."""
    if window is None or window[0] == window[1]:
        return True
    begin, end = window
    return begin <= minute < end if begin < end else minute >= begin or minute < end


def wait_for_quiet(state_dir: Path, waiting: Waiting, say: Callable[[str], None]) -> None:
    """Return at once when nobody is at a receipt, or as soon as that is so. RefusedError `receipt_open` after that,
    or `halted` when the change is wanted no more.

    An agent that says nothing has no receipt: whoever waited for it has given up long ago.
    """
    until = time.monotonic() + waiting.patience_s
    told = ""
    while True:
        if not waiting.wanted():
            raise RefusedError("the chain wants it here no more; nothing was changed", code="halted")
        why = _why_not(state_dir, waiting)
        if not why:
            return
        if why != told:
            say(why)
            told = why
        if waiting.window is None and time.monotonic() > until:
            raise RefusedError(f"{why}, for {waiting.patience_s / 3600:.1f} h: ask at the till", code="receipt_open")
        pause(waiting.poll_s)


def _why_not(state_dir: Path, waiting: Waiting) -> str:
    if not is_within(waiting.window, _store_minute(state_dir)):
        return "waiting for the hours in which this till may be changed"
    open_ms = status_of(state_dir).get("receipt_open_ms", 0)
    if isinstance(open_ms, int) and 0 < open_ms < waiting.abandoned_ms:
        return "waiting for an open receipt"
    return ""


def _store_minute(state_dir: Path) -> int:
    try:
        zone: dt.tzinfo | None = ZoneInfo(read_identity(state_dir / IDENTITY_FILE).time_zone)
    except (IdentityError, ZoneInfoNotFoundError, ValueError):
        zone = None
    now = dt.datetime.now(dt.UTC).astimezone(zone)
    return now.hour * 60 + now.minute

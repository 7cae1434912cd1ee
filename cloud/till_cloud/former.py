"""Tills of former releases ask for the whole base. So does whoever has a stolen till's token: when that is refused.

By itself for a till that has kept to its store's members for long, so that an upgrade may be taken back for a while; or
at once for all tills, or never, as the chain chooses. What such a till sends is taken all the same.
"""

import sqlite3
from typing import Literal, get_args

from till_cloud import windows
from till_cloud.exceptions import AdminError, RefusedError
from till_cloud.store import meta, tills
from till_cloud.store.windows import DAY_MS, takes

Mode = Literal["auto", "open", "closed"]
"""Refuse a till once it kept its window for `KEPT_DAYS`; none; every till."""

SETTING = "window_former"
"""In the database's meta."""

KEPT_DAYS = 14
"""A wave of an upgrade, and going back from it, takes some days; a till that is stolen is rarely one of these."""


def mode(connection: sqlite3.Connection) -> Mode:
    """As it was chosen."""
    told = meta.told(connection, SETTING)
    return next((each for each in get_args(Mode) if each == told), "auto")


def choose(connection: sqlite3.Connection, wanted: str) -> None:
    """AdminError for what is no mode."""
    if wanted not in get_args(Mode):
        raise AdminError(f"expected one of {', '.join(get_args(Mode))}, not {wanted!r}")
    meta.tell(connection, SETTING, wanted)


def may_have_all(connection: sqlite3.Connection, till_id: str, now_ms: int) -> bool:
    """Whether a till may have all members: also each that would get them with its window."""
    chosen = mode(connection)
    if chosen == "open":
        return True
    _, since_ms = takes(connection, till_id)
    if chosen == "auto" and not (since_ms and now_ms - since_ms >= KEPT_DAYS * DAY_MS):
        return True
    row = tills.till(connection, till_id)
    return row is None or windows.scope_of(connection, row.store, asked=True) == windows.WHOLE


def expect_window(connection: sqlite3.Connection, till_id: str, now_ms: int) -> None:
    """For a till that asks for all members: RefusedError 409 `window_needed` where it may not have them."""
    if may_have_all(connection, till_id, now_ms):
        return
    detail = (
        "expected a till that asks for its store's members only: upgrade it, or let tills of former releases have the "
        "whole base: `tillside cloud privacy window --former open`"
    )
    raise RefusedError(409, "window_needed", detail)


def whole_base_tills(connection: sqlite3.Connection) -> list[str]:
    """Enrolled tills that do not ask for their store's members."""
    return [
        row.till for row in tills.all_tills(connection) if row.enrolled_at_ms and not takes(connection, row.till)[0]
    ]

"""When the cloud asks to be tried again: `retry_after_ms` of our problems, or HTTP's Retry-After (RFC 9110, 10.2.3)."""

from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any

from msgspec import Struct

SLOT_LIMIT_MS = 600_000
"""A cloud of ours gives slots within 5 minutes; more is no plan, and after this a till asks again by itself."""

SHARED_LIMIT_MS = 120_000
"""The same for a Retry-After that anything on the way may have said: a proxy that says "in a year" must not silence a
store. A thousand tills that come back every two minutes are 8 requests a second, which a page of maintenance bears.
"""

_DIGITS_LIMIT = 12
"""More digits of seconds than this are over the limit whatever they say."""


class RetryAfter(Struct, frozen=True):
    """`slot`: a time to the millisecond given to this till alone, so it is kept exactly; else others got the same."""

    ms: int
    slot: bool


def read_retry_after(headers: Mapping[str, str], extras: Mapping[str, Any], *, wall_ms: int) -> RetryAfter | None:
    """What an answer asks for, clamped to [0, the limit of its kind]; None when it asks nothing or garbage.

    `headers` have lower-case names. A date is read against the answer's own Date when it has one, since a till's wall
    clock (`wall_ms`) may be years off.
    """
    slot = extras.get("retry_after_ms")
    if isinstance(slot, int) and not isinstance(slot, bool) and slot >= 0:
        return RetryAfter(min(slot, SLOT_LIMIT_MS), slot=True)
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        ms = SHARED_LIMIT_MS if len(text) > _DIGITS_LIMIT else int(text) * 1000
        return RetryAfter(min(ms, SHARED_LIMIT_MS), slot=False)
    at_ms = _date_ms(text)
    if at_ms is None:
        return None
    server_ms = _date_ms(headers.get("date", ""))
    wait_ms = at_ms - (wall_ms if server_ms is None else server_ms)
    return RetryAfter(max(0, min(wait_ms, SHARED_LIMIT_MS)), slot=False)


def _date_ms(text: str) -> int | None:
    if not text or len(text) > 64:
        return None
    try:
        moment = parsedate_to_datetime(text)
        return int(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()) * 1000
    except (ValueError, TypeError, OverflowError, IndexError):
        return None

"""Frontol's decimals as whole numbers, and its dates: `0,548`, `36.17`, `6.07.2026`, `8:56:44`. No float anywhere.

Messages never show what stands in a field: where fields have slipped, it may be a card.
"""

import re
from datetime import datetime

from till_agent.frontol_files.exceptions import RowRefused

LARGEST_DIGITS = 15
"""Digits before the point: 10**15 minor units are beyond every receipt, and fit 64 bits with room to spare."""
_DECIMAL = re.compile(rf"([+-]?)([0-9]{{0,{LARGEST_DIGITS}}})(?:[.,]([0-9]{{0,12}}))?")
_GROUPS = dict.fromkeys(map(ord, " \u00a0\u202f"))
_DATE = re.compile(r"([0-9]{1,2})\.([0-9]{1,2})\.([0-9]{4})")
_TIME = re.compile(r"([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?")
_WHOLE = re.compile(r"[0-9]{1,18}")


def scaled(text: str, digits: int) -> int:
    """The decimal `text` in units of 10**-digits; further digits are rounded half up, away from zero; empty is 0."""
    bare = text.strip()
    if not bare:
        return 0
    found = _DECIMAL.fullmatch(bare.translate(_GROUPS))
    if found is None or not (found[2] or found[3]):
        raise RowRefused("number", "expected a decimal number, not other text")
    fraction = found[3] or ""
    value = int((found[2] or "0") + fraction[:digits].ljust(digits, "0"))
    if fraction[digits : digits + 1] >= "5":
        value += 1
    return -value if found[1] == "-" else value


def whole(text: str) -> int:
    """A whole number from 0 up, such as a row's own."""
    bare = text.strip()
    if not _WHOLE.fullmatch(bare):
        raise RowRefused("number", "expected a whole number, not other text")
    return int(bare)


def moment(date: str, time: str) -> str:
    """`YYYY-MM-DDTHH:MM:SS` of Frontol's date and time; hours of one digit are usual before ten."""
    day, clock = _DATE.fullmatch(date.strip()), _TIME.fullmatch(time.strip())
    if day is None or clock is None:
        raise RowRefused("moment", "expected dd.mm.yyyy and h:mm:ss, not other text")
    try:
        found = datetime(  # noqa: DTZ001 - the till's own clock; a report names no zone
            int(day[3]), int(day[2]), int(day[1]), int(clock[1]), int(clock[2]), int(clock[3] or 0)
        )
    except ValueError:
        raise RowRefused("moment", "expected a date and time of the calendar") from None
    return found.isoformat()

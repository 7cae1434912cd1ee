"""One name for one receipt, whichever way Frontol told of it: Priority API, scenario, or sales report. Pure.

The same receipt must get the same uid, or it would count twice.
"""

import hashlib
import re

from till_agent.api import UID_PATTERN

_UID = re.compile(UID_PATTERN)
_BRACKETS = "{}()[]"
_HASHED_DIGITS = 40
"""Hex digits of an odd name's hash: no two receipts of a chain will share 160 bits."""


def normal_uid(text: str) -> str:
    """The sale's uid for Frontol's: no braces, lower case; "" when there is none.

    A uid that the bridge's paths could not carry is hashed, so that no receipt is turned away for its name.
    """
    bare = text.strip().strip(_BRACKETS).strip().lower()
    if not bare or _UID.fullmatch(bare):
        return bare
    return f"x-{_hashed(bare)}"


def document_uid(till: str | int, shift: str | int, document: str | int) -> str:
    """The sale's uid where Frontol gives none: `f-{till}-{shift}-{document}`, as field 26 of its report names it.

    Numbers are taken without leading zeros.
    """
    parts = [_bare_number(part) for part in (till, shift, document)]
    name = "f-" + "-".join(parts)
    if all(part.isdigit() and part.isascii() for part in parts) and _UID.fullmatch(name):
        return name
    return f"f-{_hashed('/'.join(parts))}"


def _bare_number(part: str | int) -> str:
    text = str(part).strip().lower()
    return text.lstrip("0") or "0" if text.isdigit() else text


def _hashed(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_HASHED_DIGITS]

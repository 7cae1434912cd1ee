"""Codes by which members bring friends: said aloud, keyed by hand, one for each member."""

import secrets
import sqlite3
from collections.abc import Container

from till_cloud.exceptions import StoreFormatError
from till_cloud.store import facts

ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""32 characters without the pairs that people mix up (I and 1, O and 0)."""

CODE_LENGTH = 8
"""40 bits: among ten million members one new code in a hundred thousand is taken already, and is made again."""

TRIES = 8
"""Codes tried for one member: all of them taken says that the random source is broken."""


def new_code(connection: sqlite3.Connection, *, taken: Container[str] = ()) -> str:
    """A code that no member has, nor is in `taken`."""
    for _ in range(TRIES):
        code = "".join(secrets.choice(ALPHABET) for _ in range(CODE_LENGTH))
        if code not in taken and facts.referral_owner(connection, code) is None:
            return code
    raise StoreFormatError(f"expected a free referral code within {TRIES} tries")


def normalise(text: str) -> str:
    """A code as people write it, as codes are kept; "" when it can't be one."""
    code = "".join(text.split()).replace("-", "").upper()
    return code if len(code) == CODE_LENGTH and set(code) <= set(ALPHABET) else ""


def give_code(connection: sqlite3.Connection, member_id: str) -> str:
    """The member's code, made now if there was none."""
    known = facts.of_member(connection, member_id)
    if known is not None and known.referral_code:
        return known.referral_code
    code = new_code(connection)
    facts.set_referral_code(connection, member_id, code)
    return code

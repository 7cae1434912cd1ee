"""PINs: chosen by members, kept as salted scrypt hashes, compared here when much is spent.

Hashing is slow on purpose, so it is done before the writer's turn (`hashed`); what the writer does is a comparison.
"""

import hashlib
import hmac
import re
import secrets
import sqlite3

from msgspec import Struct

from till_cloud.exceptions import AdminError, RefusedError
from till_cloud.store import pins
from till_cloud.store.pins import PinRow

PIN = re.compile(r"[0-9]{4,8}")
RUNS = ("01234567890", "09876543210")
"""What people key first, and so do thieves: 1234 and 4321, from wherever they begin."""

PIN_TRIES = 5
LOCK_MS = 24 * 3_600_000
"""Five tries a day: a thief who knows nothing finds one of 10,000 PINs in three years on the average."""

SALT_BYTES = 16
SCRYPT_COST = 2**12
SCRYPT_BLOCK = 8
"""4 MB and about 10 ms a try: nothing to a hold, and all 10,000 PINs of four digits still take whoever has the
database minutes for each member. No cost makes so few PINs safe from that: guard the database."""


class HashedPin(Struct, frozen=True):
    """A PIN under a salt. Its repr tells nothing: reprs end up in logs, and few digits are soon guessed from a hash."""

    salt: str
    pin_scrypt: str

    def __repr__(self) -> str:
        return "HashedPin()"


def hashed(pin: str, salt: str) -> HashedPin:
    """Milliseconds of work: not for an event loop, nor for the writer."""
    digest = hashlib.scrypt(pin.encode(), salt=bytes.fromhex(salt), n=SCRYPT_COST, r=SCRYPT_BLOCK, p=1, dklen=32)
    return HashedPin(salt, digest.hex())


def new_pin(pin: str) -> HashedPin:
    """A PIN as it is kept; AdminError when it is not 4 to 8 digits or the first that anybody would try."""
    if not PIN.fullmatch(pin):
        raise AdminError("expected a PIN of 4 to 8 digits")
    if len(set(pin)) == 1 or any(pin in run for run in RUNS):
        raise AdminError("expected a PIN that is harder to guess: not one digit over and over, nor digits in a row")
    return hashed(pin, secrets.token_hex(SALT_BYTES))


def guess(row: PinRow | None, pin: str, now_ms: int) -> HashedPin | None:
    """A PIN that a member said, under the salt of theirs; None when there is nothing to compare it with now."""
    return None if row is None or now_ms < row.locked_until_ms else hashed(pin, row.salt)


def check(connection: sqlite3.Connection, member_id: str, given: HashedPin | None, now_ms: int) -> RefusedError | None:
    """Compare within the caller's transaction. A wrong try is returned, not raised, so that its count is committed.

    RefusedError 409: `pin_not_set`, `pin_locked`; returned: `pin_wrong`, with `tries_left`.
    """
    row = pins.find(connection, member_id)
    if row is None:
        raise RefusedError(409, "pin_not_set", "expected a member who has a PIN", pointer="/pin")
    if now_ms < row.locked_until_ms:
        detail = f"expected a PIN that is not locked: this one was tried wrongly {PIN_TRIES} times"
        raise RefusedError(409, "pin_locked", detail, pointer="/pin", retry_after_ms=row.locked_until_ms - now_ms)
    if given is not None and _same(row, given):
        if row.tries:
            pins.set_tries(connection, member_id, 0, 0)
        return None
    tries = 1 if row.locked_until_ms else row.tries + 1
    pins.set_tries(connection, member_id, tries, now_ms + LOCK_MS if tries >= PIN_TRIES else 0)
    return RefusedError(409, "pin_wrong", "expected the member's PIN", pointer="/pin", tries_left=PIN_TRIES - tries)


def _same(row: PinRow, given: HashedPin) -> bool:
    """A PIN that staff changed since the guess was hashed has another salt, and the guess is as good as wrong."""
    return given.salt == row.salt and hmac.compare_digest(given.pin_scrypt, row.pin_scrypt)

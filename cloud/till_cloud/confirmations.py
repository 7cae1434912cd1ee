"""One-time codes: made here, sent to a member's phone, said to the cashier, compared here.

A code proves that whoever stands at the till has the phone. Decision: docs/decisions/0012.
"""

import hashlib
import hmac
import secrets
import sqlite3
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from till_cloud.exceptions import RefusedError
from till_cloud.store import confirmations, members, meta, slow_tags
from till_cloud.store.confirmations import ConfirmationRow
from till_loyalty.identifiers import SLOW_PHONE, slow_tag
from till_loyalty.identifiers import tag as tag_of
from till_sync.asking import ConfirmationAnswer, ConfirmationRequest

CODE_DIGITS = 6
CODE_LIFE_MS = 600_000
"""Ten minutes: a message that takes longer than that does not come any more."""

CODE_TRIES = 5
"""Wrong codes that a confirmation survives: five guesses of a million."""

TAG_LIMIT = 3
TILL_LIMIT = 30
LIMIT_WINDOW_MS = 600_000
"""Codes to one number, and by one till, in ten minutes. Each is a message that somebody pays for, and a till that
registers a person every 20 s has a cashier who does nothing else.
"""

PROOF_LIFE_MS = 900_000
"""A confirmed code covers a hold until 15 minutes after it was made: the receipt it was said for is still open."""

KEPT_MS = 45 * 24 * 3_600_000
"""A till may be offline for 30 days between the code and the registration that it belongs to."""

SALT_BYTES = 16


class NewCode(Struct, frozen=True):
    """What goes to the operator's program, and nowhere else. Its repr tells nothing: reprs end up in logs."""

    confirmation: str
    phone: str
    code: str
    language: str
    purpose: str

    def __repr__(self) -> str:
        return f"NewCode(confirmation={self.confirmation!r})"


class Started(Struct, frozen=True):
    """The answer, and the code to send; None when this confirmation was asked for before."""

    answer: ConfirmationAnswer
    code: NewCode | None


def is_tag_of(connection: sqlite3.Connection, request: ConfirmationRequest) -> bool:
    """Whether the tag is that of the phone; 54 ms for a slow one: not for the writer's thread."""
    tag = tag_of(meta.identifier_key(connection), "phone", request.phone)
    cost = slow_tags.phone_tags(connection).cost
    if cost and request.tag.startswith(SLOW_PHONE):
        tag = slow_tag(tag, cost)
    return hmac.compare_digest(tag, request.tag)


def start(
    connection: sqlite3.Connection, till: str, request: ConfirmationRequest, now_ms: int, *, fits: bool
) -> Started:
    """Make a code within the caller's transaction. The same confirmation again tells its state and sends nothing.
    `fits` is what `is_tag_of` said.

    RefusedError: 422 `phone_needed`, `tag_mismatch`; 409 `confirmation_mismatch`, `confirmation_used`,
    `member_mismatch` (`spend`: the phone is not that member's); 429 `too_many_codes`.
    """
    row = confirmations.find(connection, request.confirmation)
    if row is not None:
        if (row.till, row.tag, row.purpose) != (till, request.tag, request.purpose):
            raise _mismatch()
        return Started(_answer(row, now_ms), None)
    if not request.phone:
        raise RefusedError(422, "phone_needed", "expected the phone to send to: the cloud keeps none", pointer="/phone")
    if not fits:
        raise RefusedError(422, "tag_mismatch", "expected the tag of this very phone", pointer="/tag")
    member_id = members.owner(connection, request.tag) or ""
    if request.purpose == "spend" and (not member_id or request.member_id != member_id):
        raise RefusedError(409, "member_mismatch", "expected a phone of this member", pointer="/member_id")
    _check_rate(connection, till, request.tag, now_ms)
    confirmations.forget(connection, till, now_ms - KEPT_MS)
    code = f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}}"
    salt = secrets.token_hex(SALT_BYTES)
    row = ConfirmationRow(
        confirmation=request.confirmation,
        till=till,
        purpose=request.purpose,
        tag=request.tag,
        member_id=member_id,
        salt=salt,
        code_sha256=_hash(salt, code),
        state="sent",
        tries=0,
        made_at_ms=now_ms,
        expires_at_ms=now_ms + CODE_LIFE_MS,
    )
    confirmations.add(connection, row)
    return Started(
        _answer(row, now_ms),
        NewCode(request.confirmation, request.phone, code, request.language, request.purpose),
    )


def give(connection: sqlite3.Connection, till: str, confirmation: str, code: str, now_ms: int) -> ConfirmationAnswer:
    """Compare what the member said. A wrong code is no error: it is counted, and the answer says what is left.

    RefusedError: 404 `confirmation_unknown`, 409 `confirmation_used`.
    """
    row = _own(connection, till, confirmation)
    if row.state != "sent" or now_ms >= row.expires_at_ms:
        return _answer(row, now_ms)
    if hmac.compare_digest(_hash(row.salt, code), row.code_sha256):
        row = replace(row, state="confirmed")
    else:
        tries = row.tries + 1
        row = replace(row, tries=tries, state="spent" if tries >= CODE_TRIES else "sent")
    confirmations.set_state(connection, confirmation, row.state, row.tries)
    return _answer(row, now_ms)


def unsent(connection: sqlite3.Connection, confirmation: str) -> None:
    """The operator's program failed: nobody has this code."""
    row = confirmations.find(connection, confirmation)
    if row is not None and row.state == "sent":
        confirmations.set_state(connection, confirmation, "spent", row.tries)


def use(
    connection: sqlite3.Connection, confirmation: str, *, till: str, tag: str
) -> Literal["", "confirmation_unknown", "confirmation_unconfirmed", "confirmation_used"]:
    """Spend a confirmed confirmation on the registration of its number; "" or why it can't be.

    It has no end by the clock: the registration may have waited at a till without a line.
    """
    row = confirmations.find(connection, confirmation)
    if row is None or (row.till, row.tag) != (till, tag):
        return "confirmation_unknown"
    if row.state != "confirmed":
        return "confirmation_used" if row.state == "used" else "confirmation_unconfirmed"
    confirmations.set_state(connection, confirmation, "used", row.tries)
    return ""


def prove(connection: sqlite3.Connection, confirmation: str, *, till: str, member_id: str, now_ms: int) -> None:
    """Spend a confirmed confirmation on a hold of its member; RefusedError 409 `proof_invalid`."""
    row = confirmations.find(connection, confirmation)
    good = (
        row is not None
        and row.till == till
        and row.state == "confirmed"
        and now_ms < row.made_at_ms + PROOF_LIFE_MS
        and members.owner(connection, row.tag) == member_id
    )
    if row is None or not good:
        detail = "expected a code that this member gave back just now, used for nothing yet"
        raise RefusedError(409, "proof_invalid", detail, pointer="/confirmation")
    confirmations.set_state(connection, confirmation, "used", row.tries)


def _own(connection: sqlite3.Connection, till: str, confirmation: str) -> ConfirmationRow:
    row = confirmations.find(connection, confirmation)
    if row is None or row.till != till:
        raise RefusedError(404, "confirmation_unknown", "expected a confirmation that this till began")
    return row


def _check_rate(connection: sqlite3.Connection, till: str, tag: str, now_ms: int) -> None:
    after = now_ms - LIMIT_WINDOW_MS
    for limit, (count, first_ms) in (
        (TAG_LIMIT, confirmations.made_for_tag(connection, tag, after)),
        (TILL_LIMIT, confirmations.made_by_till(connection, till, after)),
    ):
        if count >= limit:
            wait_ms = max(first_ms + LIMIT_WINDOW_MS - now_ms, 1000)
            detail = f"expected at most {limit} codes in {LIMIT_WINDOW_MS // 60_000} minutes"
            headers = {"Retry-After": str(-(-wait_ms // 1000))}
            raise RefusedError(429, "too_many_codes", detail, retryable=True, headers=headers, retry_after_ms=wait_ms)


def _answer(row: ConfirmationRow, now_ms: int) -> ConfirmationAnswer:
    if row.state == "used":
        raise RefusedError(409, "confirmation_used", "expected a new confirmation: this one has served")
    expired = row.state == "sent" and now_ms >= row.expires_at_ms
    return ConfirmationAnswer(
        confirmation=row.confirmation,
        state="expired" if expired else row.state,
        tries_left=CODE_TRIES - row.tries if row.state == "sent" else 0,
        expires_at_ms=row.expires_at_ms,
        server_time_ms=now_ms,
    )


def _mismatch() -> RefusedError:
    return RefusedError(409, "confirmation_mismatch", "expected a new confirmation id: this one is taken")


def _hash(salt: str, code: str) -> str:
    return hashlib.sha256(f"{salt}:{code}".encode()).hexdigest()

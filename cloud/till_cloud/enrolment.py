"""Enrolment: a one-time code, bound to a till's slot, is traded for the till's token; the public key that came with it
is the till's from then on. The code itself is never kept.

A code reads `SLOT.AAAA-BBBB-CCCC-DDDD`: the slot finds the row, so that wrong guesses can be counted against it.
"""

import hashlib
import hmac
import secrets
import sqlite3

from till_cloud.exceptions import AdminError, RefusedError
from till_cloud.store import meta, slow_tags, tills
from till_sync.wire import EnrolmentAnswer, EnrolmentRequest

CODE_LIFE_MS = 24 * 3_600_000
"""A code is made for an installation on the same day."""

CODE_TRIES = 5
"""Wrong guesses that a code survives: enough for typing errors, none for guessing 80 bits."""

CODE_GROUPS = 4
CODE_GROUP_LETTERS = 4
_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""32 letters, 5 bits each, without the pairs that people mix up (I and 1, O and 0)."""

NEW_CODE = "`tillside cloud till code` makes one"
"""Who stands at the till passes this on to who runs the cloud."""

TOKEN_BYTES = 32
CODE_TEXT_LIMIT = 200


def issue_code(connection: sqlite3.Connection, till_id: str, now_ms: int) -> str:
    """A new code for a till; the one before stops working. AdminError when there is no such till."""
    if tills.till(connection, till_id) is None:
        raise AdminError(f"expected a till that was added, not {till_id!r}: add it with `cloud till add`")
    letters = "-".join(
        "".join(secrets.choice(_ALPHABET) for _ in range(CODE_GROUP_LETTERS)) for _ in range(CODE_GROUPS)
    )
    code = f"{till_id}.{letters}"
    tills.set_code(connection, till_id, _hash(code), now_ms, now_ms + CODE_LIFE_MS)
    return code


def redeem_code(
    connection: sqlite3.Connection, request: EnrolmentRequest, now_ms: int
) -> EnrolmentAnswer | RefusedError:
    """Trade a code for an identity. A refusal is returned, not raised, so that the count of tries is committed."""
    code = request.code.strip().upper()
    slot = request.code.strip().rpartition(".")[0]
    if not slot or len(code) > CODE_TEXT_LIMIT:
        return _refusal()
    row = tills.code(connection, slot)
    if row is None:
        return _refusal()
    if row.tries >= CODE_TRIES:
        detail = f"expected a new code: this one was tried wrongly {CODE_TRIES} times; {NEW_CODE}"
        return RefusedError(403, "code_locked", detail)
    if not hmac.compare_digest(_hash(slot + code[len(slot) :]), row.code_sha256):
        tills.count_try(connection, slot)
        return _refusal()
    if row.used_at_ms:
        return RefusedError(409, "code_used", f"expected a new code: this one was used already; {NEW_CODE}")
    if now_ms >= row.expires_at_ms:
        detail = f"expected a new code: this one was valid for 24 hours; {NEW_CODE}"
        return RefusedError(403, "code_expired", detail)
    return _enrol(connection, slot, request, now_ms)


def _enrol(
    connection: sqlite3.Connection, till_id: str, request: EnrolmentRequest, now_ms: int
) -> EnrolmentAnswer | RefusedError:
    till = tills.till(connection, till_id)
    store = None if till is None else tills.store(connection, till.store)
    if till is None or store is None:
        return _refusal()
    token = secrets.token_urlsafe(TOKEN_BYTES)
    phones = slow_tags.phone_tags(connection)
    digest = hashlib.sha256(token.encode()).hexdigest()
    if till.public_key and till.public_key != request.public_key:
        meta.keep_former_key(connection, till_id, till.public_key)
    tills.enrol(connection, till_id, digest, now_ms, public_key=request.public_key)
    tills.use_code(connection, till_id, request.salt, now_ms)
    return EnrolmentAnswer(
        till=till.till,
        store=store.store,
        store_name=store.name,
        time_zone=store.time_zone,
        token=token,
        identifier_key=meta.identifier_key(connection).hex(),
        incarnation=meta.incarnation(connection),
        server_time_ms=now_ms,
        last_epoch=till.epoch,
        cloud_key=meta.cloud_key(connection),
        seal_key=meta.seal_key(connection),
        phone_cost=phones.cost,
        phone_slow_only=phones.only,
    )


def _refusal() -> RefusedError:
    return RefusedError(
        403, "code_wrong", "expected a valid enrolment code, such as till-1.ABCD-EFGH-JKLM-NPQR, not this one"
    )


def _hash(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()

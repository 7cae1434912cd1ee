"""Holds: points promised to a receipt under way. Granted by request, given back by the till's own op.

Decision: docs/decisions/0004. The one exception: a hold that has expired while its till has since pushed everything it
had (`PushRequest.remaining == 0`) is given back, for no sale that used it can still be on its way.
"""

import re
import sqlite3

from till_cloud import pins, windows
from till_cloud.confirmations import prove
from till_cloud.exceptions import RefusedError
from till_cloud.granting import recall, shown_held
from till_cloud.ledger.account import Account, Draft
from till_cloud.ledger.book import Book
from till_cloud.ledger.expiring import expire_due
from till_cloud.pins import HashedPin
from till_cloud.store import holds
from till_loyalty.programme import Redemption
from till_sync.asking import HoldAnswer, HoldRequest

HOLD_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,119}")

OPEN_HOLDS_LIMIT = 200
"""Open holds of one till: it serves one receipt at a time, and even weeks of lost answers leave fewer."""

FORGOTTEN_AFTER_MS = 1_800_000
"""Past a hold's end by the cloud's clock. The till's own deadline counts from when the answer came, which is later; and
a push that says "nothing waits" may be retransmitted for minutes before it arrives, while a sale uses the hold."""


def reserve(
    connection: sqlite3.Connection,
    request: HoldRequest,
    now_ms: int,
    redemption: Redemption | None = None,
    pin: HashedPin | None = None,
) -> HoldAnswer | RefusedError:
    """Grant a hold within the caller's transaction. The same request again gets the same answer.

    RefusedError 409: `insufficient_points` (with `available`), `member_blocked`, `member_provisional`, `hold_used`,
    `hold_released`, `hold_mismatch` (the id names other points), `too_many_holds`; 404 `member_unknown`;
    422 `hold_invalid`. With the `redemption` of the active programme also 409 `proof_required`, `proof_invalid`,
    `pin_not_set`, `pin_locked`; and `pin_wrong`, which is returned, not raised, so that its count is committed; as is
    `points_lent` (with `available` and `lent`), when tills were asked to give points back: ask again.
    `pin` is the request's, hashed by `pins.guess`.
    """
    if not HOLD_ID.fullmatch(request.hold):
        raise RefusedError(422, "hold_invalid", "expected a hold id of letters, digits and . _ : -", pointer="/hold")
    row = holds.find(connection, request.hold)
    if row is not None:
        return _again(row, request, now_ms)
    book = Book(connection, now_ms)
    account = _spender(book, request.member_id)
    if holds.open_count(connection, request.till) >= OPEN_HOLDS_LIMIT:
        raise RefusedError(
            409,
            "too_many_holds",
            f"expected fewer than {OPEN_HOLDS_LIMIT} open holds: the till has ops to push",
            retryable=True,
        )
    if book.due_points(account):
        expire_due(book, account, now_ms)  # the job has not come yet
    _check_balance(connection, account, redemption)
    lent = _ask_back(book, account, request.points)
    if lent is not None:
        return lent
    wrong = _check_proof(connection, request, redemption, pin, now_ms)
    if wrong is not None:
        return wrong
    if request.points > account.available:
        detail = f"expected at most {account.available} points, not {request.points}"
        raise RefusedError(409, "insufficient_points", detail, available=account.available)
    return _answer(_granted(book, account, request, now_ms), now_ms)


def _spender(book: Book, member_id: str) -> Account:
    """Who may spend. RefusedError 404, 409."""
    account = book.account(member_id)
    if account is None or account.status == "removed":
        raise RefusedError(404, "member_unknown", "expected a member of this chain")
    if account.status != "active":
        raise RefusedError(
            409, f"member_{account.status}", f"expected an active member, not one who is {account.status}"
        )
    return account


def _granted(book: Book, account: Account, request: HoldRequest, now_ms: int) -> holds.HoldRow:
    """The hold, kept; the member's row has it."""
    draft = Draft(account, held=account.held + request.points)
    before = book.position
    book.touch(draft, book.next_position())
    windows.see_at_till(book, request.till, account.member_id, changed_after=before)
    book.flush()
    granted = holds.HoldRow(
        hold=request.hold,
        till=request.till,
        member_id=account.member_id,
        sale_uid=request.sale_uid,
        points=request.points,
        state="open",
        made_at_ms=now_ms,
        expires_at_ms=now_ms + request.ttl_ms,
        balance=account.balance,
        held=shown_held(book.connection, account),
        position=account.position,
        inactive=account.inactive,
    )
    holds.add(book.connection, granted)
    return granted


def _check_balance(connection: sqlite3.Connection, account: Account, redemption: Redemption | None) -> None:
    """The smallest balance to spend from is the member's, wherever their points lie: with what tills were lent.

    Looked at here and not at the sale, when the customer was promised them. RefusedError 409 `insufficient_points`.
    """
    least = 0 if redemption is None else redemption.minimum_balance_points
    there = account.balance - account.inactive - shown_held(connection, account) if least else 0
    if there < least:
        detail = f"expected a balance of at least {least} points, not {there}"
        raise RefusedError(409, "insufficient_points", detail, available=0)


def _ask_back(book: Book, account: Account, points: int) -> RefusedError | None:
    """Where tills have what is lacking, ask them for it; 409 `points_lent`, returned so that the asking is kept.

    Nothing is asked back that would not be enough. No proof is used up by it: the till will ask for this hold again.
    """
    lacking = points - account.available
    if lacking <= 0 or not account.granted:
        return None
    lent = recall(book, account, lacking)
    if lent < lacking:
        return None
    book.flush()
    detail = f"expected at most {account.available} points for now, not {points}: tills were asked for {lacking}"
    return RefusedError(409, "points_lent", detail, retryable=True, available=account.available, lent=lent)


def _check_proof(
    connection: sqlite3.Connection,
    request: HoldRequest,
    redemption: Redemption | None,
    pin: HashedPin | None,
    now_ms: int,
) -> RefusedError | None:
    """Above the programme's threshold the member gives back a one-time code, which serves one hold, or says a PIN.

    A wrong PIN is returned. Nothing else of the transaction has been done yet, so there is nothing to undo.
    """
    if redemption is None or not redemption.proof or request.points <= redemption.proof_above_points:
        return None
    if request.confirmation and "code" in redemption.proof:
        prove(connection, request.confirmation, till=request.till, member_id=request.member_id, now_ms=now_ms)
        return None
    if request.pin and "pin" in redemption.proof:
        return pins.check(connection, request.member_id, pin, now_ms)
    detail = f"expected a proof of who the member is for more than {redemption.proof_above_points} points"
    pointer = "/confirmation" if "code" in redemption.proof else "/pin"
    raise RefusedError(409, "proof_required", detail, pointer=pointer)


def _again(row: holds.HoldRow, request: HoldRequest, now_ms: int) -> HoldAnswer:
    if row.till != request.till:
        raise RefusedError(409, "hold_mismatch", "expected a new hold id: this one is taken")
    if row.state != "open":
        raise RefusedError(409, f"hold_{row.state}", f"expected a new hold id: this hold was {row.state}")
    if (row.member_id, row.points, row.sale_uid) != (request.member_id, request.points, request.sale_uid):
        raise RefusedError(
            409, "hold_mismatch", "expected the same member, sale and points as when the hold was first asked"
        )
    return _answer(row, now_ms)


def _answer(row: holds.HoldRow, now_ms: int) -> HoldAnswer:
    return HoldAnswer(
        hold=row.hold,
        points=row.points,
        expires_at_ms=row.expires_at_ms,
        server_time_ms=now_ms,
        balance=row.balance,
        held=row.held,
        position=row.position,
    )


def release_row(book: Book, row: holds.HoldRow, *, resolved_by: str) -> None:
    """Give an open hold's points back; a debt is paid from them first."""
    if not holds.resolve(book.connection, row.hold, "released", resolved_by):
        return
    account = book.account(row.member_id)
    if account is None:
        return
    draft = Draft(account, held=account.held - row.points)
    if account.debt:
        book.load_lots(account)
        draft.settle_debt()
    book.touch(draft, book.next_position())


def release_forgotten(book: Book, till: str) -> int:
    """Give back the holds that a till has forgotten; call it only when the till has pushed all it had."""
    rows = holds.forgotten(book.connection, till, book.now_ms - FORGOTTEN_AFTER_MS)
    for row in rows:
        release_row(book, row, resolved_by="expired")
    return len(rows)

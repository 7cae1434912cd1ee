"""The book of one transaction: accounts read once, changed in memory, written together at its end."""

import sqlite3
from collections.abc import Callable, Iterable
from typing import Any

from msgspec.structs import replace

from till_cloud.ledger.account import Account, Draft, Figures, Term
from till_cloud.store import facts, grants, meta, ops
from till_cloud.store.facts import Purchases
from till_loyalty.exceptions import invariant
from till_loyalty.lots import Lot, Movement
from till_sync.ops import OpId

# A member's account as it stands. Of the lots only those that are asleep are read, by their own index: left to itself
# SQLite walks through all that the member ever had.
_ACCOUNT = """
SELECT m.member_id, m.status, m.tier, b.balance, b.held, b.debt,
       b.earned, b.redeemed, b.given_back, b.reversed, b.expired, b.position,
       (SELECT coalesce(sum(l.left), 0) FROM lots l INDEXED BY lots_asleep
        WHERE l.member_id = m.member_id AND l.active_at_ms IS NOT NULL),
       b.granted
FROM members m JOIN balances b ON b.member_id = m.member_id WHERE m.member_id = ?
"""


# Every lot that still has points, which spending and taking back may touch.
_LOTS_LEFT = """
SELECT lot, issued, left, used, expired, reversed, expires_at_ms, position, active_at_ms
FROM lots WHERE member_id = ? AND left > 0
"""

# One lot, whatever is left of it: a return names the lots of its sale.
_LOT = """
SELECT lot, issued, left, used, expired, reversed, expires_at_ms, position, active_at_ms
FROM lots WHERE member_id = ? AND lot = ?
"""

# Points that should have expired by a moment.
_DUE = """
SELECT coalesce(sum(left), 0) FROM lots
WHERE member_id = ? AND expires_at_ms IS NOT NULL AND expires_at_ms <= ? AND left > 0 AND active_at_ms IS NULL
"""

# Lots from a number on, with the movement that issued each: those of one movement lie together.
_ISSUED_FROM = "SELECT lot, position FROM lots WHERE member_id = ? AND lot >= ? ORDER BY lot"

# How the points of one ledger position moved between and within lots.
_MOVES = "SELECT kind, lot, points, pays_debt FROM lot_moves WHERE member_id = ? AND position = ? ORDER BY number"

_WRITE_LOT = """
INSERT INTO lots (member_id, lot, position, issued, left, used, expired, reversed, active_at_ms, expires_at_ms)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (member_id, lot) DO UPDATE SET left = excluded.left, used = excluded.used, expired = excluded.expired,
    reversed = excluded.reversed, expires_at_ms = excluded.expires_at_ms
"""
_WRITE_BALANCE = """
UPDATE balances SET balance = ?, held = ?, debt = ?, earned = ?, redeemed = ?, given_back = ?, reversed = ?,
    expired = ?, position = ?, granted = ? WHERE member_id = ?
"""
_WRITE_MOVEMENT = """
INSERT INTO movements (member_id, position, kind, till, epoch, seq, uid, about_uid,
    earned, redeemed, given_back, reversed, expired, balance, debt, at_ms)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_WRITE_MOVE = """
INSERT INTO lot_moves (member_id, position, number, kind, lot, points, pays_debt)
VALUES (?, ?, ?, ?, ?, ?, ?)
"""


class Book:
    """Accounts by member, positions in order. `flush` writes all of it; until then the database is as it was.

    One book serves one transaction of the writer. `now_ms` is the cloud's time, which stamps every movement.
    """

    def __init__(self, connection: sqlite3.Connection, now_ms: int) -> None:
        self.connection = connection
        self.now_ms = now_ms
        self._position = meta.position(connection)
        self._accounts: dict[str, Account] = {}
        self._movements: list[tuple[Any, ...]] = []
        self._moves: list[tuple[Any, ...]] = []
        self._moves_by_position: dict[int, list[Movement]] = {}
        self._touched: dict[str, Account] = {}
        self._on_flush: list[Callable[[], None]] = []
        self._purchases: dict[str, Purchases] = {}
        self._ops: list[tuple[Any, ...]] = []
        self._sales: dict[tuple[str, str], tuple[Any, ...]] = {}
        self._tills: dict[str, str] = {}

    @property
    def position(self) -> int:
        """The number of the last change."""
        return self._position

    def next_position(self) -> int:
        """The number of the next change."""
        self._position += 1
        return self._position

    def take_positions(self, count: int) -> int:
        """Numbers for `count` changes that one statement makes; they follow the one that is answered."""
        invariant(not self._touched, "expected changes by statement before any account is changed")
        before = self._position
        self._position += count
        self._accounts.clear()
        return before

    def account(self, member_id: str) -> Account | None:
        """A member's account; None when there is no such member."""
        account = self._accounts.get(member_id)
        if account is None:
            row = self.connection.execute(_ACCOUNT, (member_id,)).fetchone()
            if row is None:
                return None
            identity, status, tier, left, held, debt, *gross, position, inactive, granted = row
            figures = Figures(*gross)
            account = Account(identity, status, tier, left, held, debt, figures, position, inactive, granted)
            self._accounts[member_id] = account
        return account

    def load_lots(self, account: Account, also: Iterable[int] = ()) -> None:
        """Bring the lots with points left into memory, and those of `also` whatever is left of them."""
        if not account.whole:
            for row in self.connection.execute(_LOTS_LEFT, (account.member_id,)):
                _load(account, row)
            account.whole = True
        for number in also:
            if number not in account.lots:
                row = self.connection.execute(_LOT, (account.member_id, number)).fetchone()
                if row is not None:
                    _load(account, row)

    def due_points(self, account: Account) -> int:
        """Active points of the database whose time is over by now, and that no job has taken yet."""
        return int(self.connection.execute(_DUE, (account.member_id, self.now_ms)).fetchone()[0])

    def lots_of(self, member_id: str, position: int) -> list[int]:
        """Numbers of the lots that the movement at a position issued, in their order."""
        account = self._accounts.get(member_id)
        found: set[int] = set()
        if account is not None:
            found.update([number for number in account.dirty if account.terms[number].position == position])
        for number, issued_by in self.connection.execute(_ISSUED_FROM, (member_id, position)):
            if issued_by == position:
                found.add(number)
            elif number > position:
                break
        return sorted(found)

    def moves(self, member_id: str, positions: Iterable[int]) -> list[Movement]:
        """How points moved at these positions of a member, in order."""
        found: list[Movement] = []
        for position in positions:
            pending = self._moves_by_position.get(position)
            if pending is not None:
                found += pending
                continue
            for kind, lot, points, pays_debt in self.connection.execute(_MOVES, (member_id, position)):
                found.append(Movement(kind=kind, points=points, lot_id=str(lot or ""), pays_debt=bool(pays_debt)))
        return found

    def post(
        self, draft: Draft, *, kind: str, op: OpId | None, uid: str = "", about_uid: str = "", position: int
    ) -> None:
        """Keep a draft as one movement of the ledger at `position`, which `next_position` gave."""
        account = draft.account
        draft.commit(position)
        self._touched[account.member_id] = account
        figures = draft.figures
        till, epoch, seq = ("", 0, 0) if op is None else (op.till, op.epoch, op.seq)
        if account.debt:
            self._tills[account.member_id] = till or self._tills.get(account.member_id, "")
        self._movements.append(
            (
                *(account.member_id, position, kind, till, epoch, seq, uid, about_uid),
                *(figures.earned, figures.redeemed, figures.given_back, figures.reversed, figures.expired),
                *(account.left, account.debt, self.now_ms),
            )
        )
        self._keep_moves(draft, position)

    def touch(self, draft: Draft, position: int) -> None:
        """Keep a draft that changes what is held or granted, and maybe pays a debt with it, but posts no movement."""
        draft.commit(position)
        self._touched[draft.account.member_id] = draft.account
        self._keep_moves(draft, position)

    def set_aside(self, draft: Draft) -> None:
        """Keep a draft that changes only what is granted. No till is told that of a member, so the position stays:
        otherwise whatever is lent would bring the member's row to all tills of the chain once more.
        """
        invariant(not draft.moves, "expected points to be set aside, not moved")
        draft.commit(draft.account.position)
        self._touched[draft.account.member_id] = draft.account

    def _keep_moves(self, draft: Draft, position: int) -> None:
        # The issue of a lot is its own row, which names the position.
        kept = [move for move in draft.moves if move.kind != "earn"]
        self._moves_by_position[position] = kept
        for number, move in enumerate(kept):
            self._moves.append(
                (
                    draft.account.member_id,
                    position,
                    number,
                    move.kind,
                    int(move.lot_id or 0),
                    move.points,
                    move.pays_debt,
                )
            )

    def bought(self, member_id: str, business_date: str, paid_minor: int) -> None:
        """One purchase more of a member; written by `settle_purchases`, which whoever reads such facts calls before."""
        had = self._purchases.get(member_id)
        if had is None:
            self._purchases[member_id] = Purchases(1, business_date, paid_minor)
        else:
            last, largest = max(had.last, business_date), max(had.largest_minor, paid_minor)
            self._purchases[member_id] = Purchases(had.times + 1, last, largest)

    def settle_purchases(self, member_id: str = "") -> None:
        """Write what `bought` keeps, so that members' rows are right; with a member named, only if it is theirs."""
        if self._purchases and (not member_id or member_id in self._purchases):
            facts.add_purchases(self.connection, self._purchases)
            self._purchases.clear()

    def keep_op(self, row: tuple[Any, ...]) -> None:
        """An op, as of `ops.op_row`; written by `settle_ops`, which whoever reads ops or sales calls before."""
        self._ops.append(row)

    def keep_sale(self, op: OpId, uid: str, *, member_id: str, position: int, result: bytes | None) -> None:
        """A sale that was not there before, written likewise."""
        row = ops.sale_row(op, uid, member_id=member_id, position=position, result=result)
        self._sales[op.till, uid] = row

    def has_sale(self, till: str, uid: str) -> bool:
        """Whether a till's sale is there already, in this transaction or before it."""
        return (till, uid) in self._sales or ops.has_sale(self.connection, till, uid)

    def settle_ops(self) -> None:
        """Write what `keep_op` and `keep_sale` keep."""
        if self._ops:
            ops.add_ops(self.connection, self._ops)
            self._ops.clear()
        if self._sales:
            ops.add_sales(self.connection, self._sales.values())
            self._sales.clear()

    def on_flush(self, write: Callable[[], None]) -> None:
        """Run `write` with the rest of the book's writing, after accounts and movements."""
        self._on_flush.append(write)

    def flush(self) -> None:
        """Write everything, in the transaction that the caller holds."""
        many = self.connection.executemany
        accounts = self._touched.values()
        self.settle_purchases()
        self.settle_ops()
        many(_WRITE_LOT, [row for account in accounts for row in _dirty_rows(account)])
        many(_WRITE_BALANCE, [_balance_row(account) for account in accounts])
        many(_WRITE_MOVEMENT, self._movements)
        many(_WRITE_MOVE, self._moves)
        for write in self._on_flush:
            write()
        for account in accounts:
            if account.debt and account.granted:
                self._ask_for_debt(account)
        meta.set_position(self.connection, self._position)
        for account in accounts:
            account.dirty.clear()
        self._movements.clear()
        self._moves.clear()
        self._touched.clear()
        self._on_flush.clear()
        self._tills.clear()

    def _ask_for_debt(self, account: Account) -> None:
        """What a member owes is asked back from the tills that have their points, before it is spent a second time.

        The till whose operation it was is asked for all of it: it has a line. Of the others each is asked for what then
        lacks, for some may be without one. No rest begins: nobody waits for these
        points, and none of them is lent again.
        """
        rows = grants.open_of_member(self.connection, account.member_id)
        first = self._tills.get(account.member_id, "")
        rows.sort(key=lambda row: row.holder != first)
        lacking = account.debt - sum([row.recall for row in rows])
        for row in rows:
            mine = row.holder == first
            asked = min(row.points, account.debt if mine else row.recall + max(lacking, 0))
            if asked > row.recall:
                grants.put(self.connection, replace(row, recall=asked, position=self.next_position()))
                lacking -= asked - row.recall if mine else 0


def _load(account: Account, row: tuple[int, int, int, int, int, int, int | None, int, int | None]) -> None:
    """Take a lot's row into the account, unless the account knows it in a later state."""
    number, issued, left, used, expired, reversed_, expires_at_ms, position, active_at_ms = row
    if number in account.lots:
        return
    account.terms[number] = Term(position, active_at_ms)
    account.lots[number] = Lot(
        lot_id=str(number),
        earned=issued,
        left=left,
        used=used,
        expired=expired,
        reversed_=reversed_,
        expires_at_ms=expires_at_ms,
    )


def _dirty_rows(account: Account) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = []
    for number in account.dirty:
        lot, term = account.lots[number], account.terms[number]
        rows.append(
            (
                *(account.member_id, number, term.position),
                *(lot.earned, lot.left, lot.used, lot.expired, lot.reversed_),
                *(term.active_at_ms, lot.expires_at_ms),
            )
        )
    return rows


def _balance_row(account: Account) -> tuple[Any, ...]:
    figures = account.figures
    return (
        *(account.left, account.held, account.debt),
        *(figures.earned, figures.redeemed, figures.given_back, figures.reversed, figures.expired),
        *(account.position, account.granted, account.member_id),
    )

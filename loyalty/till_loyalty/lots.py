"""Ledger arithmetic of one member: lots of points, and the debt that a return may leave.

Every function takes an account and gives a `Change`: the new account and the movements that lead to it. Nothing is
kept here and no clock is read; the cloud stores the movements and stamps the time. Always true, and checked on the way
in and on the way out: in each lot earned = left + used + expired + reversed_, no part is below 0, and the debt is not
below 0. Over the account: points taken back by returns, and points overdrawn = sum of reversed_ + debt + forgiven.

An account may hold only the lots that matter: those with points left, and those that a return names.

A lot with an `active_at_ms` sleeps until then: its points are in the balance, pay debts, are taken back and expire, but
can't be spent or reserved. Without a `now_ms` such a lot sleeps whatever the time, so whoever wakes lots clears it.
"""

from collections.abc import Iterable, Sequence
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from till_loyalty.exceptions import InvariantError, LedgerError, invariant

ReturnPolicy = Literal["debt", "within_balance", "refuse"]
MovementKind = Literal["earn", "use", "give_back", "expire", "reverse", "reverse_expired", "owe", "forgive", "overdraw"]


class Lot(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Points that were earned together and live together. `active_at_ms` None: now; `expires_at_ms` None: never."""

    lot_id: str
    earned: int
    left: int
    used: int = 0
    expired: int = 0
    reversed_: int = 0
    expires_at_ms: int | None = None
    active_at_ms: int | None = None

    def sleeps(self, now_ms: int | None) -> bool:
        """Whether the points can't be spent yet."""
        return self.active_at_ms is not None and (now_ms is None or now_ms < self.active_at_ms)


class Movement(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Points that moved, always above 0. `owe` and `forgive` concern the account, so they name no lot.

    earn: new points. use: left to used. give_back: used to left. expire: left to expired. reverse: left to reversed_.
    reverse_expired: expired to reversed_. owe: the debt grows; it shrinks by a `reverse` whose `pays_debt` is set.
    forgive: earned points that a return could not take and nobody owes. overdraw: points on credit, which are owed: a
    lot that was never earned and is spent as it is made, so that returning what it paid for works as with any other.
    """

    kind: MovementKind
    points: int
    lot_id: str = ""
    pays_debt: bool = False


class Use(Struct, frozen=True, kw_only=True):
    """Points that a sale used from a lot and that are not given back yet; in the order of spending."""

    lot_id: str
    points: int


class Account(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A member's lots, in the order they were earned, and the points the member owes."""

    lots: tuple[Lot, ...] = ()
    debt: int = 0

    @property
    def left_points(self) -> int:
        """Points in the lots."""
        return sum([lot.left for lot in self.lots])

    @property
    def balance_points(self) -> int:
        """What tills show: points in the lots less the debt. Below 0 only while there is a debt."""
        return self.left_points - self.debt


class Change(Struct, frozen=True, kw_only=True):
    """The account after, and how it came about. `forgiven`: earned points that a return left with the member."""

    account: Account
    movements: tuple[Movement, ...]
    forgiven: int = 0


def check_account(account: Account) -> None:
    """InvariantError unless every lot adds up, no figure is below 0 and no lot is there twice."""
    if account.debt < 0:
        raise InvariantError(f"expected a debt of 0 or more, not {account.debt}")
    for lot in account.lots:
        left, used, expired, reversed_ = lot.left, lot.used, lot.expired, lot.reversed_
        if lot.earned != left + used + expired + reversed_ or left < 0 or used < 0 or expired < 0 or reversed_ < 0:
            raise InvariantError(f"expected a lot that adds up, not {lot}")
    if len({lot.lot_id for lot in account.lots}) != len(account.lots):
        raise InvariantError("expected each lot once in an account, not twice")


def inactive_points(account: Account, now_ms: int | None) -> int:
    """Points of lots that sleep: part of the balance, and not to be spent yet."""
    return sum([lot.left for lot in account.lots if lot.sleeps(now_ms)])


def spendable_points(account: Account, now_ms: int | None, *, reserved: int = 0) -> int:
    """The most that `spend` takes: active points less the `reserved` ones, and nothing beyond the balance."""
    free = account.left_points - inactive_points(account, now_ms) - reserved
    return max(0, min(free, account.balance_points))


def earn(
    account: Account,
    lot_id: str,
    points: int,
    *,
    expires_at_ms: int | None = None,
    active_at_ms: int | None = None,
) -> Change:
    """A new lot; a debt is paid from it first. 0 points change nothing."""
    if not account.debt and not account.lots and points > 0:
        # The usual sale: the lot is all that there is to it, and adds up by itself.
        first = Lot(lot_id=lot_id, earned=points, left=points, expires_at_ms=expires_at_ms, active_at_ms=active_at_ms)
        return Change(account=Account(lots=(first,)), movements=(Movement(kind="earn", points=points, lot_id=lot_id),))
    work = _Work(account)
    if work.holds(lot_id):
        raise LedgerError(f"expected a new lot, not {lot_id!r} again", code="lot_repeated")
    _check_points(points)
    if points:
        lot = Lot(lot_id=lot_id, earned=points, left=points, expires_at_ms=expires_at_ms, active_at_ms=active_at_ms)
        work.add(lot)
        work.note("earn", points, lot_id)
        work.pay_debt([lot_id], points)
    return work.change()


def spend(account: Account, points: int, *, reserved: int = 0, now_ms: int | None = None) -> Change:
    """Use points of active lots, soonest-expiring first. `reserved` are points that holds keep for other sales.

    Whether a lot is past its time is not looked at: what is left counts until `expire` has taken it. LedgerError
    `points_insufficient`.
    """
    work = _Work(account, reserved=reserved, now_ms=now_ms)
    _check_points(points)
    if points > work.free:
        raise LedgerError(f"expected at most {work.free} points to spend, not {points}", code="points_insufficient")
    for index in work.by_expiry():
        if not points:
            break
        if not work.sleeps(index):
            points -= work.take("use", index, points)
    return work.change()


def overdraw(account: Account, lot_id: str, points: int) -> Change:
    """Spend points that are not there: a new lot on credit, all of it used; the debt grows. 0 points change nothing."""
    work = _Work(account)
    if work.holds(lot_id):
        raise LedgerError(f"expected a new lot, not {lot_id!r} again", code="lot_repeated")
    _check_points(points)
    if points:
        work.add(Lot(lot_id=lot_id, earned=points, left=points))
        work.lend(points, lot_id)
        work.move("use", work.index_of(lot_id), points)
    return work.change()


def expire(account: Account, *, now_ms: int, reserved: int = 0) -> Change:
    """Let points expire whose time has come (`expires_at_ms` <= `now_ms`), soonest first.

    As many as `reserved` stay in the active lots: a sale that was promised them may still be on its way.
    """
    work = _Work(account, reserved=reserved, now_ms=now_ms)
    for index in work.by_expiry():
        due = work.lots[index].expires_at_ms
        if due is None or due > now_ms:
            break
        work.take("expire", index, work.lots[index].left)
    return work.change()


def give_back(
    account: Account,
    uses: Sequence[Use],
    points: int,
    *,
    expires_not_before_ms: int | None = None,
    now_ms: int | None = None,
) -> Change:
    """Return spent points into the lots they came from, last spent first; a debt is paid from them first.

    `uses` are what the sale used and has not got back yet. `expires_not_before_ms` is the grace of an expired lot: it
    ends then. With `now_ms` only a lot whose time is past gets it, else buying and returning would lengthen the life of
    all that is left in a lot; without, every lot that would end sooner. LedgerError: `points_insufficient` when the
    sale used fewer, `lot_unknown`.
    """
    work = _Work(account)
    _check_points(points)
    used = sum(use.points for use in uses)
    if points > used:
        raise LedgerError(f"expected at most {used} points to give back, not {points}", code="points_insufficient")
    for use in reversed(uses):
        if not points:
            break
        index = work.index_of(use.lot_id)
        wanted = min(use.points, points)
        given = work.move("give_back", index, wanted)
        invariant(given == wanted, f"lot {use.lot_id} has fewer points used than the sale used of it")
        points -= given
        due = work.lots[index].expires_at_ms
        if expires_not_before_ms is not None and due is not None and (now_ms is None or due <= now_ms):
            work.prolong(index, max(due, expires_not_before_ms))
        work.pay_debt([use.lot_id], given)
    return work.change()


def take_back(
    account: Account,
    own: Iterable[str],
    points: int,
    *,
    policy: ReturnPolicy,
    reserved: int = 0,
    now_ms: int | None = None,
) -> Change:
    """Take back points that a returned sale had earned into its `own` lots, one or several.

    First what is left in its own lots, in the order given, then what expired there (nobody had it, so nobody owes it),
    then the other lots, soonest-expiring first, never the `reserved` ones of holds, which are of active lots. The rest,
    already spent, goes by `policy`: `debt` is owed, `within_balance` is forgiven, `refuse` raises LedgerError
    `points_spent`.
    """
    work = _Work(account, reserved=reserved, now_ms=now_ms)
    _check_points(points)
    own_indexes = [work.index_of(lot_id) for lot_id in own]
    for index in own_indexes:
        points -= work.take("reverse", index, points)
    for index in own_indexes:
        points -= work.move("reverse_expired", index, points)
    for index in work.by_expiry():
        points -= work.take("reverse", index, points)
    if not points:
        return work.change()
    if policy == "refuse":
        raise LedgerError(
            f"expected earned points still there to take back, but {points} are spent", code="points_spent"
        )
    if policy == "debt":
        work.owe(points)
        return work.change()
    work.note("forgive", points)
    return work.change(forgiven=points)


def settle_debt(account: Account, *, reserved: int = 0, now_ms: int | None = None) -> Change:
    """Pay the debt from points that became free, such as those of a hold that was released."""
    work = _Work(account, reserved=reserved, now_ms=now_ms)
    for index in work.by_expiry():
        work.settle(index)
    return work.change()


def open_uses(movements: Iterable[Movement]) -> tuple[Use, ...]:
    """What a sale used and has not got back: from its own movements and those of its returns, in their order."""
    stack: list[Use] = []
    for movement in movements:
        if movement.kind == "use":
            stack.append(Use(lot_id=movement.lot_id, points=movement.points))
        elif movement.kind == "give_back":
            last = stack.pop() if stack else None
            invariant(
                last is not None and last.lot_id == movement.lot_id and last.points >= movement.points,
                "points were given back that this sale had not used",
            )
            if last is not None and last.points > movement.points:
                stack.append(Use(lot_id=last.lot_id, points=last.points - movement.points))
    return tuple(stack)


def _check_points(points: int) -> None:
    invariant(points >= 0, f"expected points of 0 or more to move, not {points}")


def _moved(lot: Lot, kind: MovementKind, points: int) -> Lot:
    """The lot after a movement within it."""
    left, used, expired, reversed_ = lot.left, lot.used, lot.expired, lot.reversed_
    if kind == "use":
        left, used = left - points, used + points
    elif kind == "give_back":
        left, used = left + points, used - points
    elif kind == "expire":
        left, expired = left - points, expired + points
    elif kind == "reverse":
        left, reversed_ = left - points, reversed_ + points
    else:
        expired, reversed_ = expired - points, reversed_ + points
    return Lot(
        lot_id=lot.lot_id,
        earned=lot.earned,
        left=left,
        used=used,
        expired=expired,
        reversed_=reversed_,
        expires_at_ms=lot.expires_at_ms,
        active_at_ms=lot.active_at_ms,
    )


class _Work:
    """An account being changed; every movement is noted. `free`: active points that no hold keeps."""

    __slots__ = ("_debt", "_index", "_movements", "_now_ms", "free", "lots")

    def __init__(self, account: Account, *, reserved: int = 0, now_ms: int | None = None) -> None:
        check_account(account)
        self.lots = list(account.lots)
        self._now_ms = now_ms
        self.free = max(account.left_points - inactive_points(account, now_ms) - reserved, 0)
        self._debt = account.debt
        self._index = {lot.lot_id: index for index, lot in enumerate(account.lots)}
        self._movements: list[Movement] = []

    def holds(self, lot_id: str) -> bool:
        return lot_id in self._index

    def index_of(self, lot_id: str) -> int:
        index = self._index.get(lot_id)
        if index is None:
            raise LedgerError(f"expected a lot of this account, not {lot_id!r}", code="lot_unknown")
        return index

    def by_expiry(self) -> list[int]:
        """Indexes of the lots, soonest-expiring first, never-expiring last, ties by the order of earning."""
        lots = self.lots

        def key(index: int) -> tuple[bool, int, int]:
            due = lots[index].expires_at_ms
            return (due is None, due or 0, index)

        return sorted(range(len(lots)), key=key)

    def add(self, lot: Lot) -> None:
        self._index[lot.lot_id] = len(self.lots)
        self.lots.append(lot)

    def note(self, kind: MovementKind, points: int, lot_id: str = "", *, pays_debt: bool = False) -> None:
        if points:
            self._movements.append(Movement(kind=kind, points=points, lot_id=lot_id, pays_debt=pays_debt))

    def move(self, kind: MovementKind, index: int, most: int, *, pays_debt: bool = False) -> int:
        """Move up to `most` points within a lot, as many as there are; answers how many."""
        lot = self.lots[index]
        source = lot.used if kind == "give_back" else lot.expired if kind == "reverse_expired" else lot.left
        points = min(source, most)
        if points > 0:
            self.lots[index] = _moved(lot, kind, points)
            self.note(kind, points, lot.lot_id, pays_debt=pays_debt)
        return max(points, 0)

    def sleeps(self, index: int) -> bool:
        return self.lots[index].sleeps(self._now_ms)

    def take(self, kind: MovementKind, index: int, most: int, *, pays_debt: bool = False) -> int:
        """As `move`, out of what is left, and leaves alone what holds keep."""
        sleeps = self.sleeps(index)
        points = self.move(kind, index, most if sleeps else min(most, self.free), pays_debt=pays_debt)
        if not sleeps:
            self.free -= points
        return points

    def settle(self, index: int) -> None:
        """Pay as much of the debt as the lot allows, without what holds keep."""
        self._debt -= self.take("reverse", index, self._debt, pays_debt=True)

    def prolong(self, index: int, expires_at_ms: int) -> None:
        self.lots[index] = replace(self.lots[index], expires_at_ms=expires_at_ms)

    def owe(self, points: int) -> None:
        self._debt += points
        self.note("owe", points)

    def lend(self, points: int, lot_id: str) -> None:
        self._debt += points
        self.note("overdraw", points, lot_id)

    def pay_debt(self, lot_ids: Iterable[str], most: int) -> None:
        """Pay as much of the debt as these lots and `most` allow."""
        for lot_id in lot_ids:
            paid = self.move("reverse", self._index[lot_id], min(self._debt, most), pays_debt=True)
            self._debt -= paid
            most -= paid

    def change(self, *, forgiven: int = 0) -> Change:
        account = Account(lots=tuple(self.lots), debt=self._debt)
        check_account(account)
        return Change(account=account, movements=tuple(self._movements), forgiven=forgiven)

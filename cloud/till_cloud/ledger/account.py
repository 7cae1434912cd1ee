"""One member's account while a batch is being applied: figures in memory, lots loaded when a movement needs them."""

from collections.abc import Iterable, Sequence

from msgspec import Struct, field

from till_loyalty import lots as arithmetic
from till_loyalty.exceptions import InvariantError, invariant
from till_loyalty.lots import Change, Lot, Movement, ReturnPolicy, Use


class IssuedLot(Struct, frozen=True):
    """Points to be given as a lot. `number` is a ledger position of its own; None: active at once, never expiring."""

    number: int
    points: int
    active_at_ms: int | None = None
    expires_at_ms: int | None = None


class Term(Struct, frozen=True):
    """What the ledger keeps of a lot beside its points: the movement that issued it, and when it becomes active.

    None: it is active. The job wakes lots by the cloud's clock, and a lot once awake stays so, whatever the clock does.
    """

    position: int
    active_at_ms: int | None = None


class Figures(Struct):
    """Gross points, never only their net. `reversed`: earned points that returns took from the member's balance.

    Points given back to a debt and points expired before a return took them are told apart in the lots' own moves.
    """

    earned: int = 0
    redeemed: int = 0
    given_back: int = 0
    reversed: int = 0
    expired: int = 0

    @property
    def effect_points(self) -> int:
        """Change of what tills show: points in the lots less the debt."""
        return self.earned + self.given_back - self.redeemed - self.reversed - self.expired

    def add(self, other: "Figures") -> None:
        self.earned += other.earned
        self.redeemed += other.redeemed
        self.given_back += other.given_back
        self.reversed += other.reversed
        self.expired += other.expired


class Account(Struct, eq=False):
    """A member as the ledger sees them. `left` points lie in lots, `held` of them are promised to receipts under way.

    `granted` ones are lent to tills and vouchers, which may have spent them already without our hearing of it.
    `inactive` points are among those left and can't be spent or promised yet. `lots` holds what was loaded or made so
    far, by lot number, and `terms` what is kept beside; `whole` says that every lot with points left is among them.
    """

    member_id: str
    status: str
    tier: str
    left: int = 0
    held: int = 0
    debt: int = 0
    figures: Figures = field(default_factory=Figures)
    position: int = 0
    inactive: int = 0
    granted: int = 0
    lots: dict[int, Lot] = {}
    terms: dict[int, Term] = {}
    dirty: set[int] = set()
    whole: bool = False

    @property
    def balance(self) -> int:
        """What tills show; below 0 only while there is a debt."""
        return self.left - self.debt

    @property
    def available(self) -> int:
        """What may still be promised, or granted."""
        return max(self.left - self.inactive - self.held - self.granted - self.debt, 0)


class Draft:
    """Movements of one op on an account, worked out on the side: `Account` changes only when the book keeps it.

    Lots that a movement needs must be loaded before (`Book.load_lots`); earning needs none.
    """

    def __init__(self, account: Account, *, held: int | None = None, granted: int | None = None) -> None:
        self.account = account
        self.held = account.held if held is None else held
        self.granted = account.granted if granted is None else granted
        self.debt = account.debt
        self.figures = Figures()
        self.moves: list[Movement] = []
        self.forgiven = 0
        self._made: dict[int, Lot] = {}
        self._asleep: dict[int, int | None] = {}

    @property
    def reserved(self) -> int:
        """Points that only those may spend who were promised or granted them."""
        return self.held + self.granted

    def earn_lots(self, lots: Sequence[IssuedLot]) -> None:
        """New lots; a debt is paid from them first, in their order."""
        for lot in lots:
            self._asleep[lot.number] = lot.active_at_ms
            empty = arithmetic.Account(debt=self.debt)
            self._keep(arithmetic.earn(empty, str(lot.number), lot.points, expires_at_ms=lot.expires_at_ms))

    def spend(self, points: int) -> None:
        """Use active points, never those that holds and grants keep for others; LedgerError `points_insufficient`."""
        self._keep(arithmetic.spend(self._state(asleep=False), points, reserved=self.reserved))

    def overdraw(self, points: int, number: int) -> None:
        """Spend points that may not be there: what is free is used, the rest is owed, as a lot of that number."""
        state = self._state(asleep=False)
        there = min(points, arithmetic.spendable_points(state, None, reserved=self.reserved))
        self.spend(there)
        if points > there:
            self._asleep[number] = None
            self._keep(arithmetic.overdraw(arithmetic.Account(debt=self.debt), str(number), points - there))

    def give_back(self, uses: tuple[Use, ...], points: int, *, now_ms: int, grace_until_ms: int | None = None) -> None:
        """Return spent points to the lots they came from, last spent first; to an expired one until the grace ends.

        A lot that has not expired keeps its end: otherwise buying and returning would be a way to prolong points.
        """
        used = sum([use.points for use in uses])
        invariant(points <= used, f"a sale that used {used} points gives {points} back")
        for use in reversed(uses):
            state, given = self._state(), min(use.points, points)
            ends = next((lot.expires_at_ms for lot in state.lots if lot.lot_id == use.lot_id), None)
            grace = grace_until_ms if ends is not None and ends <= now_ms else None
            if given:
                self._keep(arithmetic.give_back(state, (use,), given, expires_not_before_ms=grace))
            points -= given

    def take_back(self, own: Iterable[int], points: int, policy: ReturnPolicy, *, only_free: bool = False) -> None:
        """Take back what a returned sale earned; LedgerError `points_spent` where the policy refuses.

        Holds and grants are of active points only. So lots that are asleep are taken whole where active ones must leave
        what is reserved: the sale's own first, then its active and its expired ones, then any others of the member.
        What is reserved is there, not spent: it is owed by any policy until it comes back, but for `only_free`. Else
        whoever buys, and returns while tills have been lent the points, would keep them.
        """
        mine = frozenset(str(number) for number in own)
        points -= self._take(mine, points, asleep=True)
        points -= self._take(mine, points, asleep=False)
        points -= self._take(frozenset(), points, asleep=True)
        owed = 0 if only_free else min(points, max(self.reserved - self.debt, 0))
        if owed:
            self._keep(arithmetic.take_back(arithmetic.Account(debt=self.debt), (), owed, policy="debt"))
            points -= owed
        if points:
            self._keep(arithmetic.take_back(arithmetic.Account(debt=self.debt), (), points, policy=policy))

    def settle_debt(self) -> None:
        """Pay a debt from points that no hold or grant keeps any more."""
        if self.debt:
            self._keep(arithmetic.settle_debt(self._state(asleep=True)))
        if self.debt:
            self._keep(arithmetic.settle_debt(self._state(asleep=False), reserved=self.reserved))

    def expire(self, now_ms: int) -> None:
        """Let points expire whose time has come, but for those that holds and grants keep: they may be spent already.

        These are spent from what ends soonest, so they keep points that are due before any others.
        """
        self._keep(arithmetic.expire(self._due(now_ms, asleep=True), now_ms=now_ms))
        self._keep(arithmetic.expire(self._due(now_ms, asleep=False), now_ms=now_ms, reserved=self.reserved))

    def commit(self, position: int) -> None:
        """Make the account what the draft worked out. InvariantError if that would break the ledger."""
        account = self.account
        left = account.left + self._left_change()
        effect = account.figures.effect_points + self.figures.effect_points
        if not (left >= self.reserved and self.held >= 0 and self.granted >= 0):
            detail = f"{left} left, {self.held} held and {self.granted} granted"
            raise InvariantError(f"{account.member_id} would have {detail}")
        if left - self.debt != effect:
            raise InvariantError(f"{account.member_id} would have {left} less {self.debt}, not {effect}")
        if self._made:
            account.inactive += self._slept()
        for number, active_at_ms in self._asleep.items():
            account.terms[number] = Term(position, active_at_ms)
        account.lots.update(self._made)
        account.dirty.update(self._made)
        account.held = self.held
        account.granted = self.granted
        account.debt = self.debt
        account.left = left
        account.figures.add(self.figures)
        account.position = position

    def _take(self, own: frozenset[str], points: int, *, asleep: bool) -> int:
        """Take what is there, of lots asleep only the own ones where there are some; answers how much."""
        state = self._state(asleep=asleep)
        reserved = 0 if asleep else self.reserved
        lots = tuple([lot for lot in state.lots if lot.lot_id in own]) if asleep and own else state.lots
        mine = [lot for lot in lots if lot.lot_id in own]
        state = arithmetic.Account(lots=lots, debt=self.debt)
        points = min(points, max(state.left_points - reserved, 0) + sum([lot.expired for lot in mine]))
        ids = [lot.lot_id for lot in mine]
        self._keep(arithmetic.take_back(state, ids, points, policy="refuse", reserved=reserved))
        return points

    def _state(self, *, asleep: bool | None = None) -> arithmetic.Account:
        """The account as the draft has it so far: all lots, or only those that are (not) asleep."""
        invariant(self.account.whole, "expected the lots to be loaded before points are taken from them")
        known = {**self.account.lots, **self._made}
        numbers = sorted(known) if asleep is None else [n for n in sorted(known) if self._sleeps(n) is asleep]
        return arithmetic.Account(lots=tuple([known[number] for number in numbers]), debt=self.debt)

    def _due(self, now_ms: int, *, asleep: bool) -> arithmetic.Account:
        state = self._state(asleep=asleep)
        due = tuple([lot for lot in state.lots if lot.expires_at_ms is not None and lot.expires_at_ms <= now_ms])
        return arithmetic.Account(lots=due, debt=self.debt)

    def _sleeps(self, number: int) -> bool:
        term = self.account.terms.get(number)
        return (self._asleep.get(number) if term is None else term.active_at_ms) is not None

    def _slept(self) -> int:
        """How many points more are inactive after the draft."""
        before = self.account.lots
        return sum(
            [
                lot.left - (before[number].left if number in before else 0)
                for number, lot in self._made.items()
                if self._sleeps(number)
            ]
        )

    def _keep(self, change: Change) -> None:
        known = self.account.lots
        for lot in change.account.lots:
            number = int(lot.lot_id)
            if known.get(number) != lot:
                self._made[number] = lot
        self.debt = change.account.debt
        self.forgiven += change.forgiven
        self.moves += change.movements
        for move in change.movements:
            self._count(move)

    def _count(self, move: Movement) -> None:
        figures = self.figures
        if move.kind == "earn":
            figures.earned += move.points
        elif move.kind == "use":
            figures.redeemed += move.points
        elif move.kind == "give_back":
            figures.given_back += move.points
        elif move.kind == "expire":
            figures.expired += move.points
        elif move.kind == "owe" or (move.kind == "reverse" and not move.pays_debt):
            figures.reversed += move.points

    def _left_change(self) -> int:
        return sum([_LEFT_SIGN.get(move.kind, 0) * move.points for move in self.moves])


_LEFT_SIGN = {"earn": 1, "overdraw": 1, "give_back": 1, "use": -1, "expire": -1, "reverse": -1}

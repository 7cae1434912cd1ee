"""One member's account while a batch is being applied: figures in memory, lots loaded when a movement needs them."""

from collections.abc import Iterable

from msgspec import Struct, field

from till_loyalty import lots as arithmetic
from till_loyalty.exceptions import invariant
from till_loyalty.lots import Change, Lot, Movement, ReturnPolicy, Use


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

    `lots` holds what was loaded or made so far, by lot number (the ledger position that issued it); `whole` says that
    every lot with points left is among them.
    """

    member_id: str
    status: str
    tier: str
    left: int = 0
    held: int = 0
    debt: int = 0
    figures: Figures = field(default_factory=Figures)
    position: int = 0
    lots: dict[int, Lot] = {}
    dirty: set[int] = set()
    whole: bool = False

    @property
    def balance(self) -> int:
        """What tills show; below 0 only while there is a debt."""
        return self.left - self.debt

    @property
    def available(self) -> int:
        """What may still be promised."""
        return max(self.left - self.held - self.debt, 0)


class Draft:
    """Movements of one op on an account, worked out on the side: `Account` changes only when the book keeps it.

    Lots that a movement needs must be loaded before (`Book.load_lots`); earning needs none.
    """

    def __init__(self, account: Account, *, held: int | None = None) -> None:
        self.account = account
        self.held = account.held if held is None else held
        self.debt = account.debt
        self.figures = Figures()
        self.moves: list[Movement] = []
        self.forgiven = 0
        self._made: dict[int, Lot] = {}

    def earn(self, number: int, points: int) -> None:
        """A new lot that never expires; a debt is paid from it first."""
        self._keep(arithmetic.earn(arithmetic.Account(debt=self.debt), str(number), points))

    def spend(self, points: int) -> None:
        """Use points, never those that holds keep for other receipts; LedgerError `points_insufficient`."""
        self._keep(arithmetic.spend(self._state(), points, reserved=self.held))

    def give_back(self, uses: tuple[Use, ...], points: int) -> None:
        """Return spent points to the lots they came from."""
        self._keep(arithmetic.give_back(self._state(), uses, points))

    def take_back(self, own: Iterable[int], points: int, policy: ReturnPolicy) -> None:
        """Take back what a returned sale earned; LedgerError `points_spent` where the policy refuses."""
        own_ids = [str(number) for number in own]
        self._keep(arithmetic.take_back(self._state(), own_ids, points, policy=policy, reserved=self.held))

    def settle_debt(self) -> None:
        """Pay a debt from points that no hold keeps any more."""
        if self.debt:
            self._keep(arithmetic.settle_debt(self._state(), reserved=self.held))

    def commit(self, position: int) -> None:
        """Make the account what the draft worked out. InvariantError if that would break the ledger."""
        account = self.account
        left = account.left + self._left_change()
        effect = account.figures.effect_points + self.figures.effect_points
        invariant(left >= self.held >= 0, f"{account.member_id} would have {left} left and {self.held} held")
        invariant(left - self.debt == effect, f"{account.member_id} would have {left} less {self.debt}, not {effect}")
        account.lots.update(self._made)
        account.dirty.update(self._made)
        account.held = self.held
        account.debt = self.debt
        account.left = left
        account.figures.add(self.figures)
        account.position = position

    def _state(self) -> arithmetic.Account:
        invariant(self.account.whole, "expected the lots to be loaded before points are taken from them")
        known = {**self.account.lots, **self._made}
        return arithmetic.Account(lots=tuple([known[number] for number in sorted(known)]), debt=self.debt)

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


_LEFT_SIGN = {"earn": 1, "give_back": 1, "use": -1, "expire": -1, "reverse": -1}

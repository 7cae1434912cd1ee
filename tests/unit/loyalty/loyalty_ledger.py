"""A random history of one member, checked after each step against plain counters and against its own movements."""

from collections import Counter
from typing import cast

from hypothesis import strategies as st

from till_loyalty import lots
from till_loyalty.exceptions import LedgerError
from till_loyalty.lots import Account, Change, Lot, Movement, ReturnPolicy


class History:
    """Sales of one member, with what each used and earned."""

    def __init__(self, policy: ReturnPolicy) -> None:
        self.account = Account()
        self.policy = policy
        self.now_ms = 0
        self.count: Counter[str] = Counter()
        self.sales: dict[str, tuple[int, list[Movement]]] = {}

    def take(self, change: Change) -> Change:
        """Hold a change against the account before it, then go on with it."""
        assert _applied(self.account, change.movements) == (
            [_parts(lot) for lot in change.account.lots],
            change.account.debt,
        )
        for movement in change.movements:
            assert movement.points > 0
            self.count[movement.kind] += movement.points
        self.account = change.account
        count, now = self.count, self.account
        assert now.left_points == sum(lot.left for lot in now.lots) >= 0
        assert sum(lot.earned for lot in now.lots) == count["earn"]
        assert sum(lot.used for lot in now.lots) == count["use"] - count["give_back"]
        assert sum(lot.expired for lot in now.lots) == count["expire"] - count["reverse_expired"]
        reversed_ = sum(lot.reversed_ for lot in now.lots)
        assert reversed_ + now.debt + count["forgive"] == count["taken"]
        assert not (now.debt and now.left_points), "points lie in the lots while a debt is open"
        return change


def _parts(lot: Lot) -> tuple[str, int, int, int, int, int]:
    return (lot.lot_id, lot.earned, lot.left, lot.used, lot.expired, lot.reversed_)


def _applied(
    account: Account, movements: tuple[Movement, ...]
) -> tuple[list[tuple[str, int, int, int, int, int]], int]:
    """The account that the movements alone lead to: what a store that keeps movements would rebuild."""
    parts = {lot.lot_id: [lot.earned, lot.left, lot.used, lot.expired, lot.reversed_] for lot in account.lots}
    effects = {
        "earn": (1, 1, 0, 0, 0),
        "use": (0, -1, 1, 0, 0),
        "give_back": (0, 1, -1, 0, 0),
        "expire": (0, -1, 0, 1, 0),
        "reverse": (0, -1, 0, 0, 1),
        "reverse_expired": (0, 0, 0, -1, 1),
    }
    debt = account.debt
    for movement in movements:
        if movement.kind in effects:
            figures = parts.setdefault(movement.lot_id, [0] * 5)
            for index, sign in enumerate(effects[movement.kind]):
                figures[index] += sign * movement.points
        debt += movement.points * ((movement.kind == "owe") - movement.pays_debt)
    return [cast("tuple[str, int, int, int, int, int]", (lot_id, *figures)) for lot_id, figures in parts.items()], debt


def replay(data: st.DataObject, steps: int) -> None:
    """Draw and check a history; AssertionError or InvariantError when a step breaks the ledger."""
    history = History(data.draw(st.sampled_from(("debt", "within_balance", "refuse"))))
    for step in range(steps):
        kind = data.draw(st.sampled_from(("sale", "sale", "return", "expire", "welcome")))
        if kind == "sale":
            _sell(history, data, f"sale-{step}")
        elif kind == "return" and history.sales:
            _give_back(history, data)
        elif kind == "expire":
            history.now_ms += data.draw(st.integers(0, 60))
            history.take(lots.expire(history.account, now_ms=history.now_ms))
            assert all(
                not lot.left or lot.expires_at_ms is None or lot.expires_at_ms > history.now_ms
                for lot in history.account.lots
            )
        else:
            history.take(lots.earn(history.account, f"welcome-{step}", data.draw(st.integers(0, 50))))


def _some(data: st.DataObject, most: int) -> int:
    """Nothing, everything or a part: everything often enough for debts to arise."""
    return data.draw(st.one_of(st.just(0), st.just(most), st.just(most), st.integers(0, most)))


def _sell(history: History, data: st.DataObject, name: str) -> None:
    spent = _some(data, history.account.left_points)
    used = history.take(lots.spend(history.account, spent))
    dues = [
        (lot.expires_at_ms is None, lot.expires_at_ms or 0)
        for movement in used.movements
        for lot in used.account.lots
        if lot.lot_id == movement.lot_id
    ]
    assert dues == sorted(dues)
    earned = data.draw(st.integers(0, 100))
    until = data.draw(st.one_of(st.none(), st.integers(1, 100).map(lambda more: history.now_ms + more)))
    history.take(lots.earn(history.account, name, earned, expires_at_ms=until))
    history.sales[name] = (earned, list(used.movements))


def _give_back(history: History, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(history.sales)))
    earned, movements = history.sales[name]
    uses = lots.open_uses(movements)
    back = _some(data, sum(use.points for use in uses))
    taken = _some(data, earned)
    left_before = {use.lot_id: use.points for use in uses}
    given = history.take(lots.give_back(history.account, uses, back))
    for movement in given.movements:
        if movement.kind == "give_back":
            assert movement.points <= left_before[movement.lot_id], "points came back into a lot they did not come from"
            movements.append(movement)
    assert sum(each.points for each in given.movements if each.kind == "give_back") == back
    own = [name] if any(lot.lot_id == name for lot in history.account.lots) else []
    history.count["taken"] += taken
    try:
        history.take(lots.take_back(history.account, own, taken, policy=history.policy))
    except LedgerError as error:
        if (error.code, history.policy) != ("points_spent", "refuse"):
            raise
        history.count["taken"] -= taken
        taken = 0
    history.sales[name] = (earned - taken, movements)

"""Invariants 5, 6 and 7 over any order of sales, holds, returns, days, jobs, clocks set back; with lots that end."""

import itertools
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from till_cloud.exceptions import RefusedError
from unit.cloud.cloud_ledger_kit import Shop

AMOUNTS = st.sampled_from((0, 99, 1_000, 10_000, 123_456))
SEEN = """
SELECT coalesce(sum(CASE WHEN l.active_at_ms IS NULL THEN l.left END), 0),
    coalesce(sum(CASE WHEN l.active_at_ms IS NULL AND l.expires_at_ms <= ?1 THEN l.left END), 0),
    coalesce(sum(CASE WHEN l.active_at_ms IS NOT NULL AND l.expires_at_ms <= ?1 THEN l.left END), 0), b.held, b.debt
FROM balances b LEFT JOIN lots l ON l.member_id = b.member_id WHERE b.member_id = 'm-1' GROUP BY b.member_id
"""


class Life(RuleBasedStateMachine):
    """One member, one till that pushes at once, jobs that come when they come."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="tillside-ledger-"))
        self.shop = Shop(self.folder / "c.db")
        self.shop.member("m-1", points=200)
        self.till = self.shop.till()
        self.serial = itertools.count(1)
        self.held: dict[str, int] = {}
        self.returnable: dict[str, int] = {}
        self.net = 200
        self.latest_ms = self.shop.wall.ms
        """The latest moment that a job has seen: what is due by then has expired, what begins by then is awake."""

    def teardown(self) -> None:
        self.shop.centre.close()
        shutil.rmtree(self.folder)

    def push(self) -> int:
        result = self.till.push_last()
        assert result.status == "applied" or result.code == "points_expired", result
        self.net += result.effect_points
        assert result.balance == self.net
        return result.effect_points

    @rule(amount=AMOUNTS, sweets=st.booleans())
    def sell(self, amount: int, sweets: bool) -> None:
        uid = f"s{next(self.serial)}"
        self.shop.sell(self.till, uid, "m-1", amount, sweets=sweets)
        assert self.push() == self.till.sold[uid][1].earned_points
        if amount:
            self.returnable[uid] = 1000

    @rule(points=st.sampled_from((1, 150, 700, 2_000)))
    def hold(self, points: int) -> None:
        """Granted exactly when so many active points are neither over, nor held, nor owed."""
        active, due, overslept, held, debt = self.shop.rows(SEEN, self.shop.wall.ms)[0]
        free = active - max(due - held, 0) - held - debt
        name = f"h{next(self.serial)}"
        if points > free:
            with pytest.raises(RefusedError) as refused:
                self.shop.hold(self.till, name, "m-1", points)
            assert refused.value.problem.extras["available"] == max(free, 0)
            return
        self.shop.hold(self.till, name, "m-1", points)
        # Where active points are over, all that is over goes; points that never woke are no reason by themselves.
        self.net -= max(due - held, 0) + (overslept if due else 0)
        self.held[name] = points

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def redeem(self, data: st.DataObject) -> None:
        """However late, what was promised is honoured."""
        name = data.draw(st.sampled_from(sorted(self.held)))
        points = data.draw(st.integers(1, self.held.pop(name)))
        uid = f"s{next(self.serial)}"
        self.shop.sell(self.till, uid, "m-1", 900_000, redeem=points, hold=name)
        sold = self.till.sold[uid][1]
        assert sold.redeemed_points == points
        assert self.push() == sold.earned_points - points
        self.returnable[uid] = 1000

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.held)))
        self.held.pop(name)
        self.till.release(name)
        self.push()

    @precondition(lambda self: self.returnable)
    @rule(data=st.data(), whole=st.booleans())
    def bring_back(self, data: st.DataObject, whole: bool) -> None:
        uid = data.draw(st.sampled_from(sorted(self.returnable)))
        left = self.returnable.pop(uid)
        quantity = left if whole else data.draw(st.integers(1, left))
        if left > quantity:
            self.returnable[uid] = left - quantity
        earlier = self.till.sold[uid][2]
        self.shop.bring_back(self.till, f"r{next(self.serial)}", uid, quantity=quantity)
        assert self.push() >= earlier[-1].effect_points

    @rule(days=st.sampled_from((0.4, 3, 9, 31)))
    def pass_days(self, days: float) -> None:
        self.shop.days(days)

    @rule(days=st.sampled_from((0.4, 12, 400)))
    def set_the_clock_back(self, days: float) -> None:
        self.shop.days(-days)

    @rule()
    def jobs(self) -> None:
        self.net -= self.shop.jobs().expired_points
        self.latest_ms = max(self.latest_ms, self.shop.wall.ms)
        again = self.shop.jobs()
        assert again.expired_points == again.awoken_members == 0
        now = self.shop.wall.ms
        over = self.shop.rows("SELECT coalesce(sum(left), 0) FROM lots WHERE expires_at_ms <= ?", now)[0][0]
        assert over <= sum(self.held.values()), "points are left whose time is over and that nobody holds"
        assert not self.shop.rows("SELECT lot FROM lots WHERE active_at_ms <= ?", now)

    @invariant()
    def everything_adds_up(self) -> None:
        self.shop.must_hold()
        left, held, debt = self.shop.balances("m-1")
        assert left - debt == self.net
        assert held == sum(self.held.values())
        row = self.shop.member_row()
        asleep = self.shop.rows("SELECT coalesce(sum(left), 0) FROM lots WHERE active_at_ms IS NOT NULL")[0][0]
        assert (row.balance, row.inactive) == (left - debt, asleep)
        assert not debt or left == held, "a debt stands while free points lie beside it"


class TestLife(Life.TestCase):
    settings = settings(
        max_examples=8, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )

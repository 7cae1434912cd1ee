"""For each rule of lots' lives, uses, budgets, events, bills and tiers: a cloud that breaks it is found out."""

from collections.abc import Callable
from pathlib import Path

import pytest

from till_cloud.jobs import birthdays, tiers
from till_cloud.jobs import lots as lot_jobs
from till_cloud.ledger import account, book, issuing
from till_cloud.ledger.account import Account, Draft, Term
from till_cloud.store import budgets, events, funded, usage
from till_cloud.store import tiers as spending
from till_loyalty import lots as arithmetic
from till_loyalty.programme import Event, Rule, Tier
from till_loyalty.rule_parts import Funding, Limit
from unit.cloud.cloud_ledger_kit import Shop, aged

CAKE = Event(id="cake", on="birthday", points=700, days_before=20, funded_by=Funding(supplier="Bakery"))
TIERS = (Tier(id="standard"), Tier(id="gold", from_spend_minor=100_000))


def live(path: Path) -> None:
    """Forty days of a member: sales, holds, a birthday, a tier's end, returns; all must be exactly so."""
    spare = Rule(id="spare", percent_basis_points=0, limits=(Limit(per="budget", amount=5_000),))
    rules = aged(events=(CAKE,), tier_period="month", tiers=TIERS, rules=(*aged().rules, spare))
    world = Shop(path, rules=rules)
    try:
        days(world)
    finally:
        world.centre.close()


def days(world: Shop) -> None:
    world.member("m-1", tier="gold")
    world.centre.write(lambda c: c.execute("UPDATE members SET birth_date = '1990-02-01'")).result()
    world.centre.write(lambda c: spending.spend(c, "m-1", "2027-01", 150_000)).result()
    till = world.till()
    world.sell(till, "a", "m-1", sweets=True)
    till.push()
    world.centre.write(lambda c: budgets.grant(c, "k1", "test", {"spare": 5_000})).result()
    assert world.member_row().inactive == 500
    with pytest.raises(Exception, match="at most 1000"):
        world.hold(till, "h0", "m-1", 1001)
    world.jobs()
    world.jobs()
    world.must_hold()
    assert world.member_row().balance == 2200, "a birthday gives once"
    world.hold(till, "h", "m-1", 400)
    world.days(4)
    world.jobs()
    world.must_hold()
    assert world.member_row().inactive == 0, "asleep for ever"
    world.days(-3)
    world.jobs()
    assert world.member_row().inactive == 0, "revived"
    world.days(45)
    world.jobs()
    world.must_hold()
    assert world.member_row().tier == "standard"
    assert world.balances("m-1") == (700 + 400, 400, 0), "expired wrongly"
    world.sell(till, "b", "m-1", 50_000, redeem=300, hold="h")
    assert till.push_last().status == "applied"
    world.bring_back(till, "r", "b", quantity=500)
    till.push_last()
    world.jobs()
    world.must_hold()
    assert [used for _, _, used, _, _ in world.lots()] == [0, 150, 0, 0]


def test_the_forty_days_hold(tmp_path: Path) -> None:
    live(tmp_path / "c.db")


def promise_what_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    """7: points asleep may be promised."""
    monkeypatch.setattr(Account, "available", property(lambda self: max(self.left - self.held - self.debt, 0)))


def never_asleep(monkeypatch: pytest.MonkeyPatch) -> None:
    """7: lots are active from the start."""
    original = issuing.IssuedLot
    monkeypatch.setattr(issuing, "IssuedLot", lambda number, points, _, ends: original(number, points, None, ends))


def sleep_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """7: the job wakes nobody."""
    monkeypatch.setattr(lot_jobs, "_AWAKE", "UPDATE lots SET lot = lot WHERE member_id = ? AND lot = ? AND 0")
    monkeypatch.setattr(lot_jobs, "BLOCK_LOTS", 10)


def expire_what_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """7: points expire while a receipt is promised them."""
    original = arithmetic.expire
    monkeypatch.setattr(arithmetic, "expire", lambda state, *, now_ms, reserved=0: original(state, now_ms=now_ms))


def expire_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """5: what is due stays."""
    monkeypatch.setattr(Draft, "expire", lambda *_: None)


def expire_silently(monkeypatch: pytest.MonkeyPatch) -> None:
    """6: points leave their lots and no movement says so."""
    monkeypatch.setattr(book, "_WRITE_MOVEMENT", book._WRITE_MOVEMENT.replace("INSERT", "INSERT OR REPLACE"))
    original = book.Book.post

    def post(self: book.Book, draft: Draft, *, kind: str, **named: object) -> None:
        if kind == "expiry":
            self.touch(draft, named["position"])
        else:
            original(self, draft, kind=kind, **named)

    monkeypatch.setattr(book.Book, "post", post)


def lots_of_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """5: lots name another movement than the one that issued them."""
    monkeypatch.setattr(account, "Term", lambda position, active: Term(position + 1, active))


def one_lot_too_few(monkeypatch: pytest.MonkeyPatch) -> None:
    """5: one of a sale's lots is lost."""
    original = issuing.lots_of
    monkeypatch.setattr(issuing, "lots_of", lambda *args: original(*args)[:1])


def birthday_every_day(monkeypatch: pytest.MonkeyPatch) -> None:
    """2: an event is given as often as the job runs."""
    monkeypatch.setattr(birthdays.jobs, "done_to", lambda *_: "")
    monkeypatch.setattr(events, "given", lambda *_: [])
    monkeypatch.setattr(events, "add", lambda *_: True)


def bill_double(monkeypatch: pytest.MonkeyPatch) -> None:
    """6: a supplier pays for twice of what was given."""
    original = funded.FundedRow

    def row(supplier: str, rule: str, points: int = 0, points_share: int = 0) -> funded.FundedRow:
        return original(supplier, rule, points=2 * points, points_share=2 * points_share)

    monkeypatch.setattr(funded, "FundedRow", row)


def move_without_a_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    """6: a member's tier is not where the moves end."""
    monkeypatch.setattr(tiers.facts, "set_tier", lambda *_: None)


def grant_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """7: tills are granted more than the budget."""
    monkeypatch.setattr(budgets, "_GRANT", budgets._GRANT.replace("?, 0)", "2 * ?, 0)"))


def keep_no_period(monkeypatch: pytest.MonkeyPatch) -> None:
    """6: the past period's end moves nobody."""
    monkeypatch.setattr(tiers, "move_of", lambda *_: None)


def give_back_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """5: spent points come back into a lot that they did not come from."""
    original = Draft.give_back

    def give_back(self: Draft, uses: tuple, points: int, **named: object) -> None:
        other = str(max(self.account.lots))
        original(self, tuple(arithmetic.Use(lot_id=other, points=use.points) for use in uses), points, **named)

    monkeypatch.setattr(Draft, "give_back", give_back)


MUTANTS = (
    promise_what_sleeps,
    never_asleep,
    sleep_for_ever,
    expire_what_is_held,
    expire_nothing,
    expire_silently,
    lots_of_nobody,
    one_lot_too_few,
    birthday_every_day,
    bill_double,
    move_without_a_trace,
    grant_twice,
    keep_no_period,
    give_back_elsewhere,
)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_a_cloud_that_breaks_a_rule_is_found_out(
    mutant: Callable[[pytest.MonkeyPatch], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mutant(monkeypatch)
    # An invariant of the ledger, a constraint of a table, verify, or a figure that is not what it must be.
    with pytest.raises((Exception, pytest.fail.Exception)):
        live(tmp_path / "c.db")


def test_uses_below_none_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """5: a coupon given back that was never used. The table itself refuses it."""
    monkeypatch.setattr(usage, "_GIVE_BACK", usage._GIVE_BACK.replace("max(uses - 1, 0)", "uses - 1"))
    world = Shop(tmp_path / "c.db")
    world.member("m-1")
    row = usage.Usage(rule="coupon", per="life", amount=0, uses=0)
    world.centre.write(lambda c: usage.add(c, "m-1", [row])).result()
    with pytest.raises(Exception, match="CHECK"):
        world.centre.write(lambda c: usage.give_back(c, "m-1", "coupon")).result()
    world.centre.close()

"""`simulate` carries members, limits, budgets and tiers through a file; `diff` shows what changes, and where most."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from till_loyalty.cli import programme as command
from till_loyalty.programme import Programme, Rule, Tier
from till_loyalty.programme_document import programme_json
from till_loyalty.receipt import StoreClock
from till_loyalty.rule_parts import Coupon, Discount, Funding, Life, Limit, Who
from till_loyalty.simulation import Comparison, Past, PastMember, figures, simulate
from unit.loyalty.loyalty_support import programme, receipt


def past(amount: int, member: str = "a", day: str = "2026-03-02", **fields: Any) -> Past:
    facts = fields.pop("facts", {})
    clock = StoreClock(local_time=f"{day}T12:00:00", business_date=day)
    return Past(receipt=receipt(amount), member=PastMember(id=member, **facts), clock=clock, **fields)


def earned(rules: Programme, *sales: Past) -> list[int]:
    found: list[int] = []
    run = simulate(rules, ())
    for sale in sales:
        found.append(run.sell(sale).earned_points)
    return found


def limited(*limits: Limit, **fields: Any) -> Programme:
    return programme(Rule(id="r", points=10, limits=limits, **fields))


@pytest.mark.parametrize(
    ("per", "days", "expected"),
    [
        ("day", ("2026-03-02", "2026-03-02", "2026-03-03"), [10, 0, 10]),
        ("week", ("2026-03-02", "2026-03-08", "2026-03-09"), [10, 0, 10]),
        ("month", ("2026-03-02", "2026-03-31", "2026-04-01"), [10, 0, 10]),
        ("life", ("2026-03-02", "2027-03-02", "2028-03-02"), [10, 0, 0]),
    ],
)
def test_limits_of_a_member_hold_over_the_file(per: str, days: tuple[str, ...], expected: list[int]) -> None:
    rules = limited(Limit(per=per, uses=1))  # type: ignore[arg-type]  # one of the periods
    assert earned(rules, *[past(1000, day=day) for day in days]) == expected


def test_a_limit_is_each_members_own_and_nobodys_without_an_id() -> None:
    rules = limited(Limit(per="life", amount=15))
    assert earned(rules, past(1), past(1), past(1), past(1, "b"), past(1, ""), past(1, "")) == [10, 5, 0, 10, 10, 10]


def test_a_budget_is_all_members_together() -> None:
    rules = limited(Limit(per="budget", amount=25))
    assert earned(rules, past(1), past(1, "b"), past(1, ""), past(1, "c")) == [10, 10, 5, 0]


def test_the_first_purchase_is_the_first_of_the_file_unless_the_file_says_otherwise() -> None:
    rules = limited(who=Who(first_purchases=1))
    assert earned(rules, past(1), past(1), past(1, "b", facts={"purchases": 3})) == [10, 0, 0]


def test_a_coupon_is_used_up_by_its_member_and_a_code_by_all() -> None:
    rules = programme(
        Rule(id="r", points=10, who=Who(coupon="own")),
        Rule(id="s", points=7, who=Who(coupon="all")),
        coupons=(
            Coupon(id="own", codes=("OWN",), uses_per_member=1),
            Coupon(id="all", codes=("ALL",), uses_per_code=2),
        ),
    )
    sales = [past(1, name, codes=("own", "all")) for name in ("a", "a", "b")]
    assert earned(rules, *sales) == [17, 7, 10]


def test_what_was_earned_is_spent_later_within_its_days() -> None:
    rules = programme(Rule(id="r", percent_basis_points=1000), life=Life(activates_after_days=1, expires_after_days=10))
    days = ("2026-03-02", "2026-03-02", "2026-03-03", "2026-03-20")
    run = simulate(rules, [past(10_000, day=day, redeem_points=-1) for day in days])
    told = figures(run)
    assert told["redeemed_points"] == 20, "on the third receipt, of both that were active by then"
    assert told["expired_points"] == run.totals.earned_points - 20 - 10


def test_a_tier_moves_by_spending_and_back_when_the_periods_are_over() -> None:
    rules = programme(
        Rule(id="r", percent_basis_points=100),
        tiers=(Tier(id="standard"), Tier(id="gold", from_spend_minor=10_000, multiplier_basis_points=20_000)),
        tier_period="month",
    )
    days = ("2026-01-05", "2026-01-06", "2026-02-27", "2026-05-01")
    assert earned(rules, *[past(10_000, day=day) for day in days]) == [1, 2, 2, 1]
    run = simulate(rules, [past(10_000, day=day) for day in days])
    assert figures(run)["moves_of_tiers"] == 3, "up, down when two months are over, and up by the last receipt"


def test_each_rule_tells_what_it_gave_what_that_is_worth_and_the_suppliers_part() -> None:
    maker = Funding(supplier="maker", share_basis_points=2500)
    rules = programme(
        Rule(id="points", percent_basis_points=1000, funded_by=maker),
        Rule(id="money", discount=Discount(percent_basis_points=1000), funded_by=maker),
        Rule(id="idle", points=1, tiers=("gold",)),
        points_exponent=2,
    )
    told = figures(simulate(rules, [past(10_000), past(20_000)]))
    assert told["receipts with points"] == told["receipts with money"] == 2
    assert told["receipts with idle"] == 0
    assert (told["points of points"], told["worth of the points of points"]) == (2700, 2700)
    assert told["money off by money"] == 3000
    assert (told["supplier's part of points"], told["supplier's part of money"]) == (675, 750)
    assert told["cost_minor"] == 5700


def test_a_sale_without_a_member_is_no_members() -> None:
    sale = msgspec.structs.replace(past(10_000), member=None)
    told = figures(simulate(programme(Rule(id="r", percent_basis_points=1000)), [sale]))
    assert (told["receipts"], told["members"], told["earned_points"]) == (1, 0, 0)


def test_a_comparison_shows_the_ten_receipts_that_change_most() -> None:
    old, new = (programme(Rule(id="r", percent_basis_points=each), points_exponent=2) for each in (100, 200))
    comparison = Comparison(old, new)
    amounts = [100 * (number * 7 % 40) for number in range(40)]
    for number, amount in enumerate(amounts, 1):
        comparison.sell(number, past(amount, f"m{number}"))
    most = comparison.most()
    assert len(most) == 10
    assert [each.money_minor for each in most] == sorted((each.money_minor for each in most), reverse=True)
    assert amounts[most[0].line - 1] == max(amounts)
    assert most[0].words() == f"line {most[0].line}: earned_points 39 -> 78, r 39 -> 78"
    assert comparison.changed == 39, "all but the one of nothing"
    assert [name for name, _, _ in comparison.differences()][:1] == ["earned_points"]


def test_diff_prints_figures_and_receipts(tmp_path: Path) -> None:
    paths = []
    for percent in (1000, 2000):
        path = tmp_path / f"{percent}.json"
        path.write_text(programme_json(programme(Rule(id="r", percent_basis_points=percent))), encoding="utf-8")
        paths.append(str(path))
    sales = tmp_path / "sales.jsonl"
    sales.write_bytes(b"\n".join([msgspec.json.encode(past(amount)) for amount in (10_000, 50_000)]))
    told = CliRunner().invoke(command, ["diff", *paths, str(sales)]).stdout
    assert "points of r: 60 -> 120 (+60)" in told
    assert "receipts that change: 2, most of all:\n  line 2: earned_points 50 -> 100, r 50 -> 100\n  line 1:" in told
    same = CliRunner().invoke(command, ["diff", paths[0], paths[0], str(sales)]).stdout
    assert same == "no figure changes\n"

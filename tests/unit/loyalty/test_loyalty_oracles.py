"""What the tests of ten public engines expect, of our engine with their switches."""

from collections.abc import Iterator
from datetime import date
from typing import Any, NamedTuple

from till_loyalty.coupons import accepted, coupons_by_code
from till_loyalty.engine import calculate
from till_loyalty.events import on_registered
from till_loyalty.limits import budget_used, usage_of
from till_loyalty.lots import Account, earn, expire, spend
from till_loyalty.programme import Event, Programme, Rule, Tier
from till_loyalty.receipt import MemberState, Receipt, StoreClock, Usage
from till_loyalty.results import Calculation
from till_loyalty.returns import reverse
from till_loyalty.rule_parts import Limit
from till_loyalty.tiers import carried_minor, tier_by_spend
from unit.loyalty import loyalty_oracles as oracles
from unit.loyalty.loyalty_support import line


class Back(NamedTuple):
    """A line and how much of it comes back."""

    number: int
    quantity_thousandths: int
    amount_minor: int | None = None


def figures(result: Calculation, expected: dict[str, Any]) -> Iterator[tuple[str, object, object]]:
    """Name, ours and theirs of each figure that the case states."""
    cents = oracles.cents
    off = [each.discount_minor for each in result.lines]
    ours: dict[str, object] = {
        "total": result.payable_minor,
        "discount_total": result.discount_minor,
        "line_discounts": off,
        "hamilton_line_discounts": off,
        "line_discounts_any_order": sorted(off),
        "points_earned": result.earned_points,
        "points_spent": result.redeemed_points,
        "line_discount_of_line_1": off[0],
    }
    for name, value in expected.items():
        if name not in ours:
            continue
        theirs: object = [cents(each) for each in value] if isinstance(value, list) else cents(value)
        if name == "line_discounts_any_order" and isinstance(theirs, list):
            theirs = sorted(theirs)
        if name.startswith("points_"):
            theirs = int(value)
        yield name, ours[name], theirs
    if "error" in expected:
        refused = any(
            each.code.startswith("coupon_") or each.code == "rule_below_minimum_sum" for each in result.reasons
        )
        yield "error", refused, True


def sales(case: oracles.Case) -> None:
    balance = int(case.get("customer", {}).get("opening_balance", "0"))
    done: list[Calculation] = []
    had: tuple[Usage, ...] = ()
    for step in case["steps"]:
        expected = step["expected"]
        if step["op"] == "sale":
            result = oracles.sell(case, oracles.with_free_units(case, step), balance, had)
            had += usage_of(oracles.programme_of(case), result, oracles.TODAY) if "usage_limit" in str(case) else ()
            done.append(result)
            balance += result.earned_points - result.redeemed_points
            for name, ours, theirs in figures(result, expected):
                assert ours == theirs, name
            if "free_units" in expected:
                free = case["programs"][0]["get_sku"]
                row = next(each for each in step["lines"] if each["sku"] == free)
                assert result.discount_minor == oracles.cents(row["unit_price"]) * int(expected["free_units"])
            if "line_discounts_by_sku" in expected:
                skus = [row["sku"] for row in step["lines"]]
                by_sku = {sku: each.discount_minor for sku, each in zip(skus, result.lines, strict=True)}
                assert {sku: by_sku[sku] for sku in expected["line_discounts_by_sku"]} == {
                    sku: oracles.cents(each) for sku, each in expected["line_discounts_by_sku"].items()
                }
        else:
            wishes = [Back(1, int(row["qty"]) * 1000) for row in step["lines"]] if "lines" in step else None
            back = reverse(done[step["of_step"]], lines=wishes)
            balance += back.effect_points
            if "refund_amount" in expected:
                assert back.money_back_minor == oracles.cents(expected["refund_amount"])
        if "balance_after" in expected:
            assert balance == int(expected["balance_after"])


def conditions(case: oracles.Case) -> None:
    for step in case["steps"]:
        for terms, time in oracles.moments(case["programs"][0], step):
            parts = oracles.condition_of(terms)
            rule = Rule(id="r", points=1, **parts)
            rules = Programme(format=1, id="c", version=1, currency="EUR", rules=(rule,), point_value_minor=1)
            member = MemberState(last_purchase="2025-05-10" if "months ago" in step.get("last_purchase", "") else "")
            sold = Receipt(lines=oracles.lines_of(step) if "lines" in step else (line(1, 100),))
            clock = StoreClock(local_time=time, business_date=time[:10])
            holds = bool(calculate(rules, member, sold, clock).earned_points)
            assert holds == step["expected"]["eligible"]


def budgets(case: oracles.Case) -> None:
    """A rule that gives each amount in turn, out of what is left of the campaign."""
    (terms,), (step,) = case["programs"], case["steps"]
    limit, used = int(terms["limit"]), int(step["used_before"])
    for amount in step["amounts"]:
        rule = Rule(id="campaign", points=int(amount), limits=(Limit(per="budget", amount=limit),))
        rules = Programme(format=1, id="c", version=1, currency="EUR", rules=(rule,))
        clock = StoreClock(local_time=f"{oracles.TODAY}T12:00:00", business_date=oracles.TODAY)
        sale = Receipt(lines=(line(1, 100),))
        result = calculate(rules, MemberState(), sale, clock, budgets={"campaign": limit - used})
        given = budget_used(result, rules.rules).get("campaign", 0)
        assert given == result.earned_points
        used += given
        if "rejected" in step["expected"]:
            assert "rule_limited_by_budget" in [each.code for each in result.reasons]
    assert used == int(step["expected"]["used_after"])


def tiers(case: oracles.Case) -> None:
    levels = sorted(((int(least), name.lower()) for name, least in case["programs"][0]["levels"]))
    rules = Programme(
        format=1,
        id="c",
        version=1,
        currency="EUR",
        tier_period="life",
        tiers=tuple(Tier(id=name, from_spend_minor=least * 100) for least, name in levels),
    )
    for step in case["steps"]:
        spent = oracles.cents(step["total_spent_before"]) + oracles.cents(step["receipt_total"])
        day = date.fromisoformat(oracles.TODAY)
        assert tier_by_spend(rules, carried_minor(rules, {"life": spent}, day)) == step["expected"]["tier"].lower()


def events(case: oracles.Case) -> None:
    (terms,), (step,) = case["programs"], case["steps"]
    event = Event(id="created", on="registered", points=int(terms["points"]))
    rules = Programme(format=1, id="c", version=1, currency="EUR", events=(event,))
    (award,) = on_registered(rules, date.fromisoformat(oracles.TODAY))
    assert (terms["event"], award.points) == ("account_created", int(step["expected"]["points_earned"]))


def coupons(case: oracles.Case) -> None:
    coupon = oracles.coupon_of(0, case["programs"][0])
    by_code = coupons_by_code((coupon,))
    for step in case["steps"]:
        code = step.get("entered", coupon.codes[0])
        used = MemberState(usage=(Usage(rule=coupon.id, per="life", uses=step.get("times", 0)),))
        today = step.get("at", oracles.TODAY)[:10]
        good = bool(accepted(by_code, (code,), used, today, offline=False)[0])
        fresh = bool(accepted(by_code, (code,), MemberState(), today, offline=False)[0])
        for name, theirs in step["expected"].items():
            assert (fresh if name == "active_for_u2" else good) == theirs, name


def ledger(case: oracles.Case) -> None:
    """The lots: oldest spent first, all gone at the end of their term."""
    account = earn(Account(), "1", 575, expires_at_ms=90).account
    account = spend(account, 500).account
    assert [lot.left for lot in account.lots] == [75]
    account = earn(account, "2", 805, expires_at_ms=91).account
    account = spend(account, 500).account
    assert [lot.left for lot in account.lots] == [int(each) for each in case["steps"][3]["expected"]["lot_remaining"]]
    assert expire(account, now_ms=91).account.balance_points == 0


def run(case: oracles.Case) -> None:
    kinds = {step["op"] for step in case["steps"]}
    if "ledger" in kinds:
        ledger(case)
    elif "tier" in kinds:
        tiers(case)
    elif "event" in kinds:
        events(case)
    elif "register_usage" in kinds:
        budgets(case)
    elif kinds <= {"check_coupon", "use_coupon_times"}:
        coupons(case)
    elif any("eligible" in step["expected"] for step in case["steps"]):
        conditions(case)
    else:
        sales(case)


def test_every_case_passes_or_is_not_ours() -> None:
    faults = []
    for case in oracles.cases():
        if oracles.why_not(case):
            continue
        try:
            run(case)
        except AssertionError as error:
            faults.append(f"{case['id']}: {str(error).splitlines()[0]}")
    assert faults == []


def test_the_page_lists_what_passes_and_why_the_rest_does_not() -> None:
    assert oracles.PAGE.read_text(encoding="utf-8") == oracles.page()


def test_every_reason_for_leaving_out_is_used() -> None:
    named = {name for case in oracles.cases() for name in (case["id"], *case["mechanics"])}
    assert set(oracles.NOT_OURS) | set(oracles.TRANSLATED) <= named

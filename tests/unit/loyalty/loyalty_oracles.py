"""Cases of public engines' own tests, put into our terms: their programmes as ours, their receipts as ours.

Amounts are decimal texts in the cases. Each engine's own switches are in SWITCHES; what is not of our field or decided
otherwise is in NOT_OURS, by case or by mechanic, with the reason.
"""

import json
import re
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from till_loyalty.engine import calculate
from till_loyalty.programme import Programme, Redemption, Rule
from till_loyalty.receipt import Line, MemberState, Receipt, StoreClock, Usage
from till_loyalty.results import Calculation
from till_loyalty.rule_parts import (
    Coupon,
    Discount,
    Limit,
    Match,
    Need,
    PerMoney,
    PerUnit,
    Selector,
    TimeSpan,
    UnitStep,
    When,
    Who,
)
from unit.loyalty.loyalty_receipts import EXPECTED
from unit.loyalty.loyalty_support import shared

Case = dict[str, Any]
PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "oracles.md"
TODAY = "2026-06-10"
SWITCHES: dict[str, dict[str, Any]] = {
    "saleor": {"discount_rounding": "half_up", "discount_round_at": "line"},
    "solidus": {"discount_rounding": "half_up"},
    "odoo": {"discount_rounding": "half_up"},
}
LOWERED = "our decision: a receipt has no line below zero, what it lowers is within its line: a percent is of that"
ALONE = "our decision: a receipt has no line below zero, so one with nothing else is refused (`receipt_empty`)"
REWARD = "out of scope: points pay in money, by share and step; there is no catalogue of rewards"
NOT_OURS: dict[str, str] = {
    "odoo_loy-005": LOWERED,
    "odoo_loy-007": ALONE,
    "redeem.fixed_cost_reward": REWARD,
    "redeem.free_product": REWARD,
    "redeem.insufficient": REWARD,
    "redeem.repeatable": REWARD,
    "customer.switch_on_receipt": REWARD,
    "return.full_earned_and_spent": REWARD,
    "redeem.giftcard": "out of scope: a gift card is a tender of the cash software, with no member",
    "return.to_wallet": "out of scope: the cash software gives money back; points come back as they went",
    "earn.composite": "out of scope: points for letters of the shop's name, of the goods' names and for "
    "odd days are none of the ways of giving, and no chain's",
    "allocation.rounding_variant": "our decision: largest remainder (1.61 and 0.53, the case's own Hamilton figures)",
    "odoo_num-012": "our decision: rules act by priority and id, not in the order in which codes are entered",
    "medusa-004": "the case itself calls its source unusual: its second percent takes 2.00 off where 10 % of a unit "
    "of what is left is 4.00",
    "shopware-005": "our decision: a span begins at its first minute, also when it passes midnight (the case itself "
    "calls its source a quirk)",
}
TRANSLATED = {
    "discount.negative_line": "a discount by hand is within the amount of the line that it lowers",
    "exclude.already_discounted": "the cash software labels such lines `discounted`, and the rule leaves them out",
    "discount.skip_free_lines": "the cash software's own discount is within the line's amount",
    "promo.buy_x_get_extra": "the cash software rings the free unit up too, and the rule makes it free",
    "promo.min_qty_and_amount": "the cash software rings the free unit up too, and the rule makes it free",
    "tier.quantity_steps": "a rule for each step, in a group of which the best gives",
    "odoo_loy-010": "three rules of 10 %",
    "limit.campaign_budget": "what is left of the campaign's budget is passed in with each sale, as cloud and tills do",
    "tier.customer_level": "the spending passed in is that of the whole life, this receipt included",
    "earn.event": "an account that is created is a member who is registered; the cloud gives such points",
    "solidus-031": "more than 50 is from 50.01",
    "shopware-001": "their last minute is included; ours is not, so the span ends a minute later",
    "time.timezone": "the till turns UTC into the store's local time; the rules see that",
}


def cases() -> list[Case]:
    return list(json.loads(shared("oracle_cases.json").read_text(encoding="utf-8"))["cases"])


def why_not(case: Case) -> str:
    """Why the case is not run, or nothing."""
    for name in (case["id"], *case["mechanics"]):
        if name in NOT_OURS:
            return NOT_OURS[name]
    return ""


def cents(text: str) -> int:
    return int((Decimal(str(text)) * 100).to_integral_value())


def lines_of(step: dict[str, Any]) -> tuple[Line, ...]:
    sold = []
    for number, row in enumerate(step["lines"], 1):
        count = int(Decimal(row["qty"]))
        labels = [*row.get("labels", ()), *["delivery"] * bool(row.get("is_delivery"))]
        labels += ["fixed"] * (row.get("discountable") is False)
        labels += ["discounted"] * ("catalog_discount" in row)
        amount = cents(row["unit_price"]) * count * (100 - int(row.get("line_discount_percent", "0"))) // 100
        if amount < 0 and sold:  # a discount by hand on the line before it
            sold[-1] = replace(sold[-1], amount_minor=sold[-1].amount_minor + amount)
            continue
        sold.append(
            Line(
                number=number,
                sku=row["sku"],
                amount_minor=amount,
                quantity_thousandths=count * 1000,
                category=(row["category"],) if row.get("category") else (),
                labels=tuple(labels),
                minimum_price_minor=cents(row.get("min_price", "0")) * count,
            )
        )
    return tuple(sold)


def match_of(terms: dict[str, Any]) -> Match:
    left_out = [*terms.get("exclude_labels", ()), *["delivery"] * bool(terms.get("exclude_delivery")), "fixed"]
    left_out += ["discounted"] * bool(terms.get("skip_already_discounted"))
    return Match(
        skus=tuple(terms.get("skus", ())) or tuple([terms["get_sku"]] if "get_sku" in terms else ()),
        categories=tuple((each,) for each in terms.get("categories", terms.get("get_categories", ()))),
        none=(Selector(labels=tuple(left_out)),),
        unit_price_from_minor=cents(terms.get("min_unit_price", "0")),
        unit_price_to_minor=cents(terms.get("max_unit_price", "0")),
    )


def needs_of(terms: dict[str, Any]) -> tuple[Need, ...]:
    needs = []
    if terms.get("min_receipt_total") and not terms.get("code"):
        needs.append(Need(minimum_sum_minor=cents(terms["min_receipt_total"])))
    if terms.get("min_qty"):
        needs.append(Need(minimum_quantity_thousandths=int(terms["min_qty"]) * 1000))
    if terms.get("requires_skus"):
        needs.append(Need(match=Match(skus=tuple(terms["requires_skus"]))))
    if terms.get("requires_categories"):
        needs.append(Need(match=Match(categories=tuple((each,) for each in terms["requires_categories"]))))
    for category, least in terms.get("min_category_total", {}).items():
        needs.append(Need(match=Match(categories=((category,),)), minimum_sum_minor=cents(least)))
    return tuple(needs)


def discount_of(terms: dict[str, Any]) -> Discount | None:
    scope = terms.get("scope", "order")
    most = {"maximum_minor": cents(terms["cap"])} if "cap" in terms else {}
    if scope == "cheapest_unit" or terms["kind"] == "cheapest_free":
        most["maximum_units"] = 1
    if "max_units" in terms:
        most["maximum_units"] = int(terms["max_units"])
    if "max_units_per_line" in terms:
        most["maximum_units_per_line"] = int(terms["max_units_per_line"])
    if "group_size" in terms:
        most["whole_groups_of"] = int(terms["group_size"])
    if terms["kind"] == "discount_first_and_additional":
        first, more = UnitStep(amount_minor=cents(terms["first_item"])), cents(terms["additional_item"])
        steps = (first, UnitStep(from_unit=2, amount_minor=more))
        return Discount(unit_steps=steps, per="line", maximum_units=int(terms["max_items"]))
    groups = {"maximum_groups": int(terms["max_applications"])} if "max_applications" in terms else {}
    if terms["kind"] == "buy_n_cheapest_free":
        return Discount(buy_units=int(terms["n"]) - 1, get_units=1, **groups)
    if terms["kind"] == "bundle_fixed_price":
        return Discount(bundle_units=int(terms["n"]), bundle_price_minor=cents(terms["price"]))
    if terms["kind"] == "buy_x_get_y":
        same = terms.get("buy_sku", "?") == terms.get("get_sku")
        bought = Match(
            skus=(terms["buy_sku"],) if "buy_sku" in terms else (),
            categories=tuple((each,) for each in terms.get("buy_categories", ())),
        )
        buy, get = int(terms["buy_qty"]), int(terms["get_qty"])
        return Discount(buy=None if same else bought, buy_units=buy, get_units=get, **groups)
    if terms["kind"] == "cheapest_free":
        return Discount(percent_basis_points=10_000, **most)
    if "percent" in terms:
        return Discount(percent_basis_points=cents(terms["percent"]), **most)
    if "amount" in terms:
        per = {"each_unit": "unit", "each_line_unit": "unit", "line": "line"}.get(scope, "receipt")
        return Discount(amount_minor=cents(terms["amount"]), per=per, **most)  # type: ignore[arg-type]  # one of the three that the field knows
    return None


def common_of(index: int, terms: dict[str, Any]) -> dict[str, Any]:
    """What our rules of one programme share, however they give."""
    common: dict[str, Any] = {"match": match_of(terms), "needs": needs_of(terms), "priority": index}
    if "priority" in terms:
        common["priority"] = 100 - int(terms["priority"])
    if terms.get("exclusive"):
        common["stack"] = "exclusive"
    if "nth_purchase" in terms:
        common["who"] = Who(purchase_number=int(terms["nth_purchase"]))
    if "code" in terms:
        common["who"] = Who(coupon=f"coupon-{index}")
        if "min_receipt_total" in terms:
            common["minimum_sum_minor"] = cents(terms["min_receipt_total"])
    if "usage_limit" in terms and "code" not in terms:
        common["limits"] = (Limit(per="life", uses=int(terms["usage_limit"])),)
    if terms.get("exclusive_group"):
        common |= {"stack": "best_of_group", "group": terms["exclusive_group"]}
    return common


def rules_of(index: int, terms: dict[str, Any]) -> list[Rule]:
    """Our rules for one programme of a case; later ones of a case act later, unless it has priorities."""
    name, kind, common = f"p{index}", terms["kind"], common_of(index, terms)
    if kind == "earn_per_money":
        return [Rule(id=name, per_money=PerMoney(points=int(terms["points"]), per_minor=cents(terms["per"])), **common)]
    if kind == "earn_per_item":
        return [Rule(id=name, per_unit=PerUnit(points=int(terms["points"])), **common)]
    if kind in ("earn_fixed_for_sku", "earn_per_receipt"):
        return [Rule(id=name, points=int(terms["points"]), **common)]
    if kind == "multiply_points":
        return [Rule(id=name, multiplier_basis_points=int(terms["factor"]) * 10_000, **common)]
    if kind == "discount_percent_qty_tiers":
        return quantity_steps(name, terms, common)
    if kind in ("discount_percent_tiers", "discount_fixed_tiers"):
        field = "percent" if "base_percent" in terms else "amount"
        steps = [("0", terms[f"base_{field}"]), *terms["tiers"]]
        tiers = [
            {"kind": "", field: value, "scope": terms.get("scope", "order"), "min_receipt_total": least}
            for least, value in steps
        ]
        group: dict[str, Any] = {"stack": "best_of_group", "group": "steps"}
        return [
            Rule(id=f"{name}-{at}", discount=discount_of(each), needs=needs_of(each), **group)
            for at, each in enumerate(tiers)
        ]
    discount = discount_of(terms)
    if "times" in terms:
        return [Rule(id=f"{name}-{at}", discount=discount, **common) for at in range(int(terms["times"]))]
    return [] if discount is None else [Rule(id=name, discount=discount, **common)]


def quantity_steps(name: str, terms: dict[str, Any], common: dict[str, Any]) -> list[Rule]:
    """A rule for each quantity from which its lines are cheaper."""
    rules = []
    for at, (least, percent) in enumerate([("0", terms["base_percent"]), *terms["tiers"]]):
        need = Need(match=common["match"], minimum_quantity_thousandths=int(least) * 1000)
        fields: dict[str, Any] = {**common, "needs": (need,), "stack": "best_of_group", "group": "quantities"}
        rules.append(Rule(id=f"{name}-{at}", discount=Discount(percent_basis_points=cents(percent)), **fields))
    return rules


def coupon_of(index: int, terms: dict[str, Any]) -> Coupon:
    return Coupon(
        id=f"coupon-{index}",
        codes=(terms["code"],),
        uses_per_member=int(terms.get("per_customer_limit", terms.get("usage_limit", "0"))),
        valid_from=terms.get("valid_from", "")[:10],
        # Theirs include the last moment; ours are half-open days, so the day after.
        valid_to="2026-06-09" if "valid" in terms else terms.get("valid_to", "")[:10].replace("-01-01", "-01-02"),
    )


def programme_of(case: Case) -> Programme:
    engine = case["id"].split("-")[0].split("_")[0]
    terms = case["programs"]
    redeem = next((each for each in terms if each["kind"] == "redeem_money"), None)
    value = cents(redeem["money_per_point"]) if redeem else 100
    step = int(redeem.get("step_points", "1")) if redeem else 1
    rules = tuple(rule for index, each in enumerate(terms) for rule in rules_of(index, each))
    if engine == "odoo" and "stacking.exclusive" in case["mechanics"]:  # one discount of a kind on a receipt
        rules = tuple(replace(rule, stack="best_of_group", group="one") for rule in rules)
    return Programme(
        format=1,
        id="oracle",
        version=1,
        currency="EUR",
        point_value_minor=value,
        # The awards of these engines are reckoned line by line.
        round_at="line" if engine == "ol" else "receipt",
        rules=rules,
        coupons=tuple(coupon_of(index, each) for index, each in enumerate(terms) if each.get("code")),
        redemption=Redemption(step_points=step, minimum_line_price_minor=0),
        **SWITCHES.get(engine, {}),
    )


def member_of(case: Case, step: dict[str, Any], balance: int, had: tuple[Usage, ...]) -> MemberState:
    used = str(step.get("coupon_used_before", "0"))
    spent = int(used.split(maxsplit=1)[0]) if used.rsplit(maxsplit=1)[-1] != "cancelled" else 0
    return MemberState(
        spendable_points=balance,
        purchases=int(step.get("customer_orders_before", -1)),
        usage=had
        + tuple(
            Usage(rule=f"coupon-{index}", per="life", uses=spent) for index, _ in enumerate(case["programs"]) if spent
        ),
    )


def sell(case: Case, step: dict[str, Any], balance: int = 0, had: tuple[Usage, ...] = ()) -> Calculation:
    """One sale of a case."""
    clock = StoreClock(local_time=f"{TODAY}T12:00:00", business_date=TODAY)
    return calculate(
        programme_of(case),
        member_of(case, step, balance, had),
        Receipt(lines=lines_of(step)),
        clock,
        redeem_points=-1 if step.get("claim") else 0,
        codes=tuple(step.get("coupons", ())),
    )


def moments(terms: dict[str, Any], step: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """The condition and the store's local time of a step; a moment in UTC is one in winter and one in summer."""
    if "utc_time" not in step:
        yield terms, f"{TODAY}T{step.get('local_time', '12:00')}:00"
        return
    for day, to in zip(("2026-01-10", TODAY), re.findall(r"\d\d:\d\d", terms["to_time"]), strict=True):
        moment = datetime.fromisoformat(f"{day}T{step['utc_time']}:00+00:00").astimezone(ZoneInfo(terms["timezone"]))
        yield terms | {"to_time": to}, moment.replace(tzinfo=None).isoformat()


def condition_of(terms: dict[str, Any]) -> dict[str, Any]:
    """The condition that a case is about, as parts of a rule."""
    if "from_time" in terms:
        to = terms["to_time"][:5]
        if terms["from_time"] < to:  # their last minute is included; over midnight no case says so
            to = f"{to[:3]}{int(to[3:]) + 1:02d}"
        return {"when": When(times=(TimeSpan(from_=terms["from_time"], to=to),))}
    if "first_purchase_after_days_of_silence" in terms:
        return {"who": Who(silent_days=int(terms["first_purchase_after_days_of_silence"]))}
    return {"needs": (Need(minimum_sum_minor=cents(terms["amount"]) + (terms.get("item_total") == "gt")),)}


def with_free_units(case: Case, step: dict[str, Any]) -> dict[str, Any]:
    """A sale with the units that its engine adds among what is rung up."""
    added = any(terms.get("mode") == "extra_unit_added" for terms in case["programs"])
    free = int(step["expected"]["free_units"]) if added else 0
    first, *others = step["lines"]
    return step | {"lines": [first | {"qty": str(int(first["qty"]) + free)}, *others]} if free else step


def page() -> str:
    """docs/reference/oracles.md, from the cases."""
    every = cases()
    left_out = [(case, reason) for case in every if (reason := why_not(case))]
    decided = sum(not reason.startswith("out of scope") for _, reason in left_out)
    passed = len(every) - len(left_out)
    translated = [
        f"| {case['id']} | {', '.join(case['mechanics'])} | {TRANSLATED[name]} |"
        for case in every
        if not why_not(case)
        for name in (case["id"], *case["mechanics"])
        if name in TRANSLATED
    ]
    switches = [
        f"- {engine}: {', '.join(f'`{name} = {each}`' for name, each in named.items())}"
        for engine, named in SWITCHES.items()
    ]
    share = passed * 100 // (passed + decided)
    head = f"""# Oracles

Cases from the tests of ten public engines (`oracle_cases.json`), run on ours with the switches of each engine by
`tests/unit/loyalty/test_loyalty_oracles.py`. This page is written by `loyalty_oracles.py` beside it.

{len(every)} cases: **{passed} pass**, {len(left_out) - decided} are out of scope, {decided} differ by a decision
of ours or belong to another part of Tillside. Of all but those out of scope {share} % pass.

## Switches
{chr(10).join(switches)}
- ol: `round_at = line`

"""
    rows = [f"| {case['id']} | {', '.join(case['mechanics'])} | {reason} |" for case, reason in left_out]
    good = [f"| {case['id']} | {', '.join(case['mechanics'])} |" for case in every if not why_not(case)]
    said = ["## Said in our words", "Cases whose programme or receipt is put otherwise here, and how.", ""]
    said += ["| case | about | how |", "|---|---|---|", *translated, ""]
    left = ["## Not run, and why", "| case | about | reason |", "|---|---|---|", *rows, ""]
    year = ["## A year of receipts", ""]
    year += [
        "All 14,489 receipts (142,393 lines, bad ones on purpose among them) of a public set through each example, in",
        "minor units, by `test_loyalty_proof_receipts.py`: with coupons, limits, budgets, payment by points, and every",
        "tenth given back in two parts. Each line and each receipt adds up. Of 840 receipts of a real chain the `x5`",
        "example gives 683 exactly, those that follow its rule.",
        "",
        "| example | points earned | money off | paid by points | given back |",
        "|---|---|---|---|---|",
        *[
            f"| {name} | {each.earned_points} | {each.discount_minor} | {each.redeemed_minor} | {each.returned} |"
            for name, each in EXPECTED.items()
        ],
        "",
    ]
    return head + "\n".join([*year, *said, *left, "## Passed", "| case | about |", "|---|---|", *good, ""])


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")

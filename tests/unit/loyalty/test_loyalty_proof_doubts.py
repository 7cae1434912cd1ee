"""`programme check` doubts what can't be meant: one programme for each doubt, and none about the examples."""

from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner

from till_loyalty.cli import programme as command
from till_loyalty.doubts import doubts
from till_loyalty.programme_document import EXAMPLES, example_text, parse_programme

TODAY = date(2026, 6, 10)  # a Wednesday
HEAD = """format = 1
id = "p"
version = 1
currency = "RUB"
tier_period = "year"
[[tiers]]
id = "standard"
[[tiers]]
id = "gold"
from_spend_minor = 1000
[registration]
ask = ["name"]
"""


def rule(name: str, text: str) -> str:
    return f'[[rules]]\nid = "{name}"\n{text}\n'


def told(text: str) -> list[tuple[str, str]]:
    return [(each.place, each.code) for each in doubts(parse_programme(text), TODAY)]


ONE = "percent_basis_points = 100"
EXCLUSIVE = f'{ONE}\nstack = "exclusive"\npriority = 1\n'
COUPON = '[[coupons]]\nid = "c"\ncodes = ["C"]\n'
CASES = {
    "a percent of 0": (rule("a", "percent_basis_points = 0"), "rules[0].percent_basis_points", "gives_nothing"),
    "a window without its weekday": (
        rule("a", f'{ONE}\nwhen = {{ business_from = "2027-01-04", business_to = "2027-01-08", weekdays = ["sun"] }}'),
        "rules[0].when",
        "never_holds",
    ),
    "dates and hours that don't meet": (
        rule(
            "a",
            f'{ONE}\nwhen = {{ from = "2027-01-04T13:00:00", to = "2027-01-04T18:00:00", '
            'times = [{ from = "08:00", to = "12:00" }] }',
        ),
        "rules[0].when",
        "never_holds",
    ),
    "dates of two kinds that don't meet": (
        rule(
            "a",
            f'{ONE}\nwhen = {{ from = "2027-03-01T00:00:00", business_from = "2027-01-01", '
            'business_to = "2027-02-01" }',
        ),
        "rules[0].when",
        "never_holds",
    ),
    "a term that is over": (
        rule("a", f'{ONE}\nwhen = {{ to = "2026-06-10T00:00:00" }}'),
        "rules[0].when",
        "over",
    ),
    "tiers that no member has both of": (
        rule("a", f'{ONE}\ntiers = ["gold"]\nwho = {{ tiers = ["standard"] }}'),
        "rules[0].tiers",
        "never_holds",
    ),
    "a purchase that is not among the first": (
        rule("a", f"{ONE}\nwho = {{ first_purchases = 2, purchase_number = 3 }}"),
        "rules[0].who.purchase_number",
        "never_holds",
    ),
    "silence before the first purchase": (
        rule("a", f"{ONE}\nwho = {{ first_purchases = 1, silent_days = 30 }}"),
        "rules[0].who.silent_days",
        "never_holds",
    ),
    "more different goods than there are": (
        rule("a", f'{ONE}\nneeds = [{{ match = {{ skus = ["1", "2"] }}, minimum_different = 3 }}]'),
        "rules[0].needs[0].minimum_different",
        "never_holds",
    ),
    "goods that an exclusion keeps out": (
        rule("a", f'{ONE}\nmatch = {{ categories = [["TOBACCO", "CIGARS"]] }}')
        + '[[exclusions]]\nid = "x"\nlegal = true\nmatch = { categories = [["TOBACCO"]] }\n',
        "rules[0].match",
        "excluded",
    ),
    "an exclusive rule before it": (
        rule("a", EXCLUSIVE) + rule("b", f'{ONE}\nmatch = {{ skus = ["1"] }}'),
        "rules[1]",
        "never_reached",
    ),
    "an exclusive discount before it": (
        rule("a", 'discount = { percent_basis_points = 100 }\nstack = "exclusive"\npriority = 1')
        + rule("b", 'discount = { amount_minor = 100 }\nmatch = { brands = ["x"] }'),
        "rules[1]",
        "never_reached",
    ),
    "a better one of its group": (
        rule("a", 'percent_basis_points = 200\nstack = "best_of_group"\ngroup = "g"')
        + rule("b", f'{ONE}\nstack = "best_of_group"\ngroup = "g"\ntiers = ["gold"]'),
        "rules[1]",
        "always_beaten",
    ),
    "points that a limit always cuts": (
        rule("a", 'points = 100\nlimits = [{ per = "day", amount = 50 }]'),
        "rules[0].limits[0].amount",
        "always_trimmed",
    ),
    "a multiplier before what it multiplies": (
        rule("a", 'multiplier_basis_points = 20000\nmultiplies = ["b"]') + rule("b", ONE),
        "rules[0].multiplies[0]",
        "multiplies_nothing",
    ),
    "a multiplier of a discount": (
        rule("b", 'multiplier_basis_points = 20000\nmultiplies = ["a"]')
        + rule("a", "discount = { percent_basis_points = 1 }"),
        "rules[0].multiplies[0]",
        "multiplies_nothing",
    ),
    "two percents of the same lines": (rule("a", ONE) + rule("b", ONE), "rules[1]", "overlap"),
    "two percents off the same category": (
        rule("a", 'discount = { percent_basis_points = 100 }\nmatch = { categories = [["A"]] }')
        + rule("b", 'discount = { percent_basis_points = 100 }\nmatch = { categories = [["A", "B"]] }'),
        "rules[1]",
        "overlap",
    ),
    "more than everything": (
        rule("a", "discount = { percent_basis_points = 6000 }")
        + rule("b", "percent_basis_points = 10000\npriority = 1")
        + rule("c", "percent_basis_points = 8000\npriority = 2"),
        "rules[1]",
        "more_than_everything",
    ),
    "a coupon of no rule": (rule("a", ONE) + COUPON, "coupons[0]", "coupon_of_nothing"),
    "a coupon whose term is over": (
        rule("a", f'{ONE}\nwho = {{ coupon = "c" }}') + COUPON + 'valid_to = "2026-06-01"\n',
        "coupons[0].valid_to",
        "over",
    ),
    "a coupon that its rule comes too late for": (
        rule("a", f'{ONE}\nwho = {{ coupon = "c" }}\nwhen = {{ business_from = "2027-01-01" }}')
        + COUPON
        + 'valid_to = "2026-12-01"\n',
        "coupons[0]",
        "coupon_out_of_term",
    ),
    "an event that is over": (
        '[[events]]\nid = "e"\non = "registered"\npoints = 1\nto_date = "2026-06-10"\n',
        "events[0].to_date",
        "over",
    ),
    "an event of a fact that no till asks for": (
        '[[events]]\nid = "e"\non = "referrer"\npoints = 1\n',
        "events[0].on",
        "never_happens",
    ),
    "points that pay for nothing": (
        "[redemption]\nmax_share_basis_points = 0\n",
        "redemption.max_share_basis_points",
        "redemption_of_nothing",
    ),
    "a floor limit that nobody looks at": (
        "[redemption]\nfloor = { member_points = 1, till_points = 1 }\n",
        "redemption.floor",
        "floor_without_effect",
    ),
    "lending beside refusal": (
        '[redemption]\noffline = "refuse"\nlending = { seen_days = 30 }\n',
        "redemption.lending",
        "lending_without_effect",
    ),
    "nothing is lent": (
        "[redemption]\nlending = { share_basis_points = 0 }\n",
        "redemption.lending.share_basis_points",
        "lending_of_nothing",
    ),
    "a floor limit above what needs a proof": (
        (
            '[redemption]\noffline = "floor"\nproof = ["code"]\nproof_above_points = 5\n'
            "floor = { member_points = 6, till_points = 6 }\n"
        ),
        "redemption.floor.member_points",
        "floor_needs_proof",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_doubt_is_told_with_its_place_and_nothing_else_is(name: str) -> None:
    text, place, code = CASES[name]
    assert told(HEAD + text) == [(place, code)]


@pytest.mark.parametrize(
    "text",
    [
        rule("a", ONE) + rule("b", f"{ONE}\npriority = 200"),
        rule("a", f'{ONE}\nmatch = {{ skus = ["1"] }}') + rule("b", f'{ONE}\nmatch = {{ skus = ["2"] }}'),
        rule("a", f'{ONE}\ntiers = ["gold"]') + rule("b", f'{ONE}\ntiers = ["standard"]'),
        rule("a", f'{ONE}\nwhen = {{ weekdays = ["mon"] }}') + rule("b", f'{ONE}\nwhen = {{ weekdays = ["tue"] }}'),
        rule("a", f'{ONE}\nmatch = {{ none = [{{ categories = [["A"]] }}] }}')
        + rule("b", f'{ONE}\nmatch = {{ categories = [["A", "B"]] }}'),
        rule("a", f'{EXCLUSIVE}tiers = ["gold"]') + rule("b", ONE),
        rule("a", 'percent_basis_points = 6000\nstack = "exclusive"\npriority = 1\nmatch = { skus = ["1"] }')
        + rule("b", "percent_basis_points = 6000"),
        rule("a", f'{ONE}\nwhen = {{ business_from = "2027-01-04", business_to = "2027-01-12", weekdays = ["sun"] }}'),
        rule("a", f'{ONE}\nwhen = {{ to = "2026-06-10T10:00:00" }}'),
        rule("a", f'{ONE}\nwho = {{ coupon = "c" }}') + COUPON,
        (
            '[redemption]\noffline = "floor"\nlending = { share_basis_points = 0 }\n'
            "floor = { member_points = 5, till_points = 9, sale_points = 5 }\n"
        ),
        '[redemption]\noffline = "refuse"\n',
    ],
)
def test_what_may_well_be_meant_is_not_doubted(text: str) -> None:
    assert told(HEAD + text) == []


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_examples_raise_no_doubt(name: str) -> None:
    assert [str(each) for each in doubts(parse_programme(example_text(name)), TODAY)] == []


def test_a_tier_without_any_way_into_it_is_doubted() -> None:
    text = 'format = 1\nid = "p"\nversion = 1\ncurrency = "RUB"\n[[tiers]]\nid = "a"\n[[tiers]]\nid = "b"\n'
    assert told(text) == [("tiers[1]", "tier_unreachable")]
    assert told(text + "by_hand = true\n") == []


def test_both_rules_of_an_overlap_are_named() -> None:
    (doubt,) = doubts(parse_programme(HEAD + rule("a", ONE) + rule("b", ONE)), TODAY)
    assert "'a'" in str(doubt)
    assert "'b'" in str(doubt)


def test_check_tells_doubts_and_is_strict_if_it_is_asked_to(tmp_path: Path) -> None:
    path = tmp_path / "p.toml"
    path.write_text(HEAD + rule("a", ONE) + rule("b", ONE), encoding="utf-8")
    mild = CliRunner().invoke(command, ["check", str(path)])
    assert mild.exit_code == 0
    assert "doubt: rules[1]: 'a' and 'b' both give" in mild.stderr
    assert "good: p version 1" in mild.stdout
    strict = CliRunner().invoke(command, ["check", "--strict", str(path)])
    assert strict.exit_code == 1
    assert "good" not in strict.stdout

"""A result in words: every code has its sentence in every language, and what is told adds up to what was counted."""

import ast
import re
from pathlib import Path
from string import Formatter
from typing import Any, get_args, get_type_hints

import pytest
from hypothesis import given, settings

import till_loyalty
from fakes.programmes import Case, cases
from till_loyalty.engine import calculate, empty_calculation
from till_loyalty.explain_result import Explained, explain
from till_loyalty.explain_words import LANGUAGES, catalogue
from till_loyalty.plural import FORMS
from till_loyalty.programme_document import example_text, parse_programme
from till_loyalty.receipt import MemberState, StoreClock
from till_loyalty.results import Accrual, Calculation, Reason
from till_loyalty.rule_parts import Limit
from unit.loyalty.loyalty_support import programme, receipt

SOURCE = Path(till_loyalty.__file__).parent
PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "programme.md"
CODE = re.compile(r"^(no|member|line|redeem|tier|rule|coupon|discount|sale)_[a-z_]+$")
PERIODS = get_args(get_type_hints(Limit)["per"])
NAMED_BY_OTHERS = {
    "rule_lines",
    "member_since",
    "tier_ids",
    "line_money",
    "line_points",
    "discount_minor",
    "discount_rounding",
}


def codes_of_the_source() -> set[str]:
    """Texts in the form of a reason's code in every module that makes reasons, but those of errors."""
    found: set[str] = set()
    for path in sorted(SOURCE.glob("*.py")):
        if path.name.startswith("explain"):
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if not any(
            isinstance(node, ast.ImportFrom) and "Reason" in {n.name for n in node.names} for node in ast.walk(tree)
        ):
            continue
        errors = {
            keyword.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id.endswith("Error")
            for keyword in node.keywords
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and CODE.match(node.value):
                if node not in errors:
                    found.add(node.value)
            elif isinstance(node, ast.JoinedStr) and isinstance(node.values[0], ast.Constant):
                start = str(node.values[0].value)
                if start == "rule_limited_by_":
                    found |= {start + period for period in PERIODS}
    return {code for code in found if not code.endswith("_") and code not in NAMED_BY_OTHERS}


def codes_of_the_page() -> set[str]:
    section = PAGE.read_text(encoding="utf-8").split("## Reasons")[1].split("\n## ")[0]
    rows = [row.split("|")[1] for row in section.splitlines() if row.startswith("| `")]
    return set(re.findall(r"`([a-z_]+)`", " ".join(rows)))


def test_every_code_of_the_rules_has_a_sentence_in_every_language() -> None:
    codes = codes_of_the_source() | codes_of_the_page()
    assert {"no_rule_applied", "coupon_used_up", "rule_limited_by_week", "redeem_below_step"} <= codes
    missing = [
        (language, code) for language in LANGUAGES for code in codes if code not in catalogue(language)["reasons"]
    ]
    assert not missing, f"no sentence for {missing}"


def test_the_page_lists_every_code_of_the_rules() -> None:
    assert codes_of_the_source() <= codes_of_the_page()


def flat(table: Any, place: str = "") -> dict[str, str]:
    """Sentences by their place in the file; the forms of a plural are one place."""
    found: dict[str, str] = {}
    for name, value in table.items():
        if isinstance(value, str):
            found[f"{place}{name}"] = value
        elif place == "counts.":
            found[f"{place}{name}"] = ""
        elif not (place == "" and name == "points"):
            found |= flat(value, f"{place}{name}.")
    return found


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("language", LANGUAGES)
def test_languages_have_the_same_sentences_with_the_same_values(language: str) -> None:
    english, other = flat(catalogue("en")), flat(catalogue(language))
    assert set(english) == set(other)
    differ = [place for place in english if placeholders(english[place]) != placeholders(other[place])]
    assert not differ, f"other values than in English: {differ}"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_plural_has_all_its_forms(language: str) -> None:
    words = catalogue(language)
    for forms in (words["points"], *words["counts"].values()):
        assert set(forms) == set(FORMS[language])


@pytest.mark.parametrize("language", [each for each in LANGUAGES if each != "en"])
def test_no_sentence_is_left_in_english(language: str) -> None:
    latin = re.compile(r"[A-Za-z]{3,}")
    for place, sentence in flat(catalogue(language)).items():
        words = re.sub(r"\{[^}]*\}|EAN-13|Luhn|SKU", "", sentence)
        assert place.startswith("format.") or not latin.search(words), f"{language}: {place}: {sentence}"


def adds_up(told: tuple[Explained, ...], result: Calculation) -> None:
    """Rule by rule and line by line, what is told is what was counted."""
    for of_line in (False, True):
        here = [each for each in told if bool(each.line) == of_line]
        figures = {
            kind: (
                sum(each.points for each in here if each.kind == kind),
                sum(each.amount_minor for each in here if each.kind == kind),
            )
            for kind in ("accrual", "discount", "redemption")
        }
        assert figures["accrual"] == (result.earned_points, 0)
        assert figures["discount"] == (0, result.discount_minor)
        assert figures["redemption"] == (result.redeemed_points, result.redeemed_minor)
    for line_result in result.lines:
        own = [each for each in told if each.line == line_result.number]
        assert sum(each.points for each in own if each.kind == "accrual") == line_result.earned_points
        assert sum(each.amount_minor for each in own if each.kind == "discount") == line_result.discount_minor
        assert sum(each.points for each in own if each.kind == "redemption") == line_result.redeemed_points
    reasons = [each for each in told if each.kind in ("trim", "refusal", "exclusion")]
    assert sorted((each.code, each.rule, each.line) for each in reasons) == sorted(
        (each.code, each.rule, each.line) for each in result.reasons
    )
    assert all(each.text and "{" not in each.text for each in told)


@settings(max_examples=150, deadline=None)
@given(cases())
def test_what_is_told_adds_up_to_what_was_counted(case: Case) -> None:
    result = case.calculate()
    tellings = [explain(case.programme, result, language) for language in LANGUAGES]
    for told in tellings:
        adds_up(told, result)
    machine = [[(each.line, each.kind, each.rule, each.points, each.trims) for each in told] for told in tellings]
    assert all(each == machine[0] for each in machine)


def test_an_accrual_that_is_lost_in_the_telling_is_noticed() -> None:
    """The control of the property above."""
    rules = parse_programme(example_text("supermarket"))
    clock = StoreClock(local_time="2026-11-22T10:00:00", business_date="2026-11-22")
    result = calculate(rules, MemberState(tier="gold"), receipt(5000, 7000), clock)
    adds_up(explain(rules, result, "ru"), result)
    with pytest.raises(AssertionError):
        adds_up(explain(rules, result, "ru")[:-2], result)


POINTS = {
    "ru": {"one": "бонус", "few": "бонуса", "many": "бонусов"},
    "uk": {"one": "бонус", "few": "бонуси", "many": "бонусів"},
    "kk": {"one": "бонус", "other": "бонус"},
    "ky": {"one": "упай", "other": "упай"},
    "en": {"one": "point", "other": "points"},
}


def told_of(points: int, language: str, **fields: Any) -> str:
    """The sentence of one rule that gave so many points on one line of 1,234.50."""
    from till_loyalty.programme import Rule

    rules = programme(Rule(id="r", points=points), **({"points_name": POINTS} | fields))
    clock = StoreClock(local_time="2026-11-22T10:00:00", business_date="2026-11-22")
    return explain(rules, calculate(rules, MemberState(), receipt(123450), clock), language)[0].text


@pytest.mark.parametrize(
    ("points", "language", "words"),
    [
        (1, "ru", "1 бонус,"),
        (2, "ru", "2 бонуса,"),
        (5, "ru", "5 бонусов,"),
        (21, "ru", "21 бонус,"),
        (112, "ru", "112 бонусов,"),
        (2, "uk", "2 бонуси,"),
        (5, "uk", "5 бонусів,"),
        (5, "kk", "5 бонус,"),
        (5, "ky", "5 упай,"),
        (1, "en", "1 point,"),
        (5, "en", "5 points,"),
    ],
)
def test_points_are_told_in_their_form(points: int, language: str, words: str) -> None:
    assert words in told_of(points, language)


def test_money_and_points_have_the_programmes_places() -> None:
    from till_loyalty.programme import Rule

    rules = programme(
        Rule(id="r", percent_basis_points=150, title={"ru": "Полтора процента"}),
        points_name=POINTS,
        points_exponent=2,
        currency="KZT",
    )
    clock = StoreClock(local_time="2026-11-22T10:00:00", business_date="2026-11-22")
    result = calculate(rules, MemberState(), receipt(123450), clock)
    assert explain(rules, result, "ru")[0].text == (
        "«Полтора процента»: 1,5 % от 1234,50 KZT = 18,51 бонуса. Округлено вниз."
    )
    assert explain(rules, result, "en")[0].text == (
        "“Полтора процента”: 1.5 % of 1234.50 KZT = 18.51 points. Rounded down."
    )
    tenge = programme(*rules.rules, currency="JPY", currency_exponent=0)
    assert (
        "1.5 % of 123450 JPY" in explain(tenge, calculate(tenge, MemberState(), receipt(123450), clock), "en")[0].text
    )


def test_a_rule_without_a_title_in_the_language_has_the_name_that_slips_give_it_and_one_without_any_its_id() -> None:
    from till_loyalty.programme import Rule

    clock = StoreClock(local_time="2026-11-22T10:00:00", business_date="2026-11-22")
    for title, told in (({"en": "Ten", "ru": "Десять"}, "«Ten»"), ({"kk": "Он"}, "«Он»"), ({}, "«r»")):
        rules = programme(Rule(id="r", percent_basis_points=1000, title=title), points_name=POINTS)
        assert explain(rules, calculate(rules, MemberState(), receipt(1000), clock), "kk")[0].text.startswith(told)


def test_a_trim_names_what_it_would_have_been() -> None:
    from till_loyalty.programme import Rule

    rules = programme(
        Rule(id="r", percent_basis_points=1000, limits=(Limit(per="receipt", amount=7),)), points_name=POINTS
    )
    clock = StoreClock(local_time="2026-11-22T10:00:00", business_date="2026-11-22")
    told = explain(rules, calculate(rules, MemberState(), receipt(20000), clock), "ru")
    assert told[0].text == "«r»: 10 % от 200,00 RUB = 7 бонусов. Без ограничения было бы: 20 бонусов."
    assert [(each.code, each.would, each.given) for each in told[0].trims] == [("rule_limited_by_receipt", 20, 7)]
    trim = next(each for each in told if each.kind == "trim")
    assert trim.text == "«r»: предел на один чек. Было бы: 20 бонусов, даётся: 7 бонусов."


def test_a_tiers_multiplier_is_told() -> None:
    rules = parse_programme(example_text("clothing"))
    clock = StoreClock(local_time="2026-11-22T10:00:00", business_date="2026-11-22")
    result = calculate(rules, MemberState(tier="general", purchases=5), receipt(100_000), clock)
    assert (
        "5 % от 1000,00 KZT = 75 баллов. Уровень покупателя даёт 150 % от этого."
        in explain(rules, result, "ru")[0].text
    )


def test_what_another_programme_gave_is_told_by_ids() -> None:
    """A stored calculation outlives its programme: nothing that is unknown now may stop the telling."""
    result = Calculation(
        programme_id="old",
        programme_version=7,
        total_minor=100,
        payable_minor=100,
        lines=(),
        earned_points=3,
        accruals=(Accrual(rule="gone", line=1, base_minor=100, points=3),),
        reasons=(Reason(code="from_the_future", rule="gone"),),
    )
    told = explain(programme(points_name=POINTS), result, "en")
    assert [each.text for each in told] == [
        "“gone”: of 1.00 RUB = 3 points.",
        "Line 1, “gone”: of 1.00 RUB = 3 points.",
        "“gone”: from_the_future.",
    ]


def test_a_language_that_is_not_ours_is_answered_in_russian() -> None:
    rules = programme()
    none = empty_calculation(receipt(100))
    assert explain(rules, none, "de") == explain(rules, none, "ru")

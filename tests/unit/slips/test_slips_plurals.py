"""Points in words: every number that a language counts in its own way, fractions, debts, and large numbers."""

import pytest
from msgspec.structs import replace

from till_agent.texts import Words
from till_drivers.slips.words import NO_PROGRAMME, SlipWords
from till_loyalty.plural import grouped, plural_form, points_text

N = "\u00a0"
CENTS = replace(
    NO_PROGRAMME,
    points_exponent=2,
    points_name={
        **NO_PROGRAMME.points_name,
        "uk": {"one": "бонус", "few": "бонуси", "many": "бонусів", "other": "бонуса"},
    },
)
SLAVIC = {
    0: "many",
    1: "one",
    2: "few",
    3: "few",
    4: "few",
    5: "many",
    9: "many",
    10: "many",
    11: "many",
    12: "many",
    13: "many",
    14: "many",
    15: "many",
    19: "many",
    20: "many",
    21: "one",
    22: "few",
    24: "few",
    25: "many",
    31: "one",
    100: "many",
    101: "one",
    102: "few",
    111: "many",
    112: "many",
    114: "many",
    121: "one",
    1_000: "many",
    1_001: "one",
    1_011: "many",
    1_012: "many",
    1_022: "few",
    1_000_000: "many",
    1_000_001: "one",
    1_000_011: "many",
    1_000_111: "many",
}
NAMES = {
    "ru": {"one": "бонус", "few": "бонуса", "many": "бонусов"},
    "uk": {"one": "бонус", "few": "бонуси", "many": "бонусів"},
}


@pytest.mark.parametrize("language", NAMES)
@pytest.mark.parametrize("number", SLAVIC)
def test_russian_and_ukrainian_count_in_three_forms(language: str, number: int) -> None:
    """Debts as what they are of."""
    assert plural_form(language, number) == plural_form(language, -number) == SLAVIC[number]
    said = points_text(NO_PROGRAMME, language, number)
    assert said == f"{grouped(number)} {NAMES[language][SLAVIC[number]]}"
    assert points_text(NO_PROGRAMME, language, -number) == (f"-{said}" if number else said)


@pytest.mark.parametrize("language", ["kk", "ky"])
@pytest.mark.parametrize("number", [0, 1, 2, 5, 11, 21, 1_000_001, -1, -5])
def test_kazakh_and_kyrgyz_name_after_a_number_in_the_singular(language: str, number: int) -> None:
    """`5 бонус`."""
    assert points_text(NO_PROGRAMME, language, number).endswith(" бонус")


@pytest.mark.parametrize(
    ("number", "said"),
    [(0, "0 points"), (1, "1 point"), (2, "2 points"), (11, "11 points"), (21, "21 points"), (-1, "-1 point")],
)
def test_english_has_two_forms(number: int, said: str) -> None:
    """21 is many."""
    assert points_text(NO_PROGRAMME, "en", number) == said


@pytest.mark.parametrize(
    ("language", "points", "said"),
    [
        ("ru", 1_250, "12,50 бонуса"),
        ("ru", 150, "1,50 бонуса"),
        ("ru", 1, "0,01 бонуса"),
        ("ru", -1_105, "-11,05 бонуса"),
        ("ru", 100, "1 бонус"),
        ("ru", 500, "5 бонусов"),
        ("ru", 2_100, "21 бонус"),
        ("uk", 1_250, "12,50 бонуса"),
        ("uk", 200, "2 бонуси"),
        ("kk", 1_250, "12,50 бонус"),
        ("ky", 1, "0,01 бонус"),
        ("en", 100, "1 point"),
        ("en", 150, "1.50 points"),
        ("en", 1, "0.01 points"),
        ("en", -100, "-1 point"),
        ("ru", 123_456_789, f"1{N}234{N}567,89 бонуса"),
        ("en", 1_234_567_89, f"1{N}234{N}567.89 points"),
    ],
)
def test_fractions_take_the_form_of_fractions(language: str, points: int, said: str) -> None:
    """Of points with two places; whole ones are written without."""
    assert points_text(CENTS, language, points) == said


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (0, "0"),
        (9_999, "9999"),
        (10_000, f"10{N}000"),
        (123_456, f"123{N}456"),
        (1_000_000, f"1{N}000{N}000"),
        (10**13, f"10{N}000{N}000{N}000{N}000"),
    ],
)
def test_large_numbers_are_grouped_and_stay_on_one_line(number: int, said: str) -> None:
    """By a space that does not break, from five digits on; points, money, and what stands in sentences."""
    assert grouped(number) == said
    for language in ("ru", "uk", "kk", "ky", "en"):
        words = Words(language)
        assert words.number(number) == said
        assert words.number(-number) == (f"-{said}" if number else "0")
        mark = "." if language == "en" else ","
        assert words.money(number * 100 + 5) == f"{said}{mark}05"
    assert f": {said}{N}" in SlipWords("ru").slip("unconfirmed", points=number)


@pytest.mark.parametrize(
    ("language", "hours", "said"),
    [
        ("ru", 1, "1 час"),
        ("ru", 3, "3 часа"),
        ("ru", 11, "11 часов"),
        ("ru", 21, "21 час"),
        ("ru", 24 * 2, "2 дня"),
        ("ru", 24 * 11, "11 дней"),
        ("ru", 24 * 21, "21 день"),
        ("uk", 22, "22 години"),
        ("uk", 24 * 3, "3 дні"),
        ("uk", 24 * 14, "14 днів"),
        ("kk", 24 * 5, "5 күн"),
        ("ky", 5, "5 саат"),
        ("en", 1, "1 hour"),
        ("en", 24 * 21, "21 days"),
    ],
)
def test_ages_are_counted_as_points_are(language: str, hours: int, said: str) -> None:
    """How old a balance is."""
    assert SlipWords(language).age(hours * 3_600_000).replace(N, " ") == said

"""Points in words, in five languages."""

import pytest

from till_loyalty.plural import FORMS, plural_form, points_text
from till_loyalty.programme import Programme
from till_loyalty.programme_document import example_text, parse_programme
from unit.loyalty.loyalty_support import programme

NAMES = {
    "ru": {"one": "бонус", "few": "бонуса", "many": "бонусов"},
    "uk": {"one": "бонус", "few": "бонуси", "many": "бонусів", "other": "бонуса"},
    "kk": {"one": "бонус", "other": "бонус"},
    "ky": {"one": "упай", "other": "упай"},
    "en": {"one": "point", "other": "points"},
}


def named(exponent: int, **names: dict[str, str]) -> Programme:
    return programme(points_exponent=exponent, points_name=names)


@pytest.mark.parametrize(
    ("number", "form"),
    [
        *[(number, "one") for number in (1, 21, 31, 101, 1001, 121)],
        *[(number, "few") for number in (2, 3, 4, 22, 34, 102, 1004)],
        *[(number, "many") for number in (0, 5, 9, 10, 11, 12, 13, 14, 19, 20, 25, 100, 111, 112, 114, 1011)],
        (-1, "one"),
        (-11, "many"),
    ],
)
def test_slavic_forms(number: int, form: str) -> None:
    assert plural_form("ru", number) == plural_form("uk", number) == form


@pytest.mark.parametrize("language", ["kk", "ky", "en", "unknown"])
def test_forms_of_the_others(language: str) -> None:
    assert [plural_form(language, number) for number in (0, 1, 2, 11, 21)] == [
        "other",
        "one",
        "other",
        "other",
        "other",
    ]


@pytest.mark.parametrize(
    ("exponent", "language", "points", "text"),
    [
        (0, "ru", 5, "5 бонусов"),
        (0, "ru", 21, "21 бонус"),
        (0, "ru", -2, "-2 бонуса"),
        (2, "ru", 1250, "12,50 бонуса"),
        (2, "ru", 100, "1 бонус"),
        (2, "ru", 101, "1,01 бонуса"),
        (1, "ru", 125, "12,5 бонуса"),
        (2, "uk", 1250, "12,50 бонуса"),
        (2, "uk", 200, "2 бонуси"),
        (2, "kk", 1250, "12,50 бонус"),
        (2, "ky", 5, "0,05 упай"),
        (2, "en", 1250, "12.50 points"),
        (2, "en", 100, "1 point"),
        (2, "en", -1, "-0.01 points"),
        (0, "en", 0, "0 points"),
    ],
)
def test_points_in_words(exponent: int, language: str, points: int, text: str) -> None:
    assert points_text(named(exponent, **NAMES), language, points) == text


def test_a_fraction_in_ukrainian_without_a_form_of_its_own_takes_many() -> None:
    names = {"uk": {"one": "бал", "few": "бали", "many": "балів"}}
    assert points_text(named(2, **names), "uk", 150) == "1,50 балів"


def test_a_missing_language_lends_its_name_from_another() -> None:
    assert points_text(named(0, ru=NAMES["ru"]), "kk", 5) == "5 бонусов"
    assert points_text(named(0, ru=NAMES["ru"], en=NAMES["en"]), "kk", 5) == "5 points"
    assert points_text(named(0, ky=NAMES["ky"]), "ru", 5) == "5 упай"
    assert points_text(named(0), "ru", 5) == "5"


@pytest.mark.parametrize("name", ["supermarket", "russia"])
def test_the_examples_name_points_in_all_five_languages(name: str) -> None:
    rules = parse_programme(example_text(name))
    assert set(rules.points_name) == set(FORMS)
    for language in FORMS:
        assert points_text(rules, language, 7).split(" ", 1)[1]

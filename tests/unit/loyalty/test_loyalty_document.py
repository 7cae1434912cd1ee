"""Programme documents: every fault with its place, one canonical text, and no other error than ProgrammeError."""

import json
import tomllib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from till_loyalty import programme_document
from till_loyalty.exceptions import ProgrammeError
from till_loyalty.programme import Programme
from till_loyalty.programme_document import (
    EXAMPLES,
    decode_programme,
    digest,
    example_text,
    parse_programme,
    programme_json,
)
from unit.loyalty.loyalty_support import programmes

HEAD = 'format = 1\nid = "p"\nversion = 1\ncurrency = "RUB"\n'


def problems(text: str | bytes, suffix: str = ".toml") -> list[str]:
    with pytest.raises(ProgrammeError) as caught:
        parse_programme(text, suffix=suffix)
    return list(caught.value.problems)


def test_the_smallest_document() -> None:
    assert parse_programme(HEAD) == Programme(format=1, id="p", version=1, currency="RUB")


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_examples_are_good_in_both_formats(name: str) -> None:
    """TOML and its canonical JSON are one programme with one digest."""
    rules = parse_programme(example_text(name))
    text = programme_json(rules)
    assert rules == parse_programme(text, suffix=".json") == decode_programme(text)
    assert programme_json(parse_programme(text.encode(), suffix="JSON")) == text
    assert parse_programme(json.dumps(tomllib.loads(example_text(name))), suffix="json") == rules


def test_the_order_and_layout_of_a_document_do_not_change_its_digest() -> None:
    one = HEAD + 'points_name = { ru = { one = "a", few = "b", many = "c" }, en = { one = "d", other = "e" } }'
    other = (
        'points_name.en = { other = "e", one = "d" }\npoints_name.ru = { many = "c", few = "b", one = "a" }\n' + HEAD
    )
    assert digest(programme_json(parse_programme(one))) == digest(programme_json(parse_programme(other)))
    assert digest("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_all_faults_are_told_at_once_with_their_places() -> None:
    text = """
        format = 2
        id = "Not an id"
        vertion = 1
        currency = 5
        rounding = "flor"
        [[rules]]
        id = "a"
        percent_basis_points = 10001
        match = { skus = [1, "x"], categories = [[]] }
        [[rules]]
        percent_basis_points = true
        stak = "all"
        [redemption]
        step_points = 0
        max_share_basis_points = 10001
        enabled = 1
        [identifiers]
        phone_countries = []
        cards = [{ lengths = [3], check = "ean" }]
    """
    assert problems(text) == [
        "vertion: expected a known field; did you mean 'version'?",
        "format: expected 1, not 2",
        "id: expected `str` matching regex '^[a-z0-9][a-z0-9._-]*$', not 'Not an id'",
        "version: expected this field, not nothing",
        "currency: expected `str`, not 5",
        "rounding: expected 'floor' or 'half_up' or 'half_even' or 'ceil', not 'flor'; did you mean 'floor'?",
        "rules[0].percent_basis_points: expected `int` <= 10000, not 10001",
        "rules[0].match.skus[0]: expected `str`, not 1",
        "rules[0].match.categories[0]: expected at least 1 in the list, not 0",
        "rules[1].stak: expected a known field; did you mean 'stack'?",
        "rules[1].id: expected this field, not nothing",
        "rules[1].percent_basis_points: expected `int`, not True",
        "redemption.enabled: expected `bool`, not 1",
        "redemption.max_share_basis_points: expected `int` <= 10000, not 10001",
        "redemption.step_points: expected `int` >= 1, not 0",
        "identifiers.phone_countries: expected at least 1 in the list, not 0",
        "identifiers.cards[0].lengths[0]: expected `int` >= 4, not 3",
        "identifiers.cards[0].check: expected 'none' or 'ean13' or 'luhn', not 'ean'; did you mean 'ean13'?",
    ]


RULE = '[[rules]]\nid = "r"\npercent_basis_points = 1\n'
CUT = '[[exclusions]]\nid = "x"\nmatch = { skus = ["1"] }\n'
SEMANTIC = {
    RULE + RULE: ["rules[1].id: expected an id of its own, not 'r' as in rules[0]"],
    CUT + CUT: ["exclusions[1].id: expected an id of its own, not 'x' as in exclusions[0]"],
    '[[tiers]]\nid = "t"\n[[tiers]]\nid = "t"\n': ["tiers[1].id: expected an id of its own, not 't' as in tiers[0]"],
    RULE + CUT.replace('"x"', '"r"'): ["exclusions[0].id: expected an id that no rule has, not 'r'"],
    RULE + 'tiers = ["gold"]': [
        "rules[0].tiers[0]: expected a tier of the programme (none, for the programme has no tiers), not 'gold'"
    ],
    '[[tiers]]\nid = "gold"\n' + RULE + 'tiers = ["gold", "glod"]': [
        "rules[0].tiers[1]: expected a tier of the programme (gold), not 'glod'; did you mean 'gold'?"
    ],
    RULE + 'group = "g"': ["rules[0].group: expected stack = 'best_of_group' beside a group, not 'all'"],
    RULE + 'stack = "best_of_group"': [
        "rules[0].group: expected the name of the group of which the best rule gives, not nothing"
    ],
    RULE + 'match = { skus = ["a", ""], categories = [["a", ""]] }': [
        "rules[0].match.skus[1]: expected a SKU, not an empty text",
        "rules[0].match.categories[0]: expected a name at each level of the path, not an empty text",
    ],
    RULE + 'title = { ru = "Да", xx = "?" }': ["rules[0].title.xx: expected a language (ru, uk, kk, ky, en), not 'xx'"],
    '[[exclusions]]\nid = "x"\nmatch = {}\n': [
        "exclusions[0].match: expected skus or categories, not every line: leave rules or redemption out instead"
    ],
    CUT + "legal = true\nearn = false": [
        "exclusions[0].earn: expected true or nothing beside legal = true, which always blocks both"
    ],
    CUT + "earn = false\nredeem = false": [
        "exclusions[0]: expected earn or redeem to be true, not an exclusion that excludes from nothing"
    ],
    "points_exponent = 2\npoint_value_minor = 50\nredemption = { step_points = 3 }": [
        "redemption.step_points: expected a multiple of 2, not 3: 3 minor points are no whole money at 50 a point"
    ],
    'redemption = { offline = "floor" }': [
        "redemption.floor: expected the limits of what is spent without a line, not nothing beside 'floor'"
    ],
    '[redemption]\noffline = "floor"\nfloor = { member_points = 9, till_points = 8, sale_points = 10 }': [
        "redemption.floor.till_points: expected at least member_points (9), not 8",
        "redemption.floor.member_points: expected at least sale_points (10), not 9",
    ],
    "redemption = { lending = { maximum_points = 5, minimum_points = 6 } }": [
        "redemption.lending.maximum_points: expected 0 or at least minimum_points (6), not 5"
    ],
    'points_name = { ru = { one = "б", few = "", other = "б", two = "б" }, en = { one = "p", other = "p" }, de = {}}': [
        "points_name.ru.few: expected this plural form, not nothing",
        "points_name.ru.many: expected this plural form, not nothing",
        "points_name.ru.two: expected one of the forms one, few, many, other, not 'two'",
        "points_name.de: expected a language (ru, uk, kk, ky, en), not 'de'",
    ],
    '[identifiers]\nphone_countries = ["RU", "SU"]': [
        "identifiers.phone_countries[1]: expected a country's two-letter code, not 'SU'"
    ],
    '[[identifiers.cards]]\nlengths = [12, 13]\ncheck = "ean13"\nprefix = "29"': [
        "identifiers.cards[0].lengths[0]: expected 13 beside check = 'ean13', not 12"
    ],
    '[[identifiers.cards]]\nlengths = [4]\nprefix = "2900"': [
        "identifiers.cards[0].lengths[0]: expected more digits than the prefix '2900' has, not 4"
    ],
    '[[identifiers.cards]]\nlengths = [16]\ncheck = "luhn"': [
        "identifiers.cards[0].prefix: expected a prefix: numbers of 16 digits take in every bank card"
    ],
}


@pytest.mark.parametrize("text", SEMANTIC, ids=lambda text: text.splitlines()[-1][:40])
def test_names_that_must_meet_and_figures_that_must_fit(text: str) -> None:
    assert problems(HEAD + text) == SEMANTIC[text]


@pytest.mark.parametrize("text", ["redemption = { enabled = false }\npoints_exponent = 2\npoint_value_minor = 1", ""])
def test_a_step_matters_only_where_points_pay(text: str) -> None:
    parse_programme(HEAD + text)


@pytest.mark.parametrize(
    ("text", "suffix", "start"),
    [
        ("id = ", ".toml", "document: expected TOML: Invalid value (at end of document)"),
        ("a = 1\na = 2", ".toml", "document: expected TOML: Cannot overwrite a value"),
        ("{", ".json", "line 1, column 2: expected JSON"),
        ('{"id": 1,\n "id": 2}', ".json", "document: expected JSON: the field 'id' is there twice"),
        ("[1]", ".json", "document: expected a table, not [1]"),
        ("[" * 100_000, ".json", "document: expected lists and tables a few levels deep"),
        ("a = " + "[" * 100_000, ".toml", "document: expected lists and tables a few levels deep"),
        ('{"version": ' + "9" * 5000 + "}", ".json", "document: expected JSON"),
        ("version = " + "9" * 5000, ".toml", "document: expected TOML"),
        (b"id = \xff", ".toml", "byte 5: expected UTF-8 text, not 0xff"),
        ("x", ".yaml", "document: expected a .toml or .json document, not '.yaml'"),
        (b" " * (programme_document.DOCUMENT_LIMIT_BYTES + 1), ".toml", "document: expected at most 4194304 bytes"),
    ],
)
def test_what_is_no_document(text: str | bytes, suffix: str, start: str) -> None:
    found = problems(text, suffix)
    assert len(found) == 1
    assert found[0].startswith(start)


def test_a_byte_order_mark_of_a_windows_editor_is_no_fault() -> None:
    assert parse_programme(b"\xef\xbb\xbf" + HEAD.encode()) == parse_programme("\ufeff" + HEAD) == parse_programme(HEAD)


def test_a_document_of_faults_does_not_fill_the_screen() -> None:
    found = problems(HEAD + "".join(f"wrong_{number} = 1\n" for number in range(500)) + "tiers = '" + "x" * 5000 + "'")
    assert len(found) == programme_document.PROBLEMS_SHOWN + 1
    assert found[-1] == "document: and 301 more"
    assert all(len(each) < 300 for each in found)


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "null", '{"format":1}', b"\xff", "[" * 100_000, '{"format":1,"id":5}']
)
def test_a_canonical_text_that_is_none_is_refused(text: str | bytes) -> None:
    with pytest.raises(ProgrammeError):
        decode_programme(text)


def test_only_shipped_examples_can_be_asked_for() -> None:
    with pytest.raises(ProgrammeError):
        example_text("../../secret")


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)),
    max_leaves=8,
)
FIELDS = tuple(Programme.__struct_fields__)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from(FIELDS), json_values, max_size=5), st.booleans())
def test_any_values_parse_or_are_told_with_their_place(values: dict[str, Any], headed: bool) -> None:
    """Whatever stands in the fields: a programme that survives its own canonical text, or problems, nothing else."""
    data = (tomllib.loads(HEAD) if headed else {}) | values
    told: tuple[str, ...] = ()
    rules = None
    try:
        rules = parse_programme(json.dumps(data), suffix="json")
    except ProgrammeError as error:
        told = error.problems
    if rules is None:
        assert told
        assert all(": expected " in each for each in told)
    else:
        assert decode_programme(programme_json(rules)) == rules


@given(st.one_of(st.binary(max_size=200), st.text(max_size=200)), st.sampled_from((".toml", ".json")))
def test_any_bytes_parse_or_raise_programme_error(raw: str | bytes, suffix: str) -> None:
    with pytest.raises(ProgrammeError):
        parse_programme(raw, suffix=suffix)


@settings(deadline=None)
@given(programmes())
def test_canonical_text_and_back(rules: Programme) -> None:
    assert decode_programme(programme_json(rules)) == rules
    assert programme_json(decode_programme(programme_json(rules))) == programme_json(rules)


@pytest.mark.parametrize("place", ["currency", "points_name", "rules", "lists"])
def test_half_a_character_is_refused_in_words_that_can_be_printed(place: str) -> None:
    """A JSON escape can name half of a character: as a value, as a name, deep inside."""
    half = "\ud800"
    document = tomllib.loads(example_text("supermarket"))
    document[place] = {
        "currency": half,
        "points_name": {half: {"one": half}},
        "rules": [{"id": half, "percent_basis_points": 1, "title": {"en": half}}],
        "lists": {"sweets": {"labels": [half]}},
    }[place]
    with pytest.raises(ProgrammeError) as caught:
        parse_programme(json.dumps(document), suffix="json")
    assert str(caught.value).encode()

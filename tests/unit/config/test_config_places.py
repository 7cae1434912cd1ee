"""The places of keys and values agree with what tomllib reads, whatever the layout of the document."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from till_config.toml_places import KeyPath, Place, TomlPlaces

DOCUMENT = '''\
# a comment with [brackets] and "quotes"
title = "x" # and = here
[ a . "b.c" . 'd"e' ]
one.two = 1
one . "thr\\u0065e" = """
say "hi" ""
\\""" [not.a.section]
"""
four = [ 1, # ] not the end
  "]", [ '}', { x = 1, y.z = [2] } ],
]
[[list]]
k = \'\'\'it's ''quoted''\'\'\'
[list.inner]
m = 1979-05-27 07:32:00
[[list]]
[[list.deep]]
n = { }
e=""
'''


def paths_of(value: Any, path: KeyPath = ()) -> dict[KeyPath, Any]:
    """Every path of a parsed document, with its value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = {path: value} if path else {}
    for key, inner in items:
        found |= paths_of(inner, (*path, key))
    return found


def check_against_tomllib(text: str) -> None:
    """The same paths, and at each value's place a text that reads as that value."""
    places = TomlPlaces(text)
    expected = paths_of(tomllib.loads(text))
    assert set(places.found) == set(expected)
    for path, found in places.found.items():
        if found.value_end:
            written = places.text[found.value : found.value_end]
            assert tomllib.loads(f"value = {written}")["value"] == expected[path], path
        elif isinstance(path[-1], str):
            assert isinstance(expected[path], dict | list), path


def test_a_document_with_every_form_is_walked_whole() -> None:
    """Strings of four kinds, dotted and quoted keys, lists over lines, inline tables, lists of sections."""
    check_against_tomllib(DOCUMENT)
    places = TomlPlaces(DOCUMENT)
    assert places.key(("a", "b.c", 'd"e', "one", "three")) == Place(5, 7)
    assert places.value(("a", "b.c", 'd"e', "four", 2, 1, "y", "z", 0)) == Place(10, 31)
    assert places.key(("list",)) == Place(12, 1)
    assert places.value(("list", 1)) == Place(16, 1)
    assert places.value(("list", 1, "deep", 0, "e")) == Place(19, 3)


def test_a_missing_key_is_placed_at_its_section() -> None:
    """The heading is where a reader would add it."""
    places = TomlPlaces(DOCUMENT)
    assert places.key(("list", 0, "absent")) is None
    assert places.nearest(("list", 0, "absent")) == Place(12, 1)
    assert places.nearest(("absent", "key")) == Place(1, 1)


def test_line_ends_of_windows_count_as_one() -> None:
    """Columns and lines are those that an editor shows."""
    places = TomlPlaces('a = """\r\nx"""\r\n\r\n  b = 1\r\n')
    assert places.value(("b",)) == Place(4, 7)


@pytest.mark.parametrize("file", sorted((Path(__file__).parent / "bad").glob("*.toml")), ids=lambda file: file.stem)
def test_real_files_are_walked_whole(file: Path) -> None:
    """Those of the bad files that are TOML."""
    text = file.read_text("utf-8")
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        TomlPlaces(text)
        return
    check_against_tomllib(text)


BLANKS = st.sampled_from(["", " ", "\t", "  "])
FILLERS = st.sampled_from(["", " ", "\n", "\n\n  ", " # a ] } \" ' = comment\n", "\t\n# [x]\n"])
PLAIN_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
QUOTE_HEAVY = st.text("'\"\\ab\n#]}=,. ", max_size=8) | st.text("'\"\\\n", max_size=5)


def basic(text: str) -> str:
    """As a basic string."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def basic_multiline(text: str) -> str:
    """As a multi-line basic string that keeps line ends and as many bare quotes as TOML allows."""
    body = basic(text)[1:-1].replace("\\n", "\n").replace('\\"', '"')
    return '"""\n' + re.sub('"{3}', '""\\\\"', body).removesuffix("\n") + '"""' if body else '""""""'


@st.composite
def strings(draw: st.DrawFn) -> str:
    """A string in one of TOML's four ways to write it."""
    text = draw(PLAIN_TEXT | QUOTE_HEAVY)
    forms = [basic(text), basic_multiline(text)]
    if all(letter.isprintable() for letter in text):
        forms += [f"'{text}'"] * ("'" not in text) + [f"'''{text}'''"] * ("'''" not in text)
    return draw(st.sampled_from(forms))


@st.composite
def keys(draw: st.DrawFn) -> str:
    """A simple or dotted key."""
    bare = st.text("abc0-_", min_size=1, max_size=3)
    part = bare | (PLAIN_TEXT | QUOTE_HEAVY).map(basic) | st.text('ab .#=]"', max_size=4).map(lambda text: f"'{text}'")
    parts = draw(st.lists(part, min_size=1, max_size=3))
    return f"{draw(BLANKS)}.{draw(BLANKS)}".join(parts)


def lists(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """A list over one or many lines, with or without a comma at its end."""
    item = st.tuples(FILLERS, values, FILLERS).map("".join)
    return st.tuples(st.lists(item, max_size=4), st.booleans(), FILLERS).map(
        lambda drawn: "[" + ",".join(drawn[0]) + ("," if drawn[0] and drawn[1] else "") + drawn[2] + "]"
    )


def pairs(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """A key and its value."""
    key = st.tuples(BLANKS, keys(), BLANKS).map("".join)
    value = st.tuples(BLANKS, values, BLANKS).map("".join)
    return st.tuples(key, value).map("=".join)


def inline_tables(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """A table on one line."""
    return st.lists(pairs(values), max_size=3).map(lambda pairs: "{" + ",".join(pairs) + "}")


SCALARS = st.sampled_from(
    ["1", "-17", "0xBEEF", "1_000", "1.5e3", "inf", "true", "false", "1979-05-27", "07:32:00", "1979-05-27 07:32:00Z"]
)
VALUES = st.recursive(SCALARS | strings(), lambda inner: lists(inner) | inline_tables(inner), max_leaves=6)
HEADINGS = st.tuples(BLANKS, keys(), BLANKS, st.booleans()).map(
    lambda h: f"[[{h[0]}{h[1]}{h[2]}]]" if h[3] else f"[{h[0]}{h[1]}{h[2]}]"
)


@pytest.mark.parametrize(
    "written",
    [
        '""',
        "''",
        '""""""',
        "''''''",
        '"""a""""',
        '"""a"""""',
        '""""a"""',
        '"""""a"""',
        "'''a''''",
        "'''a'''''",
        "'''''a'''",
        '"\\\\"',
        '"\\""',
        "'\\'",
        '"""\\\\"""',
        '"""\\""""',
        '"""a""b"\n# """',
    ],
)
def test_a_string_ends_where_toml_says(written: str) -> None:
    """Quotes that belong to the text are told from those that end it."""
    check_against_tomllib(f"list = [{written}, 1]\nkey = {written}\nafter = 2\n")


def valid(text: str) -> bool:
    """Whether tomllib takes it; random keys clash now and then."""
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return False
    return True


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(FILLERS, pairs(VALUES) | HEADINGS), max_size=10), st.sampled_from(["\n", "\r\n"]))
def test_places_agree_with_tomllib(lines: list[tuple[str, str]], line_end: str) -> None:
    """For any document that tomllib takes: the same keys, and each value stands where the scanner says."""
    text = ""
    for filler, line in lines:
        # A line that clashes with those before it is left out, so that most documents stay long.
        longer = f"{text}{filler}\n{line}\n".lstrip("\n")
        text = longer if valid(longer) else text
    text = text.replace("\n", line_end)
    if valid(text):
        check_against_tomllib(text)


@given(st.text("[]{}\"'\\=.,#\n a1", max_size=60))
def test_nothing_that_is_not_toml_raises_or_hangs(text: str) -> None:
    """The scanner serves error messages, so it must come through anything."""
    TomlPlaces(text)

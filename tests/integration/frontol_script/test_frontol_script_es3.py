"""The scenario as a program: its syntax, what it takes of its engine, its figures, its JSON, its names of receipts."""

import hashlib
import json
import random
import subprocess
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pytest

from integration.frontol_script.frontol_script_kit import NODE, SCRIPT, Host
from till_agent.frontol.naming import document_uid, normal_uid

SYNTAX = """
const acorn = require('internal/deps/acorn/acorn/dist/acorn');
const text = require('fs').readFileSync(process.argv[1], 'utf8');
acorn.parse(text, { ecmaVersion: 3, allowReserved: 'never' });
"""


def syntax_error(path: Path) -> str:
    """What a parser of ECMAScript 3 says; "" when it takes the file."""
    done = subprocess.run(
        [str(NODE), "--expose-internals", "-e", SYNTAX, str(path)], capture_output=True, text=True, timeout=60
    )
    return "" if done.returncode == 0 else done.stderr


def parts(host: Host, call: str) -> Any:
    """The value of a call of one of the scenario's parts."""
    return host.ask(f"tillside.parts.{call}")


@pytest.fixture
def engine(host: Host) -> Host:
    """A scenario in an engine of its own."""
    return host.new()


def test_a_parser_of_ecmascript_3_takes_it() -> None:
    """And it is ASCII, so that no encoding can spoil it."""
    assert SCRIPT.read_bytes().isascii()
    assert syntax_error(SCRIPT) == ""


@pytest.mark.parametrize(
    "newer",
    [
        "let one = 1;",
        "var f = (a) => a;",
        "var o = {a: 1,};",
        "var o = {class: 1};",
        "var o = {}; o.delete();",
        "var o = {get a() { return 1; }};",
        "var s = `one`;",
    ],
)
def test_the_parser_refuses_what_is_newer(tmp_path: Path, newer: str) -> None:
    """Or it would prove nothing."""
    file = tmp_path / "newer.js"
    file.write_text(newer, encoding="ascii")
    assert "SyntaxError" in syntax_error(file)


def test_the_engine_has_nothing_newer_to_lean_on(engine: Host) -> None:
    """What the other tests run in."""
    for name in (
        "JSON",
        "Promise",
        "Symbol",
        "Object.keys",
        "Array.isArray",
        "Array.prototype.forEach",
        "Array.prototype.indexOf",
        "Array.prototype.map",
        "String.prototype.trim",
        "Date.now",
        "Date.prototype.toISOString",
        "Function.prototype.bind",
    ):
        holder = name.rpartition(".")[0]
        last = name.rpartition(".")[2]
        said = engine.ask(f"typeof {name}" if not holder else f"typeof {holder}['{last}']")
        assert said == "undefined", name


def test_its_words_are_there_in_all_five_languages(engine: Host) -> None:
    """The same sentences in each, with the same places for figures."""
    words = parts(engine, "words")
    assert sorted(words) == ["en", "kk", "ky", "ru", "uk"]
    for language, table in words.items():
        assert sorted(table) == sorted(words["en"]), language
        told = " ".join(table.values()).lower()
        # Slips, panel and the agent's own sentences say bonuses: two words for one thing are two things to a cashier.
        assert language == "en" or not any(other in told for other in ("балл", "балами", "балів", "ұпай", "упай"))
        for name, text in table.items():
            places = [place for place in ("{0}", "{1}", "{2}") if place in text]
            assert places == [place for place in ("{0}", "{1}", "{2}") if place in words["en"][name]], (language, name)


def test_amounts_are_read_by_their_digits(engine: Host) -> None:
    """Decimals of up to six places, halves up; numbers with the error of sums of fractions; commas and spaces."""
    rng = random.Random(6)
    cases: list[tuple[Any, int, int]] = [
        (0.1 + 0.2, 2, 30),
        (1.005, 2, 101),
        (2.6749999999999998, 2, 268),
        (1.1 * 3, 2, 330),
        (0.145 * 3, 2, 44),
        (0.175 * 7, 2, 123),
        (19.99 * 3, 2, 5997),
        ("12,34", 2, 1234),
        ("1 234,5", 2, 123450),
        ("-7.5", 2, 750),
        (1e-7, 2, 0),
        (1.5e3, 2, 150000),
        (99999999999.99, 2, 9999999999999),
        (1.2549999999999999, 3, 1255),
        (".5", 2, 50),
        (7, 3, 7000),
    ]
    for _ in range(500):
        digits = rng.randrange(10 ** rng.randint(1, 11))
        places = rng.choice((0, 1, 2, 3, 4))
        value = Decimal(digits).scaleb(-places)
        wanted = int((value * 100).quantize(Decimal(1), ROUND_HALF_UP))
        cases += [(float(value), 2, wanted), (str(value), 2, wanted), (f"{value:f}".replace(".", ","), 2, wanted)]
    calls = ",".join(f"tillside.parts.exact({json.dumps(value)},{count})" for value, count, _ in cases)
    found = engine.ask(f"[{calls}]")
    assert [(case, got) for case, got in zip(cases, found, strict=True) if case[2] != got] == []


@pytest.mark.parametrize("bad", ['"ten"', '""', '"1.2.3"', '"--1"', "NaN", "Infinity", '"12345678901234567890"', '"."'])
def test_what_is_no_amount_is_none(engine: Host, bad: str) -> None:
    """Never 0, which would be an amount."""
    assert parts(engine, f"minor({bad})") is None


def test_a_sum_that_is_spread_is_whole_again(engine: Host) -> None:
    """To the kopeck, by weight, and nothing to what weighs nothing."""
    rng = random.Random(7)
    cases = [
        (rng.randrange(10**9), [rng.randrange(10**6) for _ in range(rng.randint(1, 12))] + [1]) for _ in range(200)
    ]
    found = engine.ask("[" + ",".join(f"tillside.parts.spread({total},{weights})" for total, weights in cases) + "]")
    for (total, weights), got in zip(cases, found, strict=True):
        assert sum(got) == total
        for weight, part in zip(weights, got, strict=True):
            exact = Decimal(total) * weight / sum(weights)
            assert abs(part - exact) < 1, (total, weights, got)
    assert parts(engine, "spread(5, [0, 0])") == [0, 0]


def test_points_and_money_are_changed_without_a_rest(engine: Host) -> None:
    """By the pair that a quote names; downwards, and there and back gives the same."""
    most = '{"points": 300, "amount_minor": 1000}'
    assert [parts(engine, f"pointsFor({amount}, {most})") for amount in (1000, 999, 10, 9)] == [300, 297, 3, 0]
    assert [parts(engine, f"moneyFor({points}, {most})") for points in (300, 299, 3, 2)] == [1000, 990, 10, 0]


def test_json_is_written_in_ascii_and_read_back(engine: Host) -> None:
    """Names of goods in any letters; a parser of ours reads what Python writes, and Python what ours writes."""
    value = {
        "a": [1, -2.5, 1e21, True, False, None, "", 'Хлеб "x" \\ \n\t\x7f\u2028 😀'],
        "é": {"": [], "b": {}},
        "n": 9007199254740991,
    }
    for text in (json.dumps(value), json.dumps(value, ensure_ascii=False), json.dumps(value, indent=1)):
        assert engine.ask(f"tillside.parts.parsed({json.dumps(text)})") == value
    written = engine.ask(f"tillside.parts.written({json.dumps(value)})")
    assert written.isascii()
    assert json.loads(written) == value


BAD_JSON = (
    *("", "{", "[1,]", '{"a":1,}', "{'a':1}", "01", "1.", ".5", "+1", "tru", "nul", '"', '"\\x"', '"\\u12"', "1 2"),
    *("[1 2]", '{"a" 1}', '{"a":}', "{a:1}", "[", "]", '"\n"', "NaN", "-", "1e", '{"a":1', "[" * 100),
)


@pytest.mark.parametrize("text", BAD_JSON)
def test_what_is_no_json_is_refused(engine: Host, text: str) -> None:
    """An answer that was cut off must not look like one."""
    asked = (
        f"(function () {{ try {{ tillside.parts.parsed({json.dumps(text)}); }} catch (e) {{ return e.message; }} }}())"
    )
    assert "expected JSON" in (engine.ask(asked) or "it was taken")


UIDS = [
    "{6F9619FF-8B86-D011-B42D-00CF4FC964FF}",
    " 6f9619ff-8b86-d011-b42d-00cf4fc964ff ",
    "",
    "   ",
    "({abc})",
    "a/b",
    "Чек № 7",
    "x" * 64,
    "x" * 65,
    "a b",
    "😀",
]
DOCUMENTS: list[tuple[str | int, str | int, str | int]] = [
    (1, 2, 3),
    ("003", "0012", "000000101"),
    (0, 0, 0),
    ("A1", 2, 3),
    (" 5 ", "7", "9"),
    ("1", "", "3"),
    ("9" * 30, "9" * 30, "9" * 30),
    ("Касса", 1, 1),
]


def test_receipts_have_the_names_that_the_agent_gives_them(engine: Host) -> None:
    """The Priority API and the sales report go by these too: another name would count a receipt twice."""
    for text in UIDS:
        assert parts(engine, f"normalUid({json.dumps(text)})") == normal_uid(text), text
    for till, shift, document in DOCUMENTS:
        asked = f"documentUid({json.dumps(till)},{json.dumps(shift)},{json.dumps(document)})"
        assert parts(engine, asked) == document_uid(till, shift, document), (till, shift, document)


def test_its_hashes_are_sha_256(engine: Host) -> None:
    """At every length around the ends of blocks."""
    for length in (*range(1, 130), 1000):
        text = "я/" + "й" * length
        wanted = hashlib.sha256(text.encode()).hexdigest()[:40]
        assert parts(engine, f"normalUid({json.dumps(text)})") == f"x-{wanted}"


@pytest.mark.parametrize(
    ("fields", "uid"),
    [
        ({"session": 44}, "f-3-44-101"),
        ({"session": 44, "uid": "{6F9619FF-8B86-D011-B42D-00CF4FC964FF}"}, "f-3-44-101"),
        ({"own": 1, "uid": "{6F9619FF-8B86-D011-B42D-00CF4FC964FF}"}, "6f9619ff-8b86-d011-b42d-00cf4fc964ff"),
        ({"own": 1, "session": 44, "uid": "17"}, "f-3-44-101"),
    ],
)
def test_a_receipt_goes_by_till_shift_and_number_or_by_frontols_id(
    engine: Host, fields: dict[str, Any], uid: str
) -> None:
    """As the shop says; an id that is no GUID may be another document's on another day."""
    engine.new({"receiptUid": "frontol" if "own" in fields else "number"})
    engine.open({"price": 1}, **fields)
    assert engine.close()["closedValues"]["tillsideUid"] == uid


def test_a_listener_that_frontol_does_not_know_leaves_the_others(host: Host, tmp_path: Path) -> None:
    """And a scenario without an init() of its own is begun by another's."""
    text = SCRIPT.read_text(encoding="ascii")
    mine = tmp_path / "mine.js"
    mine.write_text(text.replace('["openSession",', '["noSuchEvent",'), encoding="ascii")
    host.new(script=mine)
    host.open({"price": 1})
    assert host.close()["closedValues"]["tillsideSent"] == "1"

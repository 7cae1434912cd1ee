"""Properties of what reads documents: it parses, or raises its own error, whatever the bytes."""

import json
import tomllib
from collections.abc import Callable
from typing import Any

import msgspec
from hypothesis import strategies as st

from till_loyalty import programme_document
from till_loyalty.engine import calculate
from till_loyalty.exceptions import ProgrammeError, ReceiptError
from till_loyalty.explain import explain_programme
from till_loyalty.programme import Programme
from till_loyalty.programme_document import EXAMPLES, decode_programme, example_text, programme_json
from till_loyalty.receipt import Line, MemberState, Receipt, StoreClock
from till_loyalty.simulation import read_past
from till_sync.ops import decode_body

RECEIPT = Receipt(lines=(Line(number=1, sku="a", amount_minor=12_345), Line(number=2, sku="b", amount_minor=0)))
CLOCK = StoreClock(local_time="2024-02-29T23:59:59", business_date="2024-02-29")
SCRAPS = (
    b"",
    b"\x00",
    b"\xff",
    b"[",
    b"]",
    b"{",
    b'"',
    b"=",
    b"#",
    b"\n",
    b"-1",
    b"1e9",
    b"99999999999999999999",
    b"nan",
)
leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from((-1, 0, 1, 2**63, 10**30, 1.5)),
    st.sampled_from(("", "x", "\ud800", "2024-02-30", "99:99", "a" * 600)),
    st.just([]),
    st.just({}),
)


def usable(programme: Programme) -> None:
    """What a parser lets through can be counted by, told and written."""
    try:
        result = calculate(programme, MemberState(spendable_points=50), RECEIPT, CLOCK, redeem_points=-1)
    except ReceiptError as error:  # the rules may ask for a fact that a receipt can't have
        raise AssertionError(f"a programme that was parsed can't be counted by: {error}") from error
    assert result.total_minor == RECEIPT.total_minor
    assert list(explain_programme(programme, "kk"))
    assert decode_programme(programme_json(programme)) == programme


def parsed(raw: bytes, suffix: str) -> None:
    try:
        programme = programme_document.parse_programme(raw, suffix=suffix)
    except ProgrammeError:
        return
    usable(programme)


def refused_or_read(read: Callable[[], object], *errors: type[Exception]) -> None:
    try:
        read()
    except errors:
        return


def any_bytes_parse_or_are_refused(data: st.DataObject) -> None:
    """Bytes of any kind, to every reader."""
    raw = data.draw(st.binary(max_size=200))
    for suffix in (".toml", ".json"):
        parsed(raw, suffix)
    refused_or_read(lambda: decode_programme(raw), ProgrammeError)
    refused_or_read(lambda: read_past(raw, 1), ReceiptError)
    refused_or_read(lambda: decode_body(raw), msgspec.MsgspecError, UnicodeDecodeError)


def a_harmed_example_parses_or_is_refused(data: st.DataObject) -> None:
    """An example with some bytes cut, doubled or overwritten, as TOML and as JSON."""
    text = example_text(data.draw(st.sampled_from(EXAMPLES)))
    suffix = data.draw(st.sampled_from((".toml", ".json")))
    if suffix == ".json":
        text = json.dumps(tomllib.loads(text), ensure_ascii=False, default=str)
    raw = text.encode()
    for _ in range(data.draw(st.integers(1, 3))):
        place, length = data.draw(st.integers(0, len(raw))), data.draw(st.integers(0, 12))
        raw = raw[:place] + data.draw(st.sampled_from(SCRAPS)) + raw[place + length :]
    parsed(raw, suffix)


def a_harmed_tree_parses_or_is_refused(data: st.DataObject) -> None:
    """An example with some values replaced, dropped or doubled: good JSON, and most likely no programme."""
    tree: Any = json.loads(json.dumps(tomllib.loads(example_text(data.draw(st.sampled_from(EXAMPLES)))), default=str))
    for _ in range(data.draw(st.integers(1, 2))):
        node = tree
        while isinstance(node, dict | list) and node:
            key = data.draw(st.sampled_from(sorted(node) if isinstance(node, dict) else range(len(node))))
            inner = node[key]
            if not isinstance(inner, dict | list) or not inner or data.draw(st.integers(0, 3)) == 3:
                _harm(node, key, data)
                break
            node = inner
    parsed(json.dumps(tree).encode(), ".json")


def _harm(node: Any, key: Any, data: st.DataObject) -> None:
    what = data.draw(st.sampled_from(("leaf", "leaf", "drop", "double")))
    if what == "leaf":
        node[key] = data.draw(leaves)
    elif what == "drop":
        del node[key]
    elif isinstance(node, list):
        node.append(node[key])
    else:
        node[f"{key}_"] = node[key]


PROPERTIES = (
    any_bytes_parse_or_are_refused,
    a_harmed_example_parses_or_is_refused,
    a_harmed_tree_parses_or_is_refused,
)

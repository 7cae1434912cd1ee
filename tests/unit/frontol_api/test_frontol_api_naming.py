"""One receipt has one uid, whichever way Frontol told of it."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from till_agent.api import UID_PATTERN
from till_agent.frontol.naming import document_uid, normal_uid

BARE = "3f2504e0-4f89-11d3-9a0c-0305e82c3301"


@pytest.mark.parametrize("text", [BARE, BARE.upper(), "{" + BARE.upper() + "}", f"  {{{BARE}}} ", f"({BARE})"])
def test_a_uid_is_the_same_with_and_without_braces_in_either_case(text: str) -> None:
    assert normal_uid(text) == BARE


@pytest.mark.parametrize("text", ["", "  ", "{}", "{ }"])
def test_no_uid_stays_none(text: str) -> None:
    assert normal_uid(text) == ""


def test_odd_names_keep_apart() -> None:
    """A uid with letters that no path of the bridge takes is still a name of its own."""
    odd = {normal_uid(each) for each in ("a/b", "a b", "чек-1", "чек-2", "x" * 65, "x" * 66)}
    assert len(odd) == 6
    assert all(each.startswith("x-") for each in odd)


def test_a_document_is_named_as_the_report_names_it() -> None:
    assert document_uid(1, 12, 345) == "f-1-12-345"
    assert document_uid("001", " 12 ", "0345") == "f-1-12-345"
    assert document_uid(0, "0", "000") == "f-0-0-0"


def test_documents_with_odd_parts_keep_apart() -> None:
    """`-` within a part must not make one of two documents."""
    names = {document_uid("1-2", 3, 4), document_uid(1, "2-3", 4), document_uid("", "", ""), document_uid("²", 1, 1)}
    assert len(names) == 4


@given(st.text())
def test_any_uid_becomes_one_that_the_bridge_takes(text: str) -> None:
    uid = normal_uid(text)
    assert uid == "" or re.fullmatch(UID_PATTERN, uid)
    assert normal_uid(uid) == uid
    assert normal_uid("{" + text.strip() + "}") == uid


@given(st.text(), st.text() | st.integers(), st.text())
def test_any_document_gets_a_uid_that_the_bridge_takes(till: str, shift: str | int, document: str) -> None:
    assert re.fullmatch(UID_PATTERN, document_uid(till, shift, document))

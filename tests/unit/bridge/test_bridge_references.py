"""Whatever an answer calls somebody is taken where a path or query names them."""

import pytest

from till_agent.bridge.shapes import REFERENCE
from till_agent.desk.finding import MEMBER_ID, TAG
from till_loyalty.identifiers import slow_tag, tag

FAST = tag(b"k" * 32, "phone", "+79160000000")


@pytest.mark.parametrize("reference", ["m-0d1f", tag(b"k" * 32, "card", "2900000000018"), FAST, slow_tag(FAST, 2)])
def test_a_reference_of_an_answer_is_taken_in_a_path(reference: str) -> None:
    """In a chain with slow tags of phones too: by them a card is given to somebody, and a coupon looked at."""
    assert TAG.fullmatch(reference) or MEMBER_ID.fullmatch(reference)
    assert REFERENCE.pattern.search(reference)


def test_a_number_is_none() -> None:
    assert not REFERENCE.pattern.search("+79160000000")

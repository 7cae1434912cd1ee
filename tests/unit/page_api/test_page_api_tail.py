"""The log's tail: cleaned as the log is, in order, bounded, and readable from where one was."""

import logging
from collections.abc import Iterator

import pytest

from till_agent.tail import BYTES_LIMIT, LINES_LIMIT, Tail

PHONE = "+7 916 123-12-34"
CARD = "2900000000018"
TOKEN = "Bearer " + "q7Xk" * 11


@pytest.fixture
def log() -> Iterator[tuple[logging.Logger, Tail]]:
    """A logger of its own with a tail."""
    tail, logger = Tail(), logging.getLogger("till_agent.test_tail")
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    logger.addHandler(tail)
    yield logger, tail
    logger.removeHandler(tail)
    logger.propagate = True


def test_lines_come_oldest_first_and_go_on_after_the_last_one(log: tuple[logging.Logger, Tail]) -> None:
    logger, tail = log
    for number in range(5):
        logger.info("line %d", number, extra={"count": number, "state": "on"})
    assert [each.message for each in tail.read(None, 2).lines] == ["line 3", "line 4"]
    first = tail.read(0, 2)
    assert [(each.seq, each.message) for each in first.lines] == [(1, "line 0"), (2, "line 1")]
    assert first.lines[0].fields == {"count": "0", "state": "on"}
    assert (first.lines[0].level, first.lines[0].logger, first.dropped) == ("info", "till_agent.test_tail", 0)
    assert [each.seq for each in tail.read(2, 100).lines] == [3, 4, 5]
    assert tail.read(5, 100).lines == ()


def test_a_place_in_a_former_run_begins_anew(log: tuple[logging.Logger, Tail]) -> None:
    logger, tail = log
    logger.warning("after a restart")
    assert [each.seq for each in tail.read(700, 10).lines] == [1]


def test_lines_that_are_kept_no_more_are_counted(log: tuple[logging.Logger, Tail]) -> None:
    logger, tail = log
    for number in range(LINES_LIMIT + 30):
        logger.info("line %d", number)
    found = tail.read(10, 5)
    assert (found.dropped, [each.seq for each in found.lines]) == (20, [31, 32, 33, 34, 35])
    assert len(tail.read(0, 10_000).lines) == LINES_LIMIT


def test_long_lines_are_kept_in_bounded_memory(log: tuple[logging.Logger, Tail]) -> None:
    """Tracebacks of letters that take four bytes each."""
    logger, tail = log
    for number in range(100):
        logger.error("%d %s", number, "\U0001f600" * 20_000)
    assert tail.size_bytes <= BYTES_LIMIT
    assert 10 < len(tail.read(0, 1000).lines) < 100


def of_canaries() -> None:
    """Whatever a caller puts into a record by mistake: no phone, card or token is in the tail."""
    tail, logger = Tail(), logging.getLogger("till_agent.test_canary")
    logger.propagate = False
    logger.addHandler(tail)
    try:
        logger.error("asked for %s with %s", PHONE, CARD, extra={"who": PHONE, "card": int(CARD)})
        logger.error("failed for %s", TOKEN, exc_info=ValueError(f"no member {CARD} {TOKEN}"))
        text = repr(tail.read(0, 10))
    finally:
        logger.removeHandler(tail)
    assert "ValueError" in text
    for secret in (PHONE, CARD, "9161231234", TOKEN, TOKEN[-20:]):
        assert secret not in text


def test_no_personal_data_and_no_token_is_in_the_tail() -> None:
    of_canaries()

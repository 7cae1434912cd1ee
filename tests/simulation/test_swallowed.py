"""What counts as an error that the product got over, and what every plan brings."""

import asyncio
import logging
import sqlite3

import pytest

from simulation.loop import run
from simulation.swallowed import Swallowed, listening
from till_agent.exceptions import CloudUnreachable as AskedInVain
from till_agent.journal.open import _CutOff
from till_sync.defects import log_unexpected
from till_sync.exceptions import (
    AnswerMismatch,
    CloudRefused,
    CloudUnreachable,
    HistoryConflict,
    IncarnationChanged,
    NotOurCloud,
    PackingBroken,
    PushBlocked,
    SyncError,
)

log = logging.getLogger("till_sync.worker")


def heard(error: BaseException, *, restored: bool = False, clock_was_set: bool = False) -> str:
    """What is kept when a worker meets an error and goes on."""
    swallowed = Swallowed(lambda: restored, lambda: clock_was_set)
    with listening(swallowed):
        try:
            raise error
        except type(error):
            log.info("Sync failed")
    return swallowed.first


def full_disk() -> sqlite3.Error:
    """The error of a database that may not grow."""
    connection = sqlite3.connect(":memory:")
    connection.execute("PRAGMA max_page_count = 1")
    try:
        connection.execute("CREATE TABLE more (body)")
    except sqlite3.Error as error:
        return error
    finally:
        connection.close()
    raise LookupError("expected no room")


def members() -> dict[str, str]:
    """Nobody."""
    return {}


def mend(error: Exception) -> None:
    """What is done about an error, with a defect in it."""
    try:
        raise error
    except type(error):
        members()["retry"]


def test_an_error_that_is_its_own_cause_is_looked_at_once() -> None:
    """As a refused push was, on its way up: then no seed came to an end."""
    error = SyncError("what?")
    error.__cause__ = error
    assert heard(error)


@pytest.mark.parametrize(
    "error", [KeyError("duplicate"), sqlite3.OperationalError("no such table"), SyncError("what?")], ids=repr
)
def test_an_error_of_a_kind_that_nobody_planned_for_counts(error: Exception) -> None:
    """With where it came from, whether or not the log line quotes it."""
    said = heard(error)
    assert said.startswith("Sync failed\n")
    assert "raise error" in said


def test_what_the_log_says_without_a_word_of_the_data_counts() -> None:
    """Only the log is kept from quoting people; who mends a seed needs all of it."""
    swallowed = Swallowed(lambda: False)
    with listening(swallowed):
        try:
            members()["+79161234500"]
        except KeyError as error:
            log_unexpected(log, "syncing", error)
    assert "KeyError: '+79161234500'" in swallowed.first


def test_what_comes_later_than_the_first_is_not_kept() -> None:
    """The first one is the cause of others."""
    swallowed = Swallowed(lambda: False)
    with listening(swallowed):
        log.error("first", exc_info=KeyError())
        log.error("second", exc_info=ValueError())
    assert swallowed.first.startswith("first\n")


def test_what_a_callback_of_the_loop_raised_counts() -> None:
    """Nobody waits for a callback, so only the loop hears of it."""
    swallowed = Swallowed(lambda: False)

    def stumble() -> None:
        raise KeyError("pages")

    async def live() -> None:
        asyncio.get_running_loop().set_exception_handler(swallowed.hear)
        asyncio.get_running_loop().call_soon(stumble)
        await asyncio.sleep(1)

    run(live())
    assert "KeyError: 'pages'" in swallowed.first


def test_what_the_plan_brings_does_not_count() -> None:
    """A line that is cut, however it is told on, a disk that is full, and rows that went with the power."""
    assert heard(CloudUnreachable("cut")) == ""
    cut_short = NotOurCloud("expected a whole zstd frame")
    cut_short.__cause__ = PackingBroken("a part of one")
    assert heard(cut_short) == ""
    told_on = AskedInVain("cut")
    told_on.__cause__ = CloudUnreachable("cut")
    assert heard(told_on) == ""
    assert heard(full_disk()) == ""
    assert heard(_CutOff()) == ""


def test_a_stale_signature_counts_unless_the_clouds_clock_was_set() -> None:
    """It may be set once more between the request and its second try; then the next round is right (seed 821)."""
    stale = CloudRefused("too old", status=401, code="signature_stale")
    assert heard(stale) != ""
    assert heard(stale, clock_was_set=True) == ""


def test_another_cloud_counts_unless_a_backup_was_put_back() -> None:
    """And a history that disagrees by itself counts in any case."""
    assert heard(IncarnationChanged("another")) != ""
    assert heard(IncarnationChanged("another"), restored=True) == ""
    assert heard(HistoryConflict("other ops"), restored=True) != ""
    assert heard(HistoryConflict("gone", code="history_pruned"), restored=True) == ""


def test_an_answer_to_something_else_counts_unless_a_portal_or_a_stick_gave_it() -> None:
    """Such an answer is a defect of till or cloud else, though the next greeting mends it."""
    assert heard(AnswerMismatch("expected one verdict each for 1 to 3, not 2 verdicts for others")) != ""
    assert heard(AnswerMismatch("expected bytes 0-1221/1222, not 200 '' of 48 bytes")) == ""
    assert heard(AnswerMismatch("expected at most 3 to be acknowledged, not 10")) == ""
    assert heard(AnswerMismatch("expected own ops up to (1, 1), not (1, 2)")) == ""


def test_a_push_that_is_blocked_counts_unless_answers_that_came_broken_blocked_it() -> None:
    """The line breaks answers off; a firewall is in no plan."""
    assert heard(PushBlocked("refused", status=403)) != ""
    blocked = PushBlocked("refused", status=0)
    blocked.__context__ = NotOurCloud("cut short")
    assert heard(blocked) == ""


def test_an_error_that_followed_a_planned_one_counts() -> None:
    """A defect in what is done about a cut line is a defect."""
    swallowed = Swallowed(lambda: False)
    with listening(swallowed):
        try:
            mend(CloudUnreachable("cut"))
        except KeyError:
            log.warning("Sync failed")
    assert "KeyError: 'retry'" in swallowed.first

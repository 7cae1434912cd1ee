"""Errors that the product met, logged and got over: by asking again all comes right in the end, and nobody is told.

A till's workers must live on whatever they meet, so a defect in them costs a round, not the till. The simulation holds
against it what the log got while an error was handled, unless the plan brings that very error.
"""

import logging
import sqlite3
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from till_agent.journal.open import _CutOff
from till_sync.exceptions import AnswerMismatch, NotOurCloud, PackingBroken, PushBlocked, SyncError

PRODUCT = ("till_agent", "till_sync", "till_cloud", "till_loyalty")
OF_THE_LINE = frozenset({"cloud_unreachable", "timeout", "cloud_busy", "not_our_cloud"})
"""What a till hears of a line that is cut, loses requests and answers, or stands behind a log-in page."""
OF_A_BACKUP = frozenset({"incarnation_changed", "seq_gap", "history_pruned"})
"""What it hears of a cloud that was put back: it is another one, lacks operations, or lacks some that went here."""

OF_A_PORTAL_OR_A_STICK = ("expected bytes", "expected at most", "expected own ops up to")
"""How it is told that a log-in page came instead of a snapshot's part, that the cloud has by a stick what waits here
for its slot, or that a push came late, of before the journal was lost (seed 22,471)."""


class Swallowed(logging.Handler):
    """Keeps the first error that was handled and that the plan does not bring. `restored`: whether a backup was;
    `clock_was_set`: whether the cloud's clock was, which may be so twice between a request and its second try."""

    def __init__(self, restored: Callable[[], bool], clock_was_set: Callable[[], bool] = lambda: False) -> None:
        super().__init__()
        self._restored = restored
        self._clock_was_set = clock_was_set
        self.first = ""
        """What the log said, and where the error came from; "" when there was none."""

    def emit(self, record: logging.LogRecord) -> None:
        """Look at the error that is being handled, whether or not the record quotes it: some may quote people."""
        error = record.exc_info[1] if record.exc_info else sys.exc_info()[1]
        if error is not None and not self.first and not self._is_planned(error):
            self._keep(record.getMessage(), error)

    def hear(self, _loop: Any, context: dict[str, Any]) -> None:
        """What the event loop got out of a callback, or of a task that nobody waited for."""
        error = context.get("exception")
        if error is not None and not self.first:
            self._keep(context["message"], error)

    def _is_planned(self, error: BaseException) -> bool:
        while error.__cause__ not in (None, error):
            error = error.__cause__
        if isinstance(error, AnswerMismatch):
            return str(error).startswith(OF_A_PORTAL_OR_A_STICK)
        if isinstance(error, PushBlocked):
            # Answers cut short, one after the other, of one operation, and greetings between that came whole (22,535).
            return isinstance(error.__context__, NotOurCloud)
        if isinstance(error, PackingBroken):
            return True  # a packed answer that was cut short: the simulated line breaks answers off (seed 220)
        if isinstance(error, SyncError) and error.code == "signature_stale":
            return self._clock_was_set()
        if isinstance(error, SyncError):
            return error.code in OF_THE_LINE or (error.code in OF_A_BACKUP and self._restored())
        # Rows that went with the power, or that an old copy lacks: the journal puts its log aside and opens once more.
        return isinstance(error, _CutOff) or getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL

    def _keep(self, said: str, error: BaseException) -> None:
        self.first = f"{said}\n{''.join(traceback.format_exception(error))}"


@contextmanager
def listening(swallowed: Swallowed) -> Iterator[None]:
    """The product's log goes there too, the lines on what passes by itself among it."""
    loggers = [logging.getLogger(name) for name in PRODUCT]
    levels = [each.level for each in loggers]
    for each in loggers:
        each.addHandler(swallowed)
        each.setLevel(logging.INFO)
    try:
        yield
    finally:
        for each, level in zip(loggers, levels, strict=True):
            each.removeHandler(swallowed)
            each.setLevel(level)

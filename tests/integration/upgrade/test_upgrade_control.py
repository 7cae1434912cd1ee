"""The control of what an upgrade keeps: one that changes the queue is found out."""

import importlib
import sqlite3
from pathlib import Path

import pytest

from integration.upgrade.test_upgrade_till import test_the_queue_is_the_same as the_queue_is_the_same

OPENING = importlib.import_module("till_agent.journal.open")


def begins_anew(patch: pytest.MonkeyPatch) -> None:
    """A whole journal of the former release is answered with a new epoch."""
    patch.setattr(OPENING, "_compare", lambda session, mark, seen_epoch: ("restored", 0))


def drops_the_last_op(patch: pytest.MonkeyPatch) -> None:
    """A step to the next schema that copies one row too few."""

    def step(connection: sqlite3.Connection) -> None:
        for (trigger,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {trigger}")
        connection.execute("DELETE FROM entries WHERE id = (SELECT max(id) FROM entries)")

    patch.setattr(OPENING, "STEPS", (*OPENING.STEPS, step))


@pytest.mark.parametrize("mutant", [begins_anew, drops_the_last_op], ids=lambda mutant: mutant.__name__)
def test_an_upgrade_that_changes_the_queue_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mutant):
    """Count, hash, epoch or the witness's word differ."""
    mutant(monkeypatch)
    with pytest.raises(AssertionError):
        the_queue_is_the_same(tmp_path, "till")

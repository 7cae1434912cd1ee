"""The queue is counted and hashed the same as long as it is the same, and not when a row of it is not."""

from pathlib import Path

import pytest

from till_installer.upgrade.queue import KnownRows, UnreadableError, count_again, count_queue, schema_of
from unit.upgrader import upgrader_journals as journals


def test_what_waits_is_counted_and_is_there_again(tmp_path: Path) -> None:
    """Rows that the cloud has are not in the count."""
    path = journals.make(tmp_path / "journal.db", 7, acked=2)
    before = count_queue(path)
    assert (before.count, before.tip) == (5, (1, 7))
    assert count_again(path, before) == (5, True)
    assert schema_of(path) == before.schema_version == 1


def test_what_reached_the_cloud_meanwhile_and_what_came_since_change_nothing(tmp_path: Path) -> None:
    """A new version that pushes and sells while it is watched is no worse for it."""
    path = journals.make(tmp_path / "journal.db", 4)
    before = count_queue(path)
    journals.append(path, "later-1", "later-2")
    journals.acknowledge(path, 3)
    assert count_again(path, before) == (4, True)


@pytest.mark.parametrize("seq", [3, 5, 6])
def test_a_row_that_was_changed_is_noticed(tmp_path: Path, seq: int) -> None:
    """Among those that waited, and among those that came since: the newer version broke it."""
    path = journals.make(tmp_path / "journal.db", 5, acked=1)
    before = count_queue(path)
    journals.append(path, "later")
    journals.spoil(path, seq)
    assert not count_again(path, before)[1]


def test_a_journal_that_lacks_the_newest_rows_is_noticed(tmp_path: Path) -> None:
    """An older copy in its place, or none, or no journal at all."""
    path = journals.make(tmp_path / "journal.db", 5)
    before = count_queue(path)
    assert count_again(journals.make(tmp_path / "older.db", 4), before) == (4, False)
    assert count_again(tmp_path / "none.db", before) == (0, False)
    (tmp_path / "other.db").write_bytes(b"no database" * 100)
    assert count_again(tmp_path / "other.db", before) == (0, False)


def test_other_rows_in_a_chain_of_their_own_are_noticed(tmp_path: Path) -> None:
    """As many, each good by itself, and not those that waited."""
    before = count_queue(journals.make(tmp_path / "journal.db", 3))
    other = journals.make(tmp_path / "other.db")
    journals.append(other, "x1", "x2", "x3")
    assert count_again(other, before) == (3, False)


def test_a_journal_that_grew_is_counted_on_from_a_copy(tmp_path: Path) -> None:
    """As if it had been counted at once; what the cloud has by now is left out."""
    path = journals.make(tmp_path / "journal.db", 4)
    known = KnownRows()
    count_queue(path, known)
    journals.append(path, "more-1", "more-2")
    journals.acknowledge(path, 3)
    assert count_queue(path, known) == count_queue(path)
    assert known.count == 3


def test_a_damaged_row_can_not_be_counted(tmp_path: Path) -> None:
    """Nobody switches away from a queue that can't be proven afterwards."""
    path = journals.make(tmp_path / "journal.db", 4)
    journals.spoil(path, 3)
    with pytest.raises(UnreadableError, match="as it was written"):
        count_queue(path)


def test_counting_leaves_nothing_beside_the_file(tmp_path: Path) -> None:
    """It may be done by root, and the agent has to open its file after it."""
    path = journals.make(tmp_path / "journal.db", 4)
    before = {each.name: each.read_bytes() for each in tmp_path.iterdir()}
    count_again(path, count_queue(path))
    assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == before

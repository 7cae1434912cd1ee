"""The journal that the old version gets back holds all that waited, and all that was sold since."""

import json
from pathlib import Path

import pytest

from till_agent.journal.witness import Witness
from till_installer.layout import Layout, linux_layout
from till_installer.upgrade.going_back import put_back
from till_installer.upgrade.queue import QueueProof, count_again, count_queue
from unit.upgrader import upgrader_journals as journals


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """With folders."""
    made = linux_layout(tmp_path / "root")
    made.state_dir.mkdir(parents=True)
    made.updates_dir.mkdir()
    return made


def kept(layout: Layout) -> tuple[Path, QueueProof]:
    """What the upgrader keeps of a journal of five rows, one of which the cloud has."""
    journal = journals.make(layout.state_dir / "journal.db", 5, acked=1)
    snapshot = layout.updates_dir / "journal.db"
    snapshot.write_bytes(journal.read_bytes())
    return snapshot, count_queue(snapshot)


def test_a_journal_that_is_whole_stays_with_what_was_sold_since(layout: Layout) -> None:
    """Sales of the version that is taken back are sales."""
    snapshot, proof = kept(layout)
    journals.append(layout.state_dir / "journal.db", "on-the-new-one")
    assert put_back(layout, proof, snapshot, reads=1, version="2") == "kept"
    assert journals.uids(layout.state_dir / "journal.db")[-1] == "on-the-new-one"


@pytest.mark.parametrize("harm", ["spoilt", "gone", "garbage", "short", "newer"])
def test_a_journal_that_is_not_is_put_aside_and_the_kept_one_takes_its_place(layout: Layout, harm: str) -> None:
    """Nothing is deleted; a report beside it has the agent look into it."""
    journal = layout.state_dir / "journal.db"
    snapshot, proof = kept(layout)
    journals.append(journal, "on-the-new-one")
    if harm == "spoilt":
        journals.spoil(journal, 3)
    elif harm == "gone":
        journal.unlink()
    elif harm == "garbage":
        journal.write_bytes(b"\0" * 8192)
    elif harm == "short":
        journal.unlink()
        journals.make(journal, 2)
    else:
        import sqlite3

        sqlite3.connect(journal, isolation_level=None).execute("PRAGMA user_version = 9").close()
    assert put_back(layout, proof, snapshot, reads=1, version="2") == "restored"
    assert count_again(journal, proof) == (4, True)
    reports = list(layout.state_dir.glob("journal.db.damaged-*.json"))
    assert len(reports) == (0 if harm == "gone" else 1)
    for report in reports:
        assert json.loads(report.read_bytes())["salvage"]["state"] == "begun"
        assert report.with_suffix("").is_file()
    mark = Witness(layout.state_dir / "journal.db-witness").read()
    assert mark is not None
    assert mark.seq == (2 if harm == "short" else 6), "the witness is ahead of the copy: a new epoch begins by itself"


def test_a_way_back_that_was_cut_off_is_repeated(layout: Layout) -> None:
    """The second time finds what the first has done."""
    snapshot, proof = kept(layout)
    (layout.state_dir / "journal.db").write_bytes(b"x" * 4096)
    assert put_back(layout, proof, snapshot, reads=1, version="2") == "restored"
    assert put_back(layout, proof, snapshot, reads=1, version="2") == "kept"
    assert count_again(layout.state_dir / "journal.db", proof) == (4, True)


def test_without_a_kept_one_the_agent_looks_into_what_there_is(layout: Layout) -> None:
    """It can salvage more than nothing."""
    snapshot, proof = kept(layout)
    snapshot.unlink()
    journals.spoil(layout.state_dir / "journal.db", 3)
    assert put_back(layout, proof, snapshot, reads=1, version="2") == "left"
    assert (layout.state_dir / "journal.db").exists()

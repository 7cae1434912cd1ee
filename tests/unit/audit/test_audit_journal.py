"""`tillside audit verify` over a real journal that somebody has been at: the first bad row is named each time."""

import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from integration.bridge.agent_kit import TILL, enrol_by_hand
from kit.loops import run
from till_agent.audit_trail import AUDIT_FILE, note
from till_agent.beating import TOLD_HEAD_FILE, ToldHead
from till_agent.journal import schema
from till_agent.journal.chain import FIRST, Row, row_hash
from till_config.main import main
from till_sync.ops import OpId
from till_sync.wire import OpResult
from unit.agent_stores.stores_kit import draft, journal_in, once

ROWS = 30
ACKED = 12


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state directory whose journal has thirty rows, twelve of them acknowledged."""
    folder = tmp_path_factory.mktemp("audit") / "state"
    enrol_by_hand(folder)

    async def fill() -> None:
        async with journal_in(folder, till=TILL) as journal:
            for number in range(ROWS):
                await journal.commit(once(draft(f"s-{number}", points=number)))
            epoch = journal.figures.epoch
            results = tuple(OpResult(seq=seq, status="applied") for seq in range(1, ACKED + 1))
            await journal.record(epoch, ACKED, results)

    run(fill())
    return folder


@pytest.fixture
def state_dir(whole: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "state"
    shutil.copytree(whole, copy)
    return copy


def verify(state_dir: Path, *words: str) -> tuple[int, dict[str, Any]]:
    config = state_dir.parent / "till.toml"
    config.write_text(f'[agent]\nstate_dir = "{state_dir}"\n', encoding="utf-8")
    done = CliRunner().invoke(main, ["audit", "verify", "--json", "--config", str(config), *words])
    return done.exit_code, json.loads(done.stdout) if done.stdout.startswith("{") else {"said": done.output}


def tamper(state_dir: Path, *statements: str) -> None:
    """As somebody with the file and SQLite would."""
    connection = sqlite3.connect(state_dir / "journal.db", isolation_level=None)
    for name in ("entries_never_change", "entries_never_go"):
        connection.execute(f"DROP TRIGGER {name}")
    for statement in statements:
        connection.execute(statement)
    connection.close()


def row(seq: int) -> int:
    return schema.row_id(1, seq)


def first_bad(state_dir: Path) -> tuple[int, str]:
    status, found = verify(state_dir)
    assert status == 3, found
    assert found["whole"] is False
    return found["first_bad"]["seq"], found["first_bad"]["why"]


def test_a_journal_that_nobody_was_at_is_whole(state_dir: Path) -> None:
    """Every row is looked at, and the head is named."""
    status, found = verify(state_dir)
    assert (status, found["rows"], found["first_bad"]) == (0, ROWS, None)
    assert found["head"] == f"{TILL}:1:{ROWS}"


def test_it_is_proven_while_an_agent_has_it_to_itself(state_dir: Path) -> None:
    """As on every till that sells; nothing is left beside the journal."""
    agent = sqlite3.connect(state_dir / "journal.db", isolation_level=None)
    agent.execute("PRAGMA locking_mode = EXCLUSIVE")
    agent.execute("BEGIN IMMEDIATE")
    agent.execute("COMMIT")
    before = {path.name for path in state_dir.iterdir()}
    status, found = verify(state_dir)
    after = {path.name for path in state_dir.iterdir()}
    agent.close()
    assert (status, found.get("rows")) == (0, ROWS), found
    assert after == before


@pytest.mark.parametrize(
    "change",
    [
        "body = '{}'",
        "effect_points = 1000",
        "at_wall_ms = 1",
        "row_hash = zeroblob(32)",
        "uid = 'other'",
        "answer = ''",
    ],
)
def test_an_edited_row_is_named(state_dir: Path, change: str) -> None:
    """Whatever of it was edited."""
    change = change.replace("'{}'", "CAST('{}' AS BLOB)").replace("''", "x''")
    tamper(state_dir, f"UPDATE entries SET {change} WHERE id = {row(17)}")
    assert first_bad(state_dir) == (17, "changed")


@pytest.mark.parametrize("seq", [1, 9, 17])
def test_a_deleted_row_is_named(state_dir: Path, seq: int) -> None:
    """Also the first, and one that the cloud has."""
    tamper(state_dir, f"DELETE FROM entries WHERE id = {row(seq)}")
    assert first_bad(state_dir) == (seq, "missing")


def test_rows_in_another_order_are_named_as_such(state_dir: Path) -> None:
    """The first of them, and where what belongs there stands."""
    tamper(
        state_dir,
        f"UPDATE entries SET id = -1 WHERE id = {row(15)}",
        f"UPDATE entries SET id = {row(15)} WHERE id = {row(21)}",
        f"UPDATE entries SET id = {row(21)} WHERE id = -1",
    )
    assert first_bad(state_dir) == (15, "moved")
    assert verify(state_dir)[1]["first_bad"]["detail"].endswith("1:21")


def test_a_tail_that_the_cloud_has_is_missed(state_dir: Path) -> None:
    """Cut below what was acknowledged: no other file is needed to see it."""
    (state_dir / "journal.db-witness").unlink()
    tamper(state_dir, f"DELETE FROM entries WHERE id > {row(ACKED - 2)}")
    assert first_bad(state_dir) == (ACKED - 1, "cut")


def test_a_tail_that_the_witness_knows_is_missed(state_dir: Path) -> None:
    """Cut above it: the witness file says how far the journal had come."""
    tamper(state_dir, f"DELETE FROM entries WHERE id > {row(ROWS - 3)}")
    assert first_bad(state_dir) == (ROWS - 2, "cut")


def told_head(state_dir: Path, seq: int, head: str) -> None:
    told = ToldHead(epoch=1, seq=seq, hash=head, at_ms=1)
    (state_dir / TOLD_HEAD_FILE).write_bytes(msgspec.json.encode(told))


def test_a_tail_that_a_heartbeat_told_is_missed(state_dir: Path) -> None:
    """With the witness gone too."""
    told_head(state_dir, ROWS, verify(state_dir)[1]["head_hash"])
    (state_dir / "journal.db-witness").unlink()
    tamper(state_dir, f"DELETE FROM entries WHERE id > {row(ROWS - 1)}")
    assert first_bad(state_dir) == (ROWS, "cut")


def test_a_chain_that_was_made_anew_is_not_the_one_that_was_told(state_dir: Path) -> None:
    """Who can read the source can make a chain; not one that ends in the hash which the cloud was told."""
    told_head(state_dir, ROWS - 5, head_at(state_dir, ROWS - 5))
    forge(state_dir, 20)
    assert first_bad(state_dir) == (ROWS - 5, "other")


def head_at(state_dir: Path, seq: int) -> str:
    connection = sqlite3.connect(state_dir / "journal.db")
    found: bytes = connection.execute("SELECT row_hash FROM entries WHERE id = ?", (row(seq),)).fetchone()[0]
    connection.close()
    return found.hex()


def forge(state_dir: Path, changed: int) -> None:
    """Edit a row, and work out every hash from it on anew."""
    tamper(state_dir)
    connection = sqlite3.connect(state_dir / "journal.db", isolation_level=None)
    salt = connection.execute("SELECT salt FROM epochs").fetchone()[0]
    previous = FIRST
    for columns in connection.execute(schema.STRETCH, (row(1), row(ROWS), ROWS)).fetchall():
        seq = schema.split_id(columns[0])[1]
        made = Row(*columns[2:])
        if seq == changed:
            made = msgspec.structs.replace(made, effect_points=made.effect_points + 1)
        previous, _ = row_hash(previous, OpId(TILL, 1, seq), salt, made)
        values = (made.effect_points, previous, columns[0])
        connection.execute("UPDATE entries SET effect_points = ?, row_hash = ? WHERE id = ?", values)
    connection.close()


def test_a_forged_chain_by_itself_is_whole(state_dir: Path) -> None:
    """Which is why the head is told to the cloud; this holds the test above to what it is about."""
    forge(state_dir, 20)
    assert verify(state_dir)[0] == 0


def test_an_old_copy_of_an_earlier_epoch_is_known(state_dir: Path) -> None:
    """A heartbeat told of a later one."""
    (state_dir / TOLD_HEAD_FILE).write_bytes(msgspec.json.encode(ToldHead(epoch=2, seq=4, hash="00", at_ms=1)))
    assert first_bad(state_dir) == (1, "cut")


def test_a_journal_that_was_put_aside_can_be_proven_too(state_dir: Path) -> None:
    """By its name; what lies beside the journal in use says nothing about it."""
    (state_dir / "journal.db").rename(state_dir / "journal.db.damaged-x")
    assert verify(state_dir, "--file", "journal.db.damaged-x")[0] == 0
    assert verify(state_dir)[0] == 1


def test_the_audit_log_is_proven_with_it(state_dir: Path) -> None:
    """A whole journal beside an audit log that somebody was at is not what was written."""
    for version in ("1.0.0", "1.1.0"):
        note(state_dir, "upgraded", to_version=version)
    status, found = verify(state_dir)
    assert (status, found["whole"], found["audit_log"]) == (0, True, {"lines": 2, "bad": None})
    path = state_dir / AUDIT_FILE
    path.write_bytes(path.read_bytes().replace(b"1.1.0", b"1.0.9"))
    status, found = verify(state_dir)
    assert (status, found["whole"], found["first_bad"]) == (3, False, None)
    assert (found["audit_log"]["bad"]["file"], found["audit_log"]["bad"]["line"]) == (AUDIT_FILE, 2)


def test_it_says_so_in_words(state_dir: Path) -> None:
    """For people."""
    tamper(state_dir, f"DELETE FROM entries WHERE id = {row(4)}")
    config = state_dir.parent / "till.toml"
    config.write_text(f'[agent]\nstate_dir = "{state_dir}"\n', encoding="utf-8")
    done = CliRunner().invoke(main, ["audit", "verify", "--config", str(config)])
    assert done.exit_code == 3
    assert f"The first bad row is {TILL}:1:4 (missing)" in done.output
    assert "3 rows before it are as they were written." in done.output

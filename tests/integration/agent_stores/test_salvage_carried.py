"""What waited in a journal that is given up goes on: under its own ids, or anew, or it is told as lost."""

import sqlite3
from pathlib import Path

import pytest

from integration.agent_stores.salvage_kit import (
    POINTS,
    change,
    destroy_pages,
    entries,
    fill,
    pushed,
    reopen,
    salvage_of,
    spoil,
    written,
)
from kit.loops import run
from till_agent.audit_trail import AUDIT_FILE, read
from till_agent.balances import OwnEffects
from till_agent.cli.salvaging import salvage_again
from till_agent.exceptions import JournalUnavailable
from till_agent.instance import StateDir
from till_agent.journal.salvage import ATTEMPTS
from till_sync.asking import HoldRequest
from till_sync.identity import IDENTITY_FILE, save_identity
from till_sync.identity import Identity as Enrolled
from till_sync.wire import HelloAnswer
from unit.agent_stores.stores_kit import TILL, Identity, draft, journal_in, once


def test_ops_before_the_damage_go_on_under_their_ids_and_those_behind_it_anew(tmp_path: Path):
    """Same salt, same bytes, first of all; then the new epoch with the others; the one between is named as lost."""
    identity = Identity()
    before = fill(tmp_path, identity, 12, acked=4)
    spoil(tmp_path, 8)
    report = reopen(tmp_path, identity)
    found = salvage_of(report)
    assert (report.reason, report.epoch, found.state) == ("chain", 2, "done")
    assert (found.sent_on, found.lost, found.anew, found.kept) == (3, 1, 4, 4)
    fates = {op.uid: (op.fate, op.anew) for op in found.ops}
    assert fates["s-7"] == ("sent_on", "")
    assert fates["s-8"] == ("lost", "")
    assert fates["s-9"] == ("anew", f"{TILL}:2:1")
    assert written(tmp_path, report) == report.damage
    old, new = pushed(tmp_path, identity)
    assert (old.epoch, old.salt, old.prev_hash != "") == (1, before.salt, True)
    assert old.ops == before.ops[4:7]
    assert (new.epoch, new.first_seq, new.prev_hash) == (2, 1, "")
    assert new.salt != old.salt
    assert [bytes(op.body) for op in new.ops] == [bytes(op.body) for op in before.ops[8:]]
    assert reopen(tmp_path, identity).reason == ""


def test_damage_to_what_the_cloud_has_leaves_every_waiting_op_its_id(tmp_path: Path):
    """The journal has holes then, in what is acknowledged: that is checked, answered and pushed as ever."""
    identity = Identity()
    before = fill(tmp_path, identity, 200, acked=190)
    spoil(tmp_path, 60, 190)
    report = reopen(tmp_path, identity)
    found = salvage_of(report)
    assert (found.sent_on, found.anew, found.lost, found.kept) == (10, 0, 0, 188)
    found_entries = entries(tmp_path, identity, "s-59", "s-60", "s-61", "s-191")
    assert [entry is not None for entry in found_entries] == [True, False, True, True]
    (batch,) = pushed(tmp_path, identity)
    assert (batch.epoch, batch.first_seq, batch.ops) == (1, 191, before.ops[190:])
    assert reopen(tmp_path, identity).reason == ""
    spoil(tmp_path, 61)
    assert reopen(tmp_path, identity).reason == "chain"


def test_rows_on_destroyed_pages_are_passed_by(tmp_path: Path):
    """SQLite can't read those pages at all; the first row behind each has nothing that proves it."""
    identity = Identity()
    before = fill(tmp_path, identity, 60, acked=10)
    destroy_pages(tmp_path, 20, 40)
    report = reopen(tmp_path, identity)
    found = salvage_of(report)
    assert found.sent_on >= 8
    assert found.sent_on + found.anew + found.lost == 50
    assert found.lost <= 6
    lost = [op for op in found.ops if op.fate == "lost"]
    assert all((op.kind, op.uid[:2]) == ("sale", "s-") for op in lost)
    batches = pushed(tmp_path, identity)
    sent = [bytes(op.body) for batch in batches for op in batch.ops]
    assert len(sent) == len(set(sent)) == found.sent_on + found.anew
    assert set(sent) < {bytes(op.body) for op in before.ops[10:]}


def test_a_second_start_doubles_nothing(tmp_path: Path):
    """The report is complete, so the file is not looked into again."""
    identity = Identity()
    fill(tmp_path, identity, 6, acked=2)
    spoil(tmp_path, 4)
    first = reopen(tmp_path, identity)
    assert reopen(tmp_path, identity).damage is None
    assert sum(len(batch.ops) for batch in pushed(tmp_path, identity)) == 3
    assert written(tmp_path, first).salvage == salvage_of(first)
    (line,) = read(tmp_path / AUDIT_FILE)[0]
    assert (line.what, line.facts["file"], line.facts["lost"]) == (
        "journal_salvaged",
        written(tmp_path, first).moved_to,
        "1",
    )


def test_effects_on_balances_are_right_again(tmp_path: Path):
    """Each op counts once, those that were lost count no more."""
    identity = Identity()
    fill(tmp_path, identity, 8, acked=0)
    spoil(tmp_path, 5)

    async def work() -> None:
        effects = OwnEffects()
        async with journal_in(tmp_path, identity, effects=effects):
            assert effects.effect(("m-1",), (0, 0)) == 7 * POINTS

    run(work())


def test_open_holds_are_kept_to_be_given_back(tmp_path: Path):
    """They can't be spent from any more: what the file says of their points is not proven."""
    identity = Identity()

    async def make() -> None:
        async with journal_in(tmp_path, identity) as journal:
            for name in ("h-1", "h-2"):
                request = HoldRequest(hold=name, till=TILL, sale_uid="s", member_id="m-1", points=5)
                await journal.holds.remember(request, 1)
            await journal.commit(once(draft("s-1", body=b'{"n":1,}' + b"y" * 3000)))
            await journal.commit(once(draft("r-1", kind="hold-release", hold="h-1")))

    run(make())
    spoil(tmp_path, 1)

    async def look() -> None:
        async with journal_in(tmp_path, identity) as journal:
            assert [(hold.hold, hold.state) for hold in journal.holds.unresolved()] == [("h-2", "asked")]

    run(look())


@pytest.mark.parametrize(
    ("kind", "fate"),
    [
        ("void", "anew"),
        ("return", "anew"),
        ("register", "anew"),
        ("attach-card", "anew"),
        ("hold-release", "anew"),
        ("grant-release", "needless"),
        ("coupon-use", "lost"),
    ],
)
def test_only_what_the_cloud_takes_once_is_journalled_anew(tmp_path: Path, kind: str, fate: str):
    """A grant is closed with its epoch; of a kind that nobody here knows, nothing is known."""
    identity = Identity()
    fill(tmp_path, identity, 3, acked=0)
    fill(tmp_path, identity, 1, acked=0, first=4, kind=kind)
    spoil(tmp_path, 2)
    found = salvage_of(reopen(tmp_path, identity))
    assert [(op.uid, op.fate) for op in found.ops if op.uid in ("s-3", "s-4")] == [("s-3", "anew"), ("s-4", fate)]


def test_waiting_ops_of_several_epochs_keep_their_order(tmp_path: Path):
    """An older epoch goes out whole before a newer one, and the newest begins after both."""
    identity = Identity()
    fill(tmp_path, identity, 3, acked=1)
    identity.save(4)
    fill(tmp_path, identity, 3, acked=0, first=4)
    spoil(tmp_path, 6)
    found = salvage_of(reopen(tmp_path, identity))
    assert (found.sent_on, found.lost) == (4, 1)
    assert [(batch.epoch, batch.first_seq, len(batch.ops)) for batch in pushed(tmp_path, identity)] == [
        (1, 2, 2),
        (5, 1, 2),
    ]


@pytest.mark.parametrize("suffix", ["", "-wal"])
def test_a_start_that_was_cut_short_after_the_move_goes_on(tmp_path: Path, suffix: str):
    """The file was put aside and nothing more; or only its log was."""
    identity = Identity()
    fill(tmp_path, identity, 6, acked=2)
    spoil(tmp_path, 4)
    report = reopen(tmp_path, identity)
    assert report.damage is not None
    moved = tmp_path / report.damage.moved_to
    text = (tmp_path / f"{moved.name}.json").read_text()
    (tmp_path / f"{moved.name}.json").write_text(text.replace('"done"', '"begun"'))
    (tmp_path / "journal.db").unlink()
    if suffix:
        moved.rename(tmp_path / "journal.db")
        (tmp_path / f"{moved.name}-wal").write_bytes(b"")
    again = reopen(tmp_path, identity)
    assert (again.reason, again.epoch) == ("chain", 3)
    assert (salvage_of(again).sent_on, salvage_of(again).anew, salvage_of(again).lost) == (1, 2, 1)


def test_a_start_that_was_cut_short_after_the_commit_only_completes_the_report(tmp_path: Path):
    """What is in the journal already is named as it went there."""
    identity = Identity()
    fill(tmp_path, identity, 6, acked=2)
    spoil(tmp_path, 4)
    report = reopen(tmp_path, identity)
    assert report.damage is not None
    path = tmp_path / f"{report.damage.moved_to}.json"
    path.write_text(path.read_text().replace('"done"', '"begun"'))
    assert reopen(tmp_path, identity).damage is None
    after = written(tmp_path, report).salvage
    assert after is not None
    before = salvage_of(report)
    assert (after.state, after.sent_on, after.anew, after.ops) == ("done", before.sent_on, before.anew, before.ops)
    assert sum(len(batch.ops) for batch in pushed(tmp_path, identity)) == 3


def test_a_file_that_ends_the_process_is_left_alone_after_some_tries(tmp_path: Path):
    """Each try is written down before it is made; the till starts all the same."""
    identity = Identity()
    fill(tmp_path, identity, 3, acked=0)
    spoil(tmp_path, 2)
    report = reopen(tmp_path, identity)
    assert report.damage is not None
    path = tmp_path / f"{report.damage.moved_to}.json"
    text = path.read_text().replace('"done"', '"begun"').replace('"attempts": 1', f'"attempts": {ATTEMPTS}')
    path.write_text(text)
    (tmp_path / "journal.db").unlink()
    again = reopen(tmp_path, identity)
    assert salvage_of(again).state == "given_up"
    assert pushed(tmp_path, identity) == []


def test_another_tills_ops_are_not_sent_on(tmp_path: Path):
    """They are not this till's to send, whatever they are."""
    identity = Identity()
    fill(tmp_path, identity, 3, acked=0)

    async def work() -> None:
        async with journal_in(tmp_path, identity, till="t-8") as journal:
            assert (journal.report.reason, await journal.waiting()) == ("foreign", 0)

    run(work())


@pytest.mark.parametrize("statement", ["UPDATE epochs SET salt = 'x' || substr(salt, 2)", "DELETE FROM epochs"])
@pytest.mark.parametrize("noted", [True, False], ids=["noted by the witness", "known to nobody"])
def test_without_a_salt_nothing_is_proven_and_nothing_sent(tmp_path: Path, statement: str, noted: bool):
    """It stands on one page of the journal, and behind the witness's mark."""
    identity = Identity()
    fill(tmp_path, identity, 4, acked=1)
    change(tmp_path, statement)
    if not noted:
        (tmp_path / "journal.db-witness").unlink()
    found = salvage_of(reopen(tmp_path, identity))
    waiting = 4 if statement.startswith("DELETE") else 3
    assert (found.sent_on, found.anew) == (waiting if noted else 0, 0)
    assert sum(len(batch.ops) for batch in pushed(tmp_path, identity)) == (waiting if noted else 0)


def test_a_header_that_was_destroyed_is_made_anew(tmp_path: Path):
    """Header and schema are the same in every journal, so no op is lost with them."""
    identity = Identity()
    fill(tmp_path, identity, 6, acked=2)
    path = tmp_path / "journal.db"
    path.write_bytes(b"\xa5" * 4096 + path.read_bytes()[4096:])
    found = salvage_of(reopen(tmp_path, identity))
    assert (found.sent_on, found.kept, found.lost) == (4, 2, 0)


def test_an_acknowledged_position_that_was_changed_loses_nothing(tmp_path: Path):
    """The chain does not cover it; what the cloud says of itself puts it right."""
    identity = Identity()
    before = fill(tmp_path, identity, 6, acked=2)
    change(tmp_path, "UPDATE epochs SET acked_seq = 1000")
    found = salvage_of(reopen(tmp_path, identity))
    assert (found.kept, found.lost) == (6, 0)
    hello = HelloAnswer(
        incarnation="i", till=TILL, store="s", epoch=1, acked_seq=2, head_hash=_hash(tmp_path, 2), server_time_ms=1
    )

    async def work() -> None:
        async with journal_in(tmp_path, identity) as journal:
            await journal.reconcile(hello)
            batch = await journal.next_batch(max_ops=100, max_bytes=10**9, incarnation="i")
            assert batch is not None
            assert batch.ops == before.ops[2:]

    run(work())


def _hash(folder: Path, seq: int) -> str:
    connection = sqlite3.connect(folder / "journal.db")
    found = connection.execute("SELECT row_hash FROM entries WHERE id = ?", ((1 << 40) | seq,)).fetchone()
    connection.close()
    return bytes(found[0]).hex()


def identity_file(folder: Path, epoch: int) -> None:
    """An enrolled till's identity."""
    identity = Enrolled(
        till=TILL, store="s", store_name="S", time_zone="UTC", token="t", identifier_key="00" * 32, last_epoch=epoch
    )
    save_identity(folder / IDENTITY_FILE, identity)


def test_the_command_looks_into_a_file_that_was_given_up(tmp_path: Path):
    """What waited there comes anew; a second look finds it there, under the same new ids."""
    identity = Identity()
    fill(tmp_path, identity, 5, acked=1)
    spoil(tmp_path, 3)
    report = reopen(tmp_path, identity)
    assert report.damage is not None
    for path in (tmp_path / "journal.db", tmp_path / "journal.db-witness"):
        path.unlink()
    reopen(tmp_path, identity)
    identity_file(tmp_path, identity.last_epoch)
    looks = [salvage_again(tmp_path, report.damage.moved_to) for _ in range(2)]
    assert [done for _report, done in looks] == [True, True]
    first, second = (each.salvage for each, _done in looks)
    assert first is not None
    assert second is not None
    assert (first.anew, first.lost, first.sent_on) == (3, 1, 0)
    assert (second.ops, second.anew) == (first.ops, 3)
    assert sum(len(batch.ops) for batch in pushed(tmp_path, identity)) == 3


def test_while_an_agent_runs_the_command_leaves_it_to_its_next_start(tmp_path: Path):
    """The journal is in use; the report says that it is to be looked into."""
    identity = Identity()
    fill(tmp_path, identity, 5, acked=1)
    spoil(tmp_path, 3)
    report = reopen(tmp_path, identity)
    assert report.damage is not None
    identity_file(tmp_path, identity.last_epoch)
    with StateDir(tmp_path):
        found, done = salvage_again(tmp_path, report.damage.moved_to)
    assert (done, found.salvage and found.salvage.state) == (False, "begun")
    reopen(tmp_path, identity)
    after = written(tmp_path, report).salvage
    assert after is not None
    assert (after.state, after.sent_on, after.anew, after.lost) == ("done", 1, 2, 1)


@pytest.mark.parametrize("name", ["journal.db", "../journal.db.damaged-x", "journal.db.damaged-20200101T000000Z", ""])
def test_the_command_takes_only_journals_that_were_put_aside(tmp_path: Path, name: str):
    """Not the journal itself, nor a file elsewhere."""
    fill(tmp_path, Identity(), 1, acked=0)
    identity_file(tmp_path, 1)
    with pytest.raises(JournalUnavailable, match="put aside"):
        salvage_again(tmp_path, name)


def test_a_row_that_a_damaged_log_took_with_it_is_told_as_lost(tmp_path: Path):
    """The journal before the hole is whole, the rows behind it go anew, and the one between is not passed over."""
    identity = Identity()

    async def work() -> dict[str, bytes]:
        async with journal_in(tmp_path, identity) as journal:
            for number in range(1, 7):
                await journal.commit(once(draft(f"s-{number}", body=b'"%s"' % (b"%d" % number * 12_000))))
            names = ("journal.db", "journal.db-wal", "journal.db-witness")
            return {name: (tmp_path / name).read_bytes() for name in names}

    killed = run(work())
    log, page = killed["journal.db-wal"], b"4" * 4_000
    assert page in log
    killed["journal.db-wal"] = log.replace(page, b"?" * len(page))
    for name, content in killed.items():
        (tmp_path / name).write_bytes(content)
    report = reopen(tmp_path, identity)
    found = salvage_of(report)
    assert (report.reason, report.rows_lost) == ("gap", 1)
    assert (found.state, found.sent_on, found.anew, found.lost) == ("done", 0, 2, 1)
    assert [(op.op, op.fate) for op in found.ops if op.fate == "lost"] == [(f"{TILL}:1:4", "lost")]
    assert sum(len(each.ops) for each in pushed(tmp_path, identity)) == 5

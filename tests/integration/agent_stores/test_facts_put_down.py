"""What a till puts down at an orderly stop spares the next start to read bodies, and changes nothing that it knows."""

import asyncio
import errno
import hashlib
import json
import random
import sqlite3
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from integration.agent_stores.salvage_kit import spoil
from kit.loops import run
from till_agent.balances import OwnEffects
from till_agent.exceptions import JournalUnavailable
from till_agent.journal import rebuilding
from till_agent.journal.changes import pack_change
from till_agent.journal.schema import row_id
from till_agent.journal.session import Session
from till_sync.wire import HelloAnswer
from unit.agent_stores.stores_kit import TILL, Identity, draft, journal_in, once

FILE = "journal.db-facts"
MEMBERS = ("m-1", "m-2", "m-3")
KINDS = ("sale", "void", "return", "grant-release")


@pytest.fixture(autouse=True)
def read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Rows of which bodies were read for their facts; a few changes are worth a file here."""
    rows: list[int] = []
    changes_after = Session.changes_after

    def told(session: Session, identity: int, limit: int) -> list[tuple[int, str, bytes]]:
        found = changes_after(session, identity, limit)
        rows.extend(each[0] for each in found)
        return found

    monkeypatch.setattr(Session, "changes_after", told)
    monkeypatch.setattr(rebuilding, "LEAST_CHANGES", 1)
    return rows


def body(number: int) -> bytes:
    """A sale of which the rules took note."""
    usage = [{"rule": "r", "per": "day", "key": f"2026-01-0{number % 9 + 1}", "amount": number, "uses": 1}]
    result = {"accruals": [{"rule": "r", "points": number, "active_from": "2026-02-01"}], "redeemed_points": number % 3}
    day = {"business_date": f"2026-01-0{number % 9 + 1}"}
    return json.dumps(
        {"kind": "sale", "clock": day, "usage": usage, "result": result, "hold": "f-1" if number % 3 else ""}
    ).encode()


def who(folder: Path) -> Identity:
    """The till, before its first journal and after."""
    return Identity(1 if (folder / "journal.db").exists() else 0)


async def sell(folder: Path, first: int, count: int, floor: tuple[int, int] | None = None) -> OwnEffects:
    """A run of the till; what it knew at its end."""
    effects = OwnEffects()
    async with journal_in(folder, who(folder), effects=effects, floor=floor) as journal:
        for number in range(first, first + count):
            member = MEMBERS[number % len(MEMBERS)]
            await journal.commit(once(draft(f"s-{number}", member=member, points=number, body=body(number))))
    return effects


def known(effects: OwnEffects) -> object:
    """All that rules and cashiers are told of it."""
    facts = [(effects.facts((each,), (0, 0)), effects.effect((each,), (0, 0))) for each in MEMBERS]
    spent = [effects.offline_spent(each, (0, 0)) for each in MEMBERS]
    return facts, spent, effects.given("r", (0, 0)), effects.floor_points, effects.changes()


def test_the_next_start_reads_no_body_and_knows_the_same(tmp_path: Path, read: list[int]) -> None:
    """By the file and without it. The file is of one start; a crash leaves none."""
    before = known(run(sell(tmp_path, 1, 20)))
    read.clear()
    kept = (tmp_path / FILE).read_bytes()

    async def start() -> object:
        effects = OwnEffects()
        async with journal_in(tmp_path, who(tmp_path), effects=effects):
            assert not (tmp_path / FILE).exists()
        return known(effects)

    assert run(start()) == before
    assert not read
    (tmp_path / FILE).unlink()
    assert run(start()) == before
    assert read == [row_id(1, seq) for seq in range(1, 21)]
    assert (tmp_path / FILE).read_bytes() == kept
    assert (tmp_path / FILE).stat().st_mode & 0o077 == 0


def test_of_rows_after_the_file_the_bodies_are_read(tmp_path: Path, read: list[int]) -> None:
    """A file that was left behind by an earlier run says nothing wrong, only less."""
    run(sell(tmp_path, 1, 5))
    older = (tmp_path / FILE).read_bytes()
    before = known(run(sell(tmp_path, 6, 4)))
    (tmp_path / FILE).write_bytes(older)
    read.clear()
    assert known(run(sell(tmp_path, 1, 0))) == before
    assert read == [row_id(1, seq) for seq in range(6, 10)]


def test_a_file_that_is_not_as_it_was_written_says_nothing(tmp_path: Path, read: list[int]) -> None:
    """A bit changed anywhere, an end that is missing, nothing at all, too much."""
    before = known(run(sell(tmp_path, 1, 6)))
    whole = (tmp_path / FILE).read_bytes()
    numbers = random.Random(8)
    for _ in range(12):
        spoiled = bytearray(whole)
        spoiled[numbers.randrange(len(whole))] ^= 1 << numbers.randrange(8)
        for content in (bytes(spoiled), whole[: numbers.randrange(len(whole))], whole + b"x"):
            (tmp_path / FILE).write_bytes(content)
            assert rebuilding.take(tmp_path / FILE, TILL) is None
    (tmp_path / FILE).write_bytes(bytes(spoiled))
    read.clear()
    assert known(run(sell(tmp_path, 1, 0))) == before
    assert len(read) == 6


@pytest.mark.parametrize(
    "change",
    [
        lambda found: msgspec.structs.replace(found, program="0.0.1 1"),
        lambda found: msgspec.structs.replace(found, till="t-8"),
        lambda found: msgspec.structs.replace(found, epoch=2),
        lambda found: msgspec.structs.replace(found, seq=found.seq + 1),
        lambda found: msgspec.structs.replace(found, seq=0, row_hash=""),
        lambda found: msgspec.structs.replace(found, row_hash="00" * 32),
        lambda found: msgspec.structs.replace(found, after=row_id(1, 1)),
    ],
    ids=["program", "till", "epoch", "ahead", "no row", "another past", "less than is asked for"],
)
def test_what_another_program_till_or_past_put_down_is_not_believed(
    tmp_path: Path, read: list[int], change: Callable[[rebuilding.PutDown], rebuilding.PutDown]
) -> None:
    """It would give or take points that nobody has; the bodies have the word."""
    before = known(run(sell(tmp_path, 1, 6)))
    found = rebuilding.take(tmp_path / FILE, TILL)
    assert found is not None
    wrong = [(identity, "m-1", packed) for identity, _key, packed in found.changes]
    rebuilding.write(tmp_path / FILE, change(msgspec.structs.replace(found, changes=wrong)))
    read.clear()
    assert known(run(sell(tmp_path, 1, 0))) == before
    assert len(read) == 6


def test_what_was_forgotten_is_read_again_where_it_counts_again(tmp_path: Path, read: list[int]) -> None:
    """A page told of the first ops, so they were forgotten; then the cache is lost, and all balances begin before."""

    async def work() -> None:
        effects = OwnEffects()
        async with journal_in(tmp_path, who(tmp_path), effects=effects) as journal:
            for number in range(1, 8):
                await journal.commit(once(draft(f"s-{number}", points=number, body=body(number))))
            effects.forget((1, 4))

    run(work())
    later = run(sell(tmp_path, 1, 0, floor=(1, 4)))
    assert [each[0] for each in later.changes()] == [row_id(1, seq) for seq in (5, 6, 7)]
    read.clear()
    assert len(run(sell(tmp_path, 1, 0, floor=(0, 0))).changes()) == 7
    assert len(read) == 7


def test_a_till_whose_past_was_set_back_puts_nothing_down(tmp_path: Path) -> None:
    """The cloud came from a backup and lost ops: what counts again is read from the journal at the next start."""

    async def work() -> None:
        async with journal_in(tmp_path, who(tmp_path)) as journal:
            for number in range(1, 4):
                await journal.commit(once(draft(f"s-{number}", body=body(number))))
            await journal.record(1, 3, ())
            await journal.reconcile(
                HelloAnswer(till=TILL, store="s", incarnation="i", epoch=1, acked_seq=0, head_hash="", server_time_ms=1)
            )

    run(work())
    assert not (tmp_path / FILE).exists()


def test_a_disk_that_takes_no_file_costs_the_next_start_its_time_alone(tmp_path: Path, read: list[int]) -> None:
    """A folder stands in its place."""
    (tmp_path / FILE).mkdir()
    before = known(run(sell(tmp_path, 1, 3)))
    read.clear()
    assert known(run(sell(tmp_path, 1, 0))) == before
    assert len(read) == 3


@pytest.mark.parametrize("is_left_by_a_kill", [True, False], ids=["killed", "full disk"])
def test_nothing_stays_of_a_file_that_was_not_written_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_left_by_a_kill: bool
) -> None:
    """On a full disk it would take the last room, and a kill leaves it for the next start."""
    path = tmp_path / FILE
    draft = tmp_path / f"{FILE}.draft"
    if is_left_by_a_kill:
        draft.write_bytes(b"half")
        assert rebuilding.take(path, TILL) is None
    else:
        known_here = rebuilding.PutDown("p", TILL, 1, 1, "00", 0, [])
        write_bytes = Path.write_bytes

        def full(where: Path, data: bytes) -> int:
            write_bytes(where, data[:3])
            raise OSError(errno.ENOSPC, "no room")

        monkeypatch.setattr(Path, "write_bytes", full)
        with pytest.raises(OSError, match="no room"):
            rebuilding.write(path, known_here)
    assert not draft.exists()
    assert not path.exists()


async def damaged_under_it(folder: Path) -> OwnEffects:
    """Eight sales; the disk fails, the first sale is damaged, and the others come again in a new epoch."""
    effects = OwnEffects()
    async with journal_in(folder, who(folder), effects=effects) as journal:
        for number in range(1, 9):
            named = b'{"n":%d,' % number + body(number)[1:]
            await journal.commit(once(draft(f"s-{number}", points=number, body=named)))

        def written(session: Session) -> None:
            session.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()

        def failed(_session: Session) -> None:
            raise sqlite3.OperationalError("disk I/O error")

        await journal._writer.submit(written, writes=False)
        with pytest.raises(JournalUnavailable):
            await journal._writer.submit(failed, writes=False)
        spoil(folder, 1)
        await journal.commit(once(draft("s-9", points=9, body=body(9))))
        assert journal.figures.epoch == 2
        ids = [row_id(2, seq) for seq in range(1, 9)]
        async with asyncio.timeout(60):
            while [each[0] for each in effects.changes()] != ids:
                await asyncio.sleep(0.001)
        assert effects.effect(("m-1",), (0, 0)) == sum(range(2, 10))
    return effects


@pytest.mark.parametrize("floor", [None, (1, 2)])
def test_of_an_epoch_that_was_put_aside_nothing_counts(tmp_path: Path, floor: tuple[int, int] | None) -> None:
    """Each sale would count twice: as the row that was put aside, and as the one that took its place."""
    gone = run(damaged_under_it(tmp_path))
    assert not (tmp_path / FILE).exists()

    async def start() -> OwnEffects:
        effects = OwnEffects()
        async with journal_in(tmp_path, Identity(2), effects=effects, floor=floor):
            pass
        return effects

    found = run(start())
    assert [each[0] for each in found.changes()] == [row_id(2, seq) for seq in range(1, 9)]
    assert known(found) == known(gone)
    told = rebuilding.take(tmp_path / FILE, TILL)
    assert told is not None
    strange = [(row_id(1, seq), "m-1", told.changes[0][2]) for seq in range(1, 9)]
    rebuilding.write(tmp_path / FILE, msgspec.structs.replace(told, changes=[*strange, *told.changes], after=0))
    assert known(run(start())) == known(found)


WHOLE = {
    "kind": "sale",
    "clock": {"business_date": "2026-01-05", "hour": 9},
    "sale_op": "t-7:1:3",
    "usage": [{"rule": "r", "per": "code", "key": "SPRING", "amount": 3, "uses": 1}],
    "result": {
        "accruals": [{"rule": "r", "points": 5, "active_from": "2026-02-01"}],
        "discounts": [{"rule": "d", "amount_minor": 70}],
        "redeemed_points": 9,
    },
    "points": 4,
    "wallet": {"token": 2, "rotating": 3},
}
READ = "41a8dd82697e"
"""Of what is read of these bodies in the form that `rebuilding.FORM` names."""


def test_a_form_names_what_is_read_of_a_body() -> None:
    """Who changes what is read raises `rebuilding.FORM`, and this digest with it: what an earlier build of the same
    release put down lacks it, and nothing else would tell."""
    bodies = [(kind, {**WHOLE, "kind": kind, "hold": hold}) for kind in KINDS for hold in ("", "g-1", "f-1", "h-1")]
    read = b"".join(pack_change(kind, json.dumps(each).encode()) for kind, each in bodies)
    assert (rebuilding.FORM, hashlib.sha256(read).hexdigest()[:12]) == ("1", READ)

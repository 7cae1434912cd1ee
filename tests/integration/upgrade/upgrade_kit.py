"""The golden files of former releases, unpacked; and the cloud of today on a golden database."""

import asyncio
import contextlib
import gzip
import hashlib
import importlib.util
import json
import sqlite3
import sys
import tarfile
import threading
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import msgspec

from till_agent.balances import OwnEffects
from till_agent.journal import DiskJournal, EpochKeeper, Place, open_journal
from till_agent.journal.chain import FIRST, Row, row_hash
from till_agent.journal.schema import APPEND, row_id, split_id
from till_cloud.centre import Centre
from till_cloud.server import CloudServer
from till_sync.clock import SystemClock
from till_sync.identity import IDENTITY_FILE, load_identity, save_identity
from till_sync.ops import OpId

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "0.1.0"
TILL = "k1"
WAIT_S = 20.0
COLUMNS = (
    *("id", "row_hash", "at_wall_ms", "effect_points", "kind", "uid", "about_uid", "subject_key", "hold"),
    *("request_digest", "answer", "body"),
)
"""Of a row as its hash takes them."""

T = TypeVar("T")


def unpack(name: str, folder: Path) -> Path:
    """A golden archive's files in `folder`, private as an installation's are."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tarfile.open(GOLDEN / f"{name}.tar.gz") as archive:
        archive.extractall(folder, filter="data")
    return folder


def golden_cloud(folder: Path) -> Path:
    """The golden cloud's database."""
    return unpack("cloud", folder) / "cloud.db"


@cache
def expected() -> dict[str, Any]:
    """What the old code went on to say; see tests/golden/0.1.0/README.md."""
    return json.loads(gzip.decompress((GOLDEN / "expected.json.gz").read_bytes()))


def exchanges(what: str, *, till: str = TILL) -> list[tuple[str, str]]:
    """(request, answer) of one kind, in order."""
    return [(asked, answer) for name, kind, asked, answer in expected()["exchanges"] if (name, kind) == (till, what)]


def answers(kind: str) -> dict[str, tuple[str, str]]:
    """The first till's documents of a kind by uid: (request, answer)."""
    return {uid: (asked, given) for till, of, uid, asked, given in expected()["answers"] if (till, of) == (TILL, kind)}


@cache
def old_wire() -> ModuleType:
    """The messages as 0.1.0 understands them: a copy of that version's `till_sync.wire`."""
    name = "golden_0_1_0_wire"
    spec = importlib.util.spec_from_file_location(name, GOLDEN / "wire.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # msgspec looks up the annotations there
    spec.loader.exec_module(module)
    return module


def queue(path: Path) -> tuple[int, str]:
    """(count, hash) of the ops that wait in a journal's file, read by nothing of ours: every column of every row."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        digest, count = hashlib.sha256(), 0
        acked = dict(connection.execute("SELECT epoch, acked_seq FROM epochs"))
        for row in connection.execute("SELECT * FROM entries ORDER BY id"):
            epoch, seq = split_id(row[0])
            if seq > acked[epoch]:
                count += 1
                digest.update(repr(row).encode())
        return count, digest.hexdigest()


def lengthen(state_dir: Path, waiting: int) -> int:
    """Lengthen a journal by plain sales of its own, each with another uid and chained as they are, until so many ops
    wait; how many it then has. That rows are chained that way is checked on its own rows first.
    """
    connection = sqlite3.connect(state_dir / "journal.db", isolation_level=None)
    ((epoch, till, salt, acked),) = connection.execute("SELECT epoch, till, salt, acked_seq FROM epochs").fetchall()
    rows = connection.execute(f"SELECT {', '.join(COLUMNS)} FROM entries ORDER BY id").fetchall()
    head = FIRST
    for seq, (_id, stored, *columns) in enumerate(rows, start=1):
        head, _fingerprint = row_hash(head, OpId(till, epoch, seq), salt, Row(*columns))
        assert head == stored, f"expected the chain of the journal at {seq}"
    sales = [Row(*row[2:]) for row in rows[acked:] if row[4] == "sale" and not row[8]]
    connection.execute("BEGIN")
    for seq in range(len(rows) + 1, acked + waiting + 1):
        like = sales[seq % len(sales)]
        uid = f"long-{seq}"
        old, new = f'"uid":"{like.uid}"'.encode(), f'"uid":"{uid}"'.encode()
        row = msgspec.structs.replace(
            like,
            at_wall_ms=like.at_wall_ms + 1000 * seq,
            uid=uid,
            request_digest=seq.to_bytes(32, "big"),
            answer=like.answer.replace(old, new),
            body=like.body.replace(old, new),
        )
        head, _fingerprint = row_hash(head, OpId(till, epoch, seq), salt, row)
        columns = (getattr(row, name) for name in row.__struct_fields__)
        connection.execute(APPEND, (row_id(epoch, seq), head, *columns))
    connection.execute("COMMIT")
    connection.close()
    # The mark beside it speaks of fewer rows, and one that is missing speaks of none.
    (state_dir / "journal.db-witness").unlink()
    return acked + waiting


def content(path: Path) -> str:
    """Everything that an SQLite file says, as text: header words, schema and rows."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        words = [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")]
        return "\n".join([*map(str, words), *connection.iterdump()])


@contextlib.asynccontextmanager
async def opened_journal(state_dir: Path):
    """The journal of a state directory, by today's code, with what opening found."""
    identity_path = state_dir / IDENTITY_FILE
    identity = load_identity(identity_path)
    keeper = EpochKeeper(
        identity.last_epoch,
        lambda epoch: save_identity(identity_path, load_identity(identity_path).with_epoch(epoch)),
    )
    place = Place(path=state_dir / "journal.db", till=identity.till, keeper=keeper, clock=SystemClock())
    journal: DiskJournal = await open_journal(place, OwnEffects())
    try:
        yield journal
    finally:
        assert await journal.stop()


class LiveCloud:
    """Today's cloud, served. `read` asks its database."""

    def __init__(self, centre: Centre, port: int) -> None:
        self.centre = centre
        self.url = f"http://127.0.0.1:{port}"

    def read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        return self.centre.read(query)

    def rows(self, sql: str, *values: object) -> list[list[Any]]:
        """Rows as JSON would have them."""
        return [list(row) for row in self.read(lambda connection: connection.execute(sql, values).fetchall())]

    def balances(self) -> dict[str, list[int]]:
        """Member -> balance, debt, earned, redeemed, given back, reversed, expired."""
        columns = "member_id, balance, debt, earned, redeemed, given_back, reversed, expired"
        return {row[0]: row[1:] for row in self.rows(f"SELECT {columns} FROM balances ORDER BY member_id")}

    def acked(self) -> int:
        return self.rows("SELECT acked_seq FROM tills WHERE till = ?", TILL)[0][0]


@contextlib.contextmanager
def live_cloud(database: Path) -> Iterator[LiveCloud]:
    """Today's cloud on a loop of its own thread."""
    found: list[Any] = []
    stop: list[Callable[[], None]] = []
    started = threading.Event()

    async def serve() -> None:
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        try:
            centre = Centre(database)
            server = CloudServer(centre)
            found.append(LiveCloud(centre, await server.start()))
        except BaseException as error:
            found.append(error)
            started.set()
            return
        stop.append(lambda: loop.call_soon_threadsafe(ended.set))
        started.set()
        await ended.wait()
        await server.stop()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    assert started.wait(WAIT_S), "the cloud did not start"
    if isinstance(found[0], BaseException):
        raise found[0]
    try:
        yield found[0]
    finally:
        stop[0]()
        thread.join(WAIT_S)


def wanted_balances() -> dict[str, list[int]]:
    """The balances that the old code came to, in the shape of `LiveCloud.balances`."""
    return {row[0]: [row[1], *row[3:]] for row in expected()["balances"]}


def by_place(balances: dict[str, list[int]]) -> dict[str, Any]:
    """The same, with members that a cloud made for unknown cards in one list of figures: it names them at random."""
    named = {who: figures for who, figures in balances.items() if who in named_members()}
    return named | {"made": sorted(figures for who, figures in balances.items() if who not in named)}


def named_members() -> set[str]:
    """Those who were members before the first sale."""
    return {row[0] for row in expected()["balances"] if not row[0].startswith("m-new")}

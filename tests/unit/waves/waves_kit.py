"""A chain with some tills, what they say of themselves, and the waves that roll over them."""

import contextlib
import functools
import sqlite3
import tempfile
from pathlib import Path
from typing import Any

import msgspec

from till_cloud import heartbeats, registry, waves
from till_cloud.centre import Centre
from till_cloud.store import tills
from till_cloud.store import waves as rows
from till_cloud.waves.watching import at_heartbeat
from till_sync.heartbeat import Heartbeat, UpdateState, Wanted
from till_sync.wire import ProgrammeRow
from unit.cloud.cloud_kit import NOON_MS, Chain, chain, programme

HOUR_MS = 3_600_000


@functools.cache
def _empty() -> bytes:
    """A database with its tables: making them takes longer than most tests here."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "c.db")
        Centre(path).close()
        with contextlib.closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return path.read_bytes()


def quick_chain(path: Path) -> "contextlib.AbstractContextManager[Chain]":
    """`chain` on a copy of an empty database."""
    path.write_bytes(_empty())
    path.chmod(0o600)
    return chain(path)


class Fleet:
    """Tills by name, without sockets: `beat` is what the heartbeat's route does."""

    def __init__(self, chain: Chain, count: int, *, stores: int = 4) -> None:
        self.chain = chain
        self.names = [f"k{number:03d}" for number in range(count)]
        self.versions = dict.fromkeys(self.names, "1.0.0")
        self.programmes = dict.fromkeys(self.names, 1)

        def add(connection: Any) -> None:
            for number in range(stores):
                tills.put_store(connection, tills.StoreRow(f"shop{number}", "Shop", "Europe/Moscow"), 0)
            for number, name in enumerate(self.names):
                tills.add_till(connection, name, f"shop{number % stores}", 0)
                tills.enrol(connection, name, "t", NOON_MS)

        self.write(add)

    def write(self, work: Any) -> Any:
        return self.chain.centre.write(work).result()

    def start(self, **order: Any) -> rows.WaveRow:
        order = {"kind": "code", "version": "1.1.0", "sizes": (3, 6, 0), **order}
        return self.write(lambda c: waves.start(c, waves.StartOrder(**order), self.now()))

    def next(self, kind: str = "code", **how: Any) -> rows.WaveRow:
        return self.write(lambda c: waves.advance(c, kind, self.now(), **how))

    def open(self, kind: str = "code") -> rows.WaveRow | None:
        return self.chain.centre.read(lambda c: rows.open_wave(c, kind))

    def now(self) -> int:
        return self.chain.wall()

    def wait(self, hours: float) -> None:
        self.chain.wall.ms += round(hours * HOUR_MS)

    def beat(self, name: str, **said: Any) -> Wanted:
        """What the till is answered."""
        beat = Heartbeat(
            version=self.versions[name],
            started_ms=1,
            at_ms=self.now(),
            programme="test",
            programme_version=self.programmes[name],
        )
        beat = msgspec.structs.replace(beat, **said)
        till = self.chain.centre.quick(lambda c: tills.till(c, name))
        return self.write(lambda c: heartbeats.receive(c, till, beat, self.now(), wanted_for=at_heartbeat)).wanted

    def rolled_back(self, name: str, version: str = "1.1.0") -> Wanted:
        state = UpdateState(
            stage="rolled_back",
            from_version=self.versions[name],
            to_version=version,
            code="unhealthy",
            at_ms=self.now(),
        )
        return self.beat(name, update=state)

    def reached(self, field: str = "release", value: object = "1.1.0") -> list[str]:
        """Tills that are to have the new version now."""
        found = self.chain.centre.read(lambda c: {name: waves.wanted_for(c, name, self.now()) for name in self.names})
        return [name for name, wanted in found.items() if getattr(wanted, field) == value]

    def stage(self, version: int = 2) -> ProgrammeRow:
        return self.write(lambda c: registry.upload(c, programme(version), self.now(), staged=True))

    def selling(self, name: str) -> int:
        key = self.chain.centre.read(lambda c: waves.programme_key(c, name))
        return 0 if key is None else key[1]

    def feed(self, name: str, since: str) -> tuple[str, dict[int, bool]]:
        """The cursor behind a till's page, and the programme rows on it: version -> active."""
        row = self.chain.centre.quick(lambda c: tills.till(c, name))
        answer = self.chain.centre.changes(row, since=since, limit=1000)
        return answer.next, {each.version: each.active for each in answer.rows if isinstance(each, ProgrammeRow)}

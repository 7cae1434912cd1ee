"""The real cloud behind a simulated line: its HTTP application, ingest and store, without threads and sockets."""

import asyncio
import shutil
import sqlite3
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

from till_cloud.app import CloudApp
from till_cloud.centre import Centre
from till_cloud.jobs.lending import Lending
from till_cloud.jobs.running import JobsDone
from till_cloud.snapshots import folder_of
from till_cloud.store import meta
from till_cloud.store.connection import Gate, open_writer
from till_cloud.store.writer import Writer, _Work
from till_sync.exceptions import CloudUnreachable
from till_sync.transport import Reply

T = TypeVar("T")

SIDE_FILES = ("", "-wal")
"""What a database is on the disk; `-shm` is made anew from them."""
UNEXPECTED = 500
"""The answer when something failed that nobody thought of: tills ask again, and a mistake may hide behind that."""
STATEMENTS = 256
"""That the checks' own connection keeps ready: more than there are checks, which come again after each step."""


class InlineWriter(Writer):
    """The cloud's writer with its own commit, on the spot instead of in a thread."""

    def __init__(self, path: Path, *, on_commit: Callable[[], None] = lambda: None) -> None:  # no super: no thread
        self._on_commit = on_commit
        self._gate = Gate(path)
        with self._gate.held():
            self._connection = open_writer(path)

    def submit(self, run: Callable[..., T]) -> "Future[T]":
        work = _Work(run)
        self._commit([work])
        return work.future

    def close(self) -> None:
        self._shut()


class SimulatedCloud:
    """One cloud database that may crash, come back, or be put back from an older copy."""

    def __init__(self, folder: Path, template: Path, wall_ms: Callable[[], int], new_id: Callable[[], str]) -> None:
        self._folder = folder
        self._wall_ms = wall_ms
        self._new_id = new_id
        self._life = 0
        self._path = folder / "cloud-0.db"
        shutil.copy(template, self._path)
        self._backup: Path | None = None
        self._newest: Path | None = None
        self.restored = False
        self.blanked: set[tuple[str, int, int]] = set()
        """Operations (till, epoch, seq) of which an erasure changed the bodies."""
        self.erased_tags: set[str] = set()
        """Tags of members who were erased."""
        self.clock_was_set = False
        """Whether somebody ever set its wall clock."""
        self.stumbled = ""
        """What it answered with an error that nobody expects."""
        self._open()

    def _open(self) -> None:
        self.centre = Centre(self._path, wall_ms=self._wall_ms, new_id=self._new_id)
        self._app = CloudApp(self.centre)
        self._asgi = self._app.asgi()
        # Its own, so that the checks' statements don't push the cloud's out of their places, nor the other way round.
        self._onlooker = sqlite3.connect(
            f"{self._path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, cached_statements=STATEMENTS
        )
        self.up = True

    @property
    def path(self) -> Path:
        """The database's file in this life."""
        return self._path

    def read(self, query: Callable[..., T]) -> T:
        """What the database says now."""
        self._onlooker.execute("BEGIN")
        try:
            return query(self._onlooker)
        finally:
            self._onlooker.execute("ROLLBACK")

    @property
    def version(self) -> tuple[int, int]:
        """Another pair whenever anything was committed, or the file is another one."""
        return self._life, self._onlooker.execute("PRAGMA data_version").fetchone()[0]

    def lend(self) -> int:
        """Put points at hand of tills, as the cloud's job does; how many."""
        work = Lending(self.centre.registry, self.centre.wall_ms)
        while self.centre.write(work.block).result():
            pass
        done = JobsDone()
        work.tell(done)
        return done.lent_points

    def crash(self) -> None:
        """The process ends in mid-air; what was committed is on the disk."""
        self.up = False
        self._life += 1
        after = self._folder / f"cloud-{self._life}.db"
        copy_database(self._path, after)
        if folder_of(self._path).is_dir():
            shutil.copytree(folder_of(self._path), folder_of(after))
        self._close()
        self._path = after

    def restart(self) -> None:
        """The process is there again."""
        if not self.up:
            self._open()

    def back_up(self) -> None:
        """Keep a copy of how it is now."""
        if self.up:
            self._backup = self._folder / "backup.db"
            for suffix in SIDE_FILES:
                Path(f"{self._backup}{suffix}").unlink(missing_ok=True)
            copy_database(self._path, self._backup)

    @property
    def has_newest(self) -> bool:
        """Whether there is a copy from after tills let go of rows."""
        return self._newest is not None

    def keep_newest(self) -> None:
        """Keep another copy, for when the first one turns out to be too old."""
        self._newest = self._folder / "newest.db"
        for suffix in SIDE_FILES:
            Path(f"{self._newest}{suffix}").unlink(missing_ok=True)
        copy_database(self._path, self._newest)

    def restore(self, *, newest: bool = False) -> bool:
        """Put the copy back, with a new incarnation as the page on backups says. False when there is none."""
        source = self._newest if newest else self._backup
        if source is None:
            return False
        self.restored = True
        if self.up:
            self.crash()
        self._life += 1
        self._path = self._folder / f"cloud-{self._life}.db"
        copy_database(source, self._path)
        self._open()
        self.centre.write(lambda connection: meta.set_incarnation(connection, meta.new_incarnation())).result()
        return True

    async def carry(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """One request through the real application. CloudUnreachable while it is down."""
        if not self.up:
            raise CloudUnreachable("connection refused")
        life = self._life
        reply = await _ask(self._asgi, method, path, headers, body)
        if not self.up:
            raise CloudUnreachable("the server went away")
        if reply.status == UNEXPECTED and life == self._life:
            self.stumbled = self.stumbled or f"{method} {path}: {reply.body.decode()}"
        return reply

    def close(self) -> None:
        if self.up:
            self._close()

    def _close(self) -> None:
        self._onlooker.close()
        self.centre.close()


def copy_database(source: Path, target: Path) -> None:
    """The files as a system that ends here would leave them."""
    for suffix in SIDE_FILES:
        part = Path(f"{source}{suffix}")
        if part.exists():
            shutil.copy(part, f"{target}{suffix}")


async def _ask(app: Any, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Reply:
    path, _, query = target.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [
            *((name.lower().encode(), value.encode()) for name, value in headers.items()),
            (b"content-length", str(len(body)).encode()),
        ],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 2),
    }
    parts: list[dict[str, Any]] = []
    pending = [{"type": "http.request", "body": body, "more_body": False}]
    gone = asyncio.Event()

    async def receive() -> dict[str, Any]:
        if pending:
            return pending.pop()
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        parts.append(message)

    await app(scope, receive, send)
    start = parts[0]
    answered = {name.decode(): value.decode() for name, value in start["headers"]}
    return Reply(start["status"], answered, b"".join(part.get("body", b"") for part in parts[1:]))

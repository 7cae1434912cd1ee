"""A disk that may lose what was not synced: rebuilt from the system calls of a traced process.

Names (creating, removing a file) count as durable at once, as a journalling file system keeps them in order; what is
written counts only after a sync of its file. A power cut keeps, of what was not synced, nothing, all, or any part, and
may tear the last write at a sector.
"""

import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

SECTOR = 512

_CALL = re.compile(r"^(?P<pid>\d+) +(?P<name>\w+)\((?P<rest>.*)$")
_ON_FILE = re.compile(r"^(?P<fd>\d+)<(?P<path>[^>]*)>(?:, (?P<more>.*))?\) += (?P<result>-?\d+)")
_DATA = re.compile(r'^"(?P<data>[^"]*)"(?P<cut>\.\.\.)?, \d+(?:, (?P<offset>\d+))?$')
_NAMED = re.compile(r'"(?P<path>[^"]*)".* = 0')

TRACE_OPTIONS = ("-y", "-xx", "-s", "65536", "-e", "trace=pwrite64,write,ftruncate,fdatasync,fsync,unlink,unlinkat")


class Event(NamedTuple):
    """One call: on which file, what was written where (`data` None: cut to `offset`; `sync`: neither)."""

    kind: str
    path: str
    offset: int = 0
    data: bytes | None = None


def _text(escaped: str) -> bytes:
    return bytes.fromhex(escaped.replace("\\x", ""))


def read_trace(trace: Path, folder: Path) -> list[Event]:
    """Events on files of `folder`, and the lines that the process said (`kind` said)."""
    events: list[Event] = []
    waiting: dict[str, str] = {}
    for line in trace.read_text().splitlines():
        pid, _, rest = line.partition(" ")
        if line.endswith("<unfinished ...>"):
            waiting[pid] = line.removesuffix(" <unfinished ...>")
            continue
        resumed = re.match(r"^ *<\.\.\. \w+ resumed>,? ?(.*)$", rest)
        whole = waiting.pop(pid) + resumed.group(1) if resumed and pid in waiting else line
        event = _event(whole, str(folder))
        if event is not None:
            events.append(event)
    return events


def _event(line: str, folder: str) -> Event | None:
    call = _CALL.match(line)
    if call is None:
        return None
    name, rest = call["name"], call["rest"]
    if name in ("unlink", "unlinkat"):
        named = _NAMED.search(rest)
        path = _text(named["path"]).decode() if named else ""
        return Event("unlink", path) if path.startswith(folder) else None
    on_file = _ON_FILE.match(rest)
    if on_file is None or int(on_file["result"]) < 0:
        return None
    path = _text(on_file["path"]).decode() if on_file["path"].startswith("\\x") else on_file["path"]
    more = on_file["more"] or ""
    if name in ("fdatasync", "fsync"):
        return Event("sync", path) if path.startswith(folder) else None
    if name == "ftruncate":
        return Event("truncate", path, int(more))
    data = _DATA.match(more)
    assert data is not None, line[:200]
    assert not data["cut"], "a longer write than strace was told to show"
    written = _text(data["data"])[: int(on_file["result"])]
    if on_file["fd"] == "1":
        return Event("said", "", 0, written)
    if not path.startswith(folder):
        return None
    # Only the log is ever written without a place: at its end, when room is made for it.
    appended = name == "write" and path.endswith("-wal")
    return Event("append" if appended else "write", path, int(data["offset"] or 0), written)


class Disk:
    """What each file holds for certain, and what was written to it since."""

    def __init__(self) -> None:
        self.durable: dict[str, bytes] = {}
        self.pending: dict[str, list[Event]] = {}
        self.said: list[str] = []

    def take(self, event: Event) -> None:
        """One more call."""
        if event.kind == "said":
            self.said.extend((event.data or b"").decode().splitlines())
        elif event.kind == "unlink":
            self.durable.pop(event.path, None)
            self.pending.pop(event.path, None)
        elif event.kind == "sync":
            if event.path in self.pending:
                self.durable[event.path] = apply_all(self.durable[event.path], self.pending.pop(event.path))
        else:
            if event.kind == "append":
                event = event._replace(kind="write", offset=len(apply_all(*self._both(event.path))))
            self.durable.setdefault(event.path, b"")
            self.pending.setdefault(event.path, []).append(event)

    def _both(self, path: str) -> tuple[bytes, list[Event]]:
        return self.durable.get(path, b""), self.pending.get(path, [])

    def states(self, draw: random.Random) -> Iterator[dict[str, bytes]]:
        """What a power cut now may leave: nothing of what was not synced, all, some, perhaps with a torn end."""
        yield dict(self.durable)
        if not any(self.pending.values()):
            return
        yield {path: apply_all(content, self.pending.get(path, [])) for path, content in self.durable.items()}
        for torn in draw.choice([(False,), (True,)]):
            yield {
                path: apply_all(content, _some(self.pending.get(path, []), draw, torn=torn))
                for path, content in self.durable.items()
            }


def _some(events: list[Event], draw: random.Random, *, torn: bool) -> list[Event]:
    kept = [event for event in events if draw.random() < 0.5]
    if torn and kept:
        last = kept.pop()
        if last.data is not None:
            kept.append(last._replace(data=last.data[: draw.randrange(0, len(last.data) + 1, SECTOR)]))
    return kept


def apply_all(content: bytes, events: list[Event]) -> bytes:
    """The file after these writes, in order."""
    changed = bytearray(content)
    for event in events:
        if event.data is None:
            changed = changed[: event.offset].ljust(event.offset, b"\0")
            continue
        end = event.offset + len(event.data)
        if len(changed) < end:
            changed.extend(bytes(end - len(changed)))
        changed[event.offset : end] = event.data
    return bytes(changed)


def put(state: dict[str, bytes], folder: Path, target: Path) -> None:
    """Make the files of a state in another folder."""
    for path, content in state.items():
        (target / Path(path).relative_to(folder)).write_bytes(content)

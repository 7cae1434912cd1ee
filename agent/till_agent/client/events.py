"""What the agent tells without being asked, as typed events; and the reader of server-sent events."""

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct

from till_agent.api import Health, Message, ScanEvent, SyncStatus
from till_agent.client.exceptions import AnswerMalformedError

CONNECT_S = 5.0
IDLE_S = 45.0
"""The agent comments every 15 s: three of those missed, and nobody is there."""
PAUSE_MS = 1_000
SHORTEST_PAUSE_MS = 100
"""Whatever is asked for: without a pause there would be a storm of connections."""
LONGEST_PAUSE_MS = 10_000
RETRY_DIGITS = 8
BUFFER_LIMIT_BYTES = 4 * 1024 * 1024
"""An event that is not whole yet; a scan with all that a member has takes a few thousand bytes."""

KINDS: dict[str, type[Struct]] = {"scan": ScanEvent, "device": Health, "sync": SyncStatus, "alert": Message}


class Event(Struct, frozen=True):
    """One event: `data` is by `name` ScanEvent (scan), Health (device), SyncStatus (sync), Message (alert).

    `reset`: events were missed that can't be told again; it has no data, and nor have events that this release does
    not know. `id` is for `last_event_id` of a later stream.
    """

    id: str
    name: str
    data: ScanEvent | Health | SyncStatus | Message | None


class EventReader:
    """Bytes of a stream become events. `last_id`: of the last event given; `retry_ms`: what the agent asks for."""

    def __init__(self, last_id: str = "") -> None:
        self.last_id = last_id
        self.retry_ms = PAUSE_MS
        self._rest = b""
        self._begin()

    def feed(self, data: bytes) -> Iterator[Event]:
        """The events that are whole now. AnswerMalformedError for what no agent sends."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > BUFFER_LIMIT_BYTES:
            raise AnswerMalformedError("events", f"expected lines of at most {BUFFER_LIMIT_BYTES} bytes")
        for raw in lines:
            self._size += len(raw)
            if self._size > BUFFER_LIMIT_BYTES:
                raise AnswerMalformedError("events", f"expected events of at most {BUFFER_LIMIT_BYTES} bytes")
            line = raw.removesuffix(b"\r").decode("utf-8", "replace")
            if line:
                self._field(*line.partition(":")[::2])
            else:
                found = self._event()
                self._begin()
                if found is not None:
                    self.last_id = found.id
                    yield found

    def _begin(self) -> None:
        self._data: list[str]
        self._name, self._id, self._data, self._size = "message", "", [], 0

    def _field(self, name: str, value: str) -> None:
        value = value.removeprefix(" ")
        if name == "event":
            self._name = value
        elif name == "id":
            self._id = value
        elif name == "data":
            self._data.append(value)
        elif name == "retry" and value.isdecimal() and len(value) <= RETRY_DIGITS:
            self.retry_ms = min(max(int(value), SHORTEST_PAUSE_MS), LONGEST_PAUSE_MS)

    def _event(self) -> Event | None:
        text = "\n".join(self._data)
        if not text:
            return None
        kind = KINDS.get(self._name)
        data: Any = None
        if kind is not None:
            try:
                data = msgspec.json.decode(text, type=kind)
            except msgspec.DecodeError as exc:
                raise AnswerMalformedError("events", f"expected {kind.__name__}, not such JSON: {exc}") from exc
        return Event(self._id or self.last_id, self._name, data)

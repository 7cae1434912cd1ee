"""What the agent tells without being asked: scans, device states, sync, alerts; as server-sent events.

Each event has an id `run.number`. A client that comes back with `Last-Event-ID` gets what it missed, as far as the ring
goes; if that is not far enough, or the agent was started anew, it first gets an event `reset`: ask /v1/status again.
"""

import asyncio
import re
import secrets
from collections import deque
from typing import Literal

import msgspec
from msgspec import Struct

from till_sync.ports import Clock

EventName = Literal["scan", "device", "sync", "alert", "reset"]

RING_LIMIT = 512
"""Events that a client may have missed: a busy hour of scans, under 1 MB."""
SCAN_RESUME_LIMIT_MS = 30_000
"""An older scan is not told again: it was for a receipt that is no longer on the screen."""
LISTENER_LIMIT = 16
"""Streams at once: a till has one cash program and a page or two; each costs a connection and a queue."""
LISTENER_QUEUE_LIMIT = 128
"""Events that wait for one client; one that is further behind is cut off and may resume."""
LAST_EVENT_ID = re.compile(r"(?P<run>[0-9a-f]{8})\.(?P<number>[0-9]{1,15})")

_encode = msgspec.json.Encoder().encode


class Event(Struct, frozen=True):
    """One event; `frame` is what goes over the wire."""

    number: int
    name: EventName
    at_mono_ms: int
    frame: bytes


class Listener:
    """One client's place in the stream: a bounded queue of frames, and whether it fell behind."""

    def __init__(self) -> None:
        self._frames: deque[bytes] = deque()
        self._news = asyncio.Event()
        self.closed = False
        self.fell_behind = False

    def push(self, frame: bytes) -> bool:
        """Queue a frame; False, and the listener is closed, when too many wait."""
        if len(self._frames) >= LISTENER_QUEUE_LIMIT:
            self.fell_behind = True
            self.close()
            return False
        self._frames.append(frame)
        self._news.set()
        return True

    def close(self) -> None:
        """End the stream; what waits is not sent any more."""
        self.closed = True
        self._frames.clear()
        self._news.set()

    async def next(self, timeout_s: float) -> bytes:
        """All frames that wait, joined; b"" when none came in time or the listener was closed."""
        if not self._frames and not self.closed:
            try:
                async with asyncio.timeout(timeout_s):
                    await self._news.wait()
            except TimeoutError:
                return b""
        joined = b"".join(self._frames)
        self._frames.clear()
        if not self.closed:
            self._news.clear()
        return joined


class EventHub:
    """Takes events on the loop and hands them to every listener; never waits for one."""

    def __init__(self, clock: Clock, *, run: str = "") -> None:
        self._clock = clock
        self._run = run or secrets.token_hex(4)
        self._number = 0
        self._ring: deque[Event] = deque(maxlen=RING_LIMIT)
        self._listeners: set[Listener] = set()
        self._closed = False
        self.published = 0
        self.listeners_dropped = 0

    @property
    def listener_count(self) -> int:
        """Streams that are open now."""
        return len(self._listeners)

    def publish(self, name: EventName, data: object) -> None:
        """Tell everybody; `data` becomes the JSON of the event."""
        if self._closed:
            return
        self._number += 1
        self.published += 1
        frame = self._frame(name, data)
        self._ring.append(Event(self._number, name, self._clock.mono_ms(), frame))
        for listener in list(self._listeners):
            if not listener.push(frame):
                self._listeners.discard(listener)
                self.listeners_dropped += 1

    def listen(self, last_event_id: str = "") -> Listener | None:
        """A new listener, with what it missed already queued; None when there are too many or the hub is closed."""
        if self._closed or len(self._listeners) >= LISTENER_LIMIT:
            return None
        listener = Listener()
        for frame in self._missed(last_event_id):
            if not listener.push(frame):
                # More was missed than one queue holds: start over from now.
                listener = Listener()
                listener.push(self._frame("reset", {}))
                break
        self._listeners.add(listener)
        return listener

    def leave(self, listener: Listener) -> None:
        """The listener's stream has ended."""
        listener.close()
        self._listeners.discard(listener)

    def close(self) -> None:
        """End all streams and take no more."""
        self._closed = True
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()

    def _missed(self, last_event_id: str) -> list[bytes]:
        if not last_event_id:
            return []
        known = LAST_EVENT_ID.fullmatch(last_event_id)
        oldest = self._ring[0].number if self._ring else self._number + 1
        seen = int(known["number"]) if known and known["run"] == self._run else -1
        if not oldest - 1 <= seen <= self._number:
            return [self._frame("reset", {})]
        stale_ms = self._clock.mono_ms() - SCAN_RESUME_LIMIT_MS
        return [
            event.frame
            for event in self._ring
            if event.number > seen and not (event.name == "scan" and event.at_mono_ms < stale_ms)
        ]

    def _frame(self, name: EventName, data: object) -> bytes:
        # JSON has no line breaks of its own, so one `data:` line always holds it.
        return f"id: {self._run}.{self._number}\nevent: {name}\ndata: ".encode() + _encode(data) + b"\n\n"

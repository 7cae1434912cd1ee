"""The camera's own process: `python -m till_drivers.camera.child`. Started by `till_drivers.camera.process` only.

It ends when its standard input does, which is when the agent is gone, for whatever reason. It writes nothing but lines
(`till_drivers.camera.lines`) on its standard output.
"""

import os
import sys
import threading
import time
from collections.abc import Callable
from typing import NoReturn

from till_drivers.camera.bounds import bound_memory
from till_drivers.camera.eye import Eye
from till_drivers.camera.lines import LINE_LIMIT_BYTES, Alive, Eyes, Said, Seen, Start, line, parse_start, shortened
from till_drivers.camera.sources import Source, quiet_opencv
from till_drivers.clock import MonotonicClock
from till_drivers.exceptions import ProtocolError, TransportAbsent, TransportLost
from till_drivers.states import Backoff

ALIVE_EVERY_MS = 1_000
"""Fifteen of these are missing before the agent takes this process for hung."""
STEADY_S = 5.0
"""A source that gave pictures for so long is opened again soon after it is gone; one that closes at once is not."""
BUDGET_SHARE = 0.8
"""Of the time between two pictures; the rest is for getting the next one."""
NICENESS = 10
"""Sales go first."""
BAD_START = 2
NO_PACKAGES = 3
NO_MEMORY = 4
"""Exit statuses, for whoever looks at the processes; the agent goes by what was said."""


_INPUT = 0


class Teller:
    """Writes lines, one at a time, and a sign of life where nothing else was to say."""

    def __init__(self, descriptor: int, mono_ms: Callable[[], int]) -> None:
        self._descriptor = descriptor
        self._mono_ms = mono_ms
        self._said_ms = mono_ms()
        self._eyes: Eyes | None = None

    def say(self, message: Said) -> None:
        """Write the line; a state only when it is another. The process ends when nobody reads any more."""
        if isinstance(message, Eyes):
            if message == self._eyes:
                return
            self._eyes = message
        self._said_ms = self._mono_ms()
        try:
            data = line(message)
            while data:
                data = data[os.write(self._descriptor, data) :]
        except ProtocolError:
            return  # a code that is longer than any line: as good as unread
        except OSError:
            os._exit(0)

    def live(self) -> None:
        """Say that all is well, if that is due."""
        if self._mono_ms() - self._said_ms >= ALIVE_EVERY_MS:
            self.say(Alive())


class Watch:
    """Looks at one source until the process ends."""

    def __init__(
        self,
        source: Source,
        eye: Eye,
        teller: Teller,
        *,
        frames_per_second: int,
        note: str = "",
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._source = source
        self._eye = eye
        self._teller = teller
        self._interval_s = 1 / frames_per_second
        self._note = note
        self._sleep = sleep
        self._clock = MonotonicClock()
        self._backoff = Backoff(self._clock)

    def run(self) -> NoReturn:
        """Open, look, and open again when it is gone."""
        while True:
            try:
                self._source.open()
                self._teller.say(Eyes(open=True, detail=self._note))
                self._look()
            except (TransportAbsent, TransportLost) as exc:
                self._teller.say(Eyes(open=False, detail=shortened(exc)))
            self._source.close()
            self._eye.forget()
            self._backoff.failed()
            while self._backoff.wait_ms:
                self._teller.live()
                self._sleep(min(self._backoff.wait_ms, ALIVE_EVERY_MS / 2) / 1000)

    def _look(self) -> NoReturn:
        started = due = time.monotonic()
        while True:
            gray = self._source.read()
            for each in self._eye.see(gray, self._clock.mono_ms()):
                found = each.found
                self._teller.say(Seen(raw=found.raw, text=found.text, aim=found.aim, frames=each.frames))
            self._teller.live()
            if time.monotonic() - started >= STEADY_S:
                self._backoff.succeeded()
            # A picture that took too long is not made up for: the next is taken one interval after it was due at most.
            due = max(due + self._interval_s, time.monotonic() - self._interval_s)
            self._sleep(max(0.0, due - time.monotonic()))


def main() -> int:
    """See the top. Comes back only where it could not begin."""
    try:
        start = parse_start(_first_line())
    except ProtocolError:
        return BAD_START
    threading.Thread(target=_end_with_input, name="input", daemon=True).start()
    teller = Teller(sys.stdout.fileno(), MonotonicClock().mono_ms)
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    bound_memory()
    quiet_opencv()
    try:
        watch = _watch(start, teller)
    except ImportError as exc:
        teller.say(Eyes(open=False, detail=shortened(f"can't be imported: {exc}")))
        return NO_PACKAGES
    try:
        return watch.run()
    except MemoryError:
        # Nothing more can be relied on in here; the agent hears the end and starts another one.
        os._exit(NO_MEMORY)


def _watch(start: Start, teller: Teller) -> Watch:
    import cv2

    from till_drivers.camera.ladder import standard
    from till_drivers.camera.places import source_of
    from till_drivers.camera.stillness import Stillness

    cv2.setNumThreads(1)  # the other cores are the till's
    ladder, note = standard(start.encoding)
    budget_ms = round(1000 / start.frames_per_second * BUDGET_SHARE)
    eye = Eye(ladder, Stillness(), formats=start.formats, budget_ms=budget_ms)
    source = source_of(start, looks=ladder.height + 2)
    return Watch(source, eye, teller, frames_per_second=start.frames_per_second, note=note)


def _first_line() -> bytes:
    """What the agent writes. Read past Python's buffers, whose locks a thread that waits for the end would hold."""
    data = b""
    while not data.endswith(b"\n") and len(data) <= LINE_LIMIT_BYTES:
        piece = os.read(_INPUT, LINE_LIMIT_BYTES)
        if not piece:
            break
        data += piece
    return data


def _end_with_input() -> NoReturn:
    """The agent never writes a second line, so the next thing to come is the end."""
    try:
        while os.read(_INPUT, 1):
            pass
    finally:
        os._exit(0)


if __name__ == "__main__":
    sys.exit(main())

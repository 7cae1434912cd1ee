"""The newest records of the log, in memory, for the page of store IT: cleaned by the log's own rules, and bounded."""

import json
import logging
from collections import deque
from datetime import datetime
from typing import Literal

from till_agent.logs import JsonLines
from till_agent.page_api import LogLine, LogTail

LINES_LIMIT = 1_000
"""Of a quiet till a day, of a troubled one half an hour."""
BYTES_LIMIT = 1_000_000
"""All lines together, as encoded: tracebacks are long, and the agent has 60 MB in all."""
LINE_OVERHEAD = 200
"""What a kept line takes beside its text."""

_LEVELS: dict[str, Literal["debug", "info", "warning", "error"]] = {
    "debug": "debug",
    "info": "info",
    "warning": "warning",
}
_OWN = frozenset(("at", "level", "logger", "message"))


class Tail(logging.Handler):
    """Keeps the newest lines. Records come from any thread, and are read on the loop."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(JsonLines())
        self._lines: deque[tuple[int, bytes]] = deque()
        self._next = 1
        self._bytes = 0

    @property
    def size_bytes(self) -> int:
        """Of all that is kept."""
        return self._bytes

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record as the log writes it: whatever the log strikes out is not in here either."""
        try:
            line = self.format(record).encode("utf-8", "replace")
        except Exception:  # noqa: BLE001 - a handler never raises into who logs
            self.handleError(record)
            return
        # `logging` holds this handler's lock.
        self._lines.append((self._next, line))
        self._next += 1
        self._bytes += len(line) + LINE_OVERHEAD
        while len(self._lines) > LINES_LIMIT or self._bytes > BYTES_LIMIT:
            _, gone = self._lines.popleft()
            self._bytes -= len(gone) + LINE_OVERHEAD

    def read(self, after: int | None, limit: int) -> LogTail:
        """Lines after `after`, oldest first; None: the newest `limit`. A number that no line had yet is of a former
        run of the agent: then from the first line on."""
        self.acquire()
        try:
            lines, last = list(self._lines), self._next - 1
        finally:
            self.release()
        if after is None:
            return LogTail(lines=tuple([_line(*each) for each in lines[-limit:]]))
        if after > last:
            after = 0
        first = lines[0][0] if lines else last + 1
        wanted = lines[max(0, after + 1 - first) :][:limit]
        return LogTail(lines=tuple([_line(*each) for each in wanted]), dropped=max(0, first - after - 1))


def _line(seq: int, line: bytes) -> LogLine:
    entry = json.loads(line)
    return LogLine(
        seq=seq,
        at_ms=int(datetime.fromisoformat(entry["at"]).timestamp() * 1000),
        level=_LEVELS.get(entry["level"], "error"),
        logger=entry["logger"],
        message=entry["message"],
        fields={name: _text(value) for name, value in entry.items() if name not in _OWN},
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)

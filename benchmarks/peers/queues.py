"""Two queues on SQLite, each in its durable setting: queues.py FOLDER DOCUMENTS COUNT. Runs in a venv of its own.

Puts COUNT lines one by one, each durable before the next, as a till needs for its sales; then takes and acknowledges
them one by one. Prints items a second of both halves as JSON.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import litequeue
import persistqueue


def timed(count: int, step: Callable[[int], object]) -> float:
    """Steps a second."""
    started = time.perf_counter()
    for number in range(count):
        step(number)
    return count / (time.perf_counter() - started)


def main(folder: Path, documents: Path, count: int) -> None:
    """Both queues; what was taken out must be what was put in."""
    lines = documents.read_text(encoding="utf-8").splitlines()
    # A log that is synced at each commit is what SQLite does unless told otherwise: this queue tells it nothing.
    persist = persistqueue.SQLiteAckQueue(str(folder / "persist"), auto_commit=True)
    # This one asks for NORMAL, which loses the last commits with the power.
    lite = litequeue.LiteQueue(folder / "lite.db")
    lite.conn.execute("PRAGMA synchronous = FULL")

    def take_persist(number: int) -> None:
        item = persist.get()
        if item != lines[number % len(lines)]:
            raise RuntimeError(f"expected item {number}")
        persist.ack(item)

    def take_lite(number: int) -> None:
        message = lite.pop()
        if message is None or message.data != lines[number % len(lines)]:
            raise RuntimeError(f"expected item {number}")
        lite.done(message.message_id)

    found = {
        "persist-queue": {
            "put": timed(count, lambda number: persist.put(lines[number % len(lines)])),
            "take": timed(count, take_persist),
        },
        "litequeue": {
            "put": timed(count, lambda number: lite.put(lines[number % len(lines)])),
            "take": timed(count, take_lite),
        },
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))

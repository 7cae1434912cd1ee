"""The connection that look-ups are made with, on the loop: it never waits and never raises."""

import contextlib
import logging
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from till_agent.cache.opening import is_damage, open_reader, settle

_log = logging.getLogger(__name__)


class Reader:
    """Look-ups in the cache's file; `on_damage` is called when one meets what the file itself is at fault for."""

    def __init__(self, path: Path, on_damage: Callable[[Exception], None]) -> None:
        self._path = path
        self._on_damage = on_damage
        self._connection: sqlite3.Connection | None = None

    @property
    def is_open(self) -> bool:
        return self._connection is not None

    def open(self) -> None:
        """Open the file that is there now, in place of the one before."""
        self.close()
        try:
            self._connection = open_reader(self._path)
        except sqlite3.Error as exc:
            _log.error("the cache can't be read: %s", exc)

    def settle(self) -> None:
        """Read the file as it is, without its log, until the next `open`: nobody writes to it meanwhile."""
        self.close()
        with contextlib.suppress(sqlite3.Error):
            self._connection = settle(self._path)

    def give_back(self) -> None:
        """Let go of the pages that look-ups have read; they come back as they are wanted."""
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("PRAGMA shrink_memory")

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def fetch(self, statement: str, values: tuple[object, ...]) -> Any:
        """The first row, as sqlite3 gives it; None when there is none."""
        found = self.fetch_all(statement, values)
        return found[0] if found else None

    def fetch_all(self, statement: str, values: tuple[object, ...]) -> list[Any]:
        """All rows; none when the cache can't be read."""
        if self._connection is None:
            return []
        try:
            return self._connection.execute(statement, values).fetchall()
        except sqlite3.Error as exc:
            if is_damage(exc):
                self._on_damage(exc)
            else:
                _log.warning("the cache could not be read: %s", exc)
            return []

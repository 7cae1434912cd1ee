"""A copy of the whole database as it stands at one moment, while the cloud runs."""

import contextlib
import os
import sqlite3
from pathlib import Path

from till_cloud.exceptions import AdminError, StoreUnavailableError
from till_cloud.store.connection import create_private


def back_up(source: sqlite3.Connection, target: Path) -> int:
    """Copy what `source` sees to the new file `target`; gives its bytes. Under that name it is whole and on disk.

    Readable by its owner only. AdminError when something is there already, StoreUnavailableError when the disk refuses.
    """
    if target.exists():
        raise AdminError(f"expected a new name for the backup, not {target}, which is there already")
    draft = target.with_name(target.name + ".new")
    try:
        draft.unlink(missing_ok=True)
        create_private(draft)
        with contextlib.closing(sqlite3.connect(draft)) as copy:
            source.backup(copy)
            # One file without companions: it can be carried away, and read where nothing can be written.
            copy.execute("PRAGMA journal_mode=DELETE")
        with draft.open("rb") as written:
            os.fsync(written.fileno())
        draft.rename(target)
        return target.stat().st_size
    except (OSError, sqlite3.Error) as error:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        raise StoreUnavailableError(f"the backup {target} can't be written: {error}") from error

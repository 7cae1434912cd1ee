"""A copy of the whole database as it stands at one moment, while the cloud runs."""

import sqlite3
from pathlib import Path

from till_cloud.exceptions import AdminError, StoreUnavailableError
from till_cloud.store.copying import write_copy


def back_up(source: sqlite3.Connection, target: Path) -> int:
    """Copy what `source` sees to the new file `target`; gives its bytes. Under that name it is whole and on disk.

    Readable by its owner only. AdminError when something is there already, StoreUnavailableError when the disk refuses.
    """
    if target.exists():
        raise AdminError(f"expected a new name for the backup, not {target}, which is there already")
    try:
        return write_copy(source, target)
    except (OSError, sqlite3.Error) as error:
        raise StoreUnavailableError(f"the backup {target} can't be written: {error}") from error

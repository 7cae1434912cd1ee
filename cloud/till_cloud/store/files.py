"""Files that only their owner may read."""

import contextlib
import os
from pathlib import Path


def create_private(path: Path) -> None:
    """An empty file that only its owner may read, where there is none: who reads the identifier key can undo the tags.

    SQLite gives the files beside it the same rights. A file that is there is not touched: to open and close it here
    would drop the locks that this process has on it.
    """
    # It is there already, or it can't be made, and then SQLite says why.
    with contextlib.suppress(OSError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))

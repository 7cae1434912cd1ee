"""Keeps files in the system's memory, as the system of a till does that has memory free.

Some machines take pages of files away within seconds although memory is free (virtual ones, whose host wants them):
there a look-up among a million members reads from the disk each time, and the disk is measured. Run with files' names,
this one reads them over and over until it is ended.
"""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

EVERY_S = 2.0
PIECE_BYTES = 4 * 1024 * 1024


@contextlib.contextmanager
def kept_in_memory(*files: Path) -> Iterator[None]:
    """A process of the lowest priority reads `files` again and again. They have been read once when this begins."""
    command = [sys.executable, __file__, *map(str, files)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as reader:
        try:
            if reader.stdout is None or not reader.stdout.readline():
                raise RuntimeError(f"expected a process that reads {len(files)} files")
            yield
        finally:
            reader.terminate()


def _read(files: list[Path], piece: bytearray) -> None:
    for path in files:
        with path.open("rb", buffering=0) as file:
            while file.readinto(piece):
                pass


def main() -> None:
    """Read the files that are named, and say so after the first time."""
    os.nice(19)
    files, piece = [Path(name) for name in sys.argv[1:]], bytearray(PIECE_BYTES)
    _read(files, piece)
    sys.stdout.write("read\n")
    sys.stdout.flush()
    while True:
        time.sleep(EVERY_S)
        _read(files, piece)


if __name__ == "__main__":
    main()

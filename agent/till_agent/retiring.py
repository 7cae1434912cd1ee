"""A till that was moved away: its old machine sells no more, whatever is started there.

`retired.json` is on the disk before the file that carries the till is there to be used, so that at no moment, and after
no power cut, two machines are the till.
"""

from pathlib import Path

import msgspec
from msgspec import Struct

from till_sync.files import replace_file, sync_folder

RETIRED_FILE = "retired.json"
LIMIT_BYTES = 4_096


class Retired(Struct, frozen=True, kw_only=True):
    """Which till this machine was, when it stopped being it, and which file carries it."""

    till: str
    store: str
    clone: str
    at_ms: int
    file: str = ""


def retired(state_dir: Path) -> Retired | None:
    """None for a machine that may sell. A marker that can't be read is one: rather no sale than two tills."""
    path = state_dir / RETIRED_FILE
    try:
        with path.open("rb") as opened:
            return msgspec.json.decode(opened.read(LIMIT_BYTES), type=Retired)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError):
        return Retired(till="", store="", clone="", at_ms=0)


def retire(state_dir: Path, marker: Retired) -> None:
    """From now on this machine is no till. OSError."""
    replace_file(state_dir / RETIRED_FILE, msgspec.json.encode(marker))
    sync_folder(state_dir)


def unretire(state_dir: Path) -> None:
    """This machine is a till again, by an identity of its own that is in place already. OSError."""
    path = state_dir / RETIRED_FILE
    if path.exists():
        path.unlink()
        sync_folder(state_dir)

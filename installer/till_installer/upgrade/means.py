"""What a change of version is made with."""

from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from till_installer.upgrade import staging
from till_installer.upgrade.files import free_bytes
from till_installer.upgrade.health import Pace
from till_installer.upgrade.receipts import Waiting

BALLAST_BYTES = 16 * 1024 * 1024
"""Room for a way back and for some thousand sales, when a new version has filled the disk."""


class Means(Struct, frozen=True, kw_only=True):
    """What an upgrader works with; tests hand in their own."""

    pace: Pace = Pace()
    waiting: Waiting = Waiting()
    install: staging.Install = staging.install_bundle
    free: Callable[[Path], int] = free_bytes
    ballast_bytes: int = BALLAST_BYTES
    say: Callable[[str], None] = lambda _: None
    """Told what is done, in a few words."""
    at: Callable[[str], None] = lambda _: None
    """Told each point at which everything before is on the disk."""

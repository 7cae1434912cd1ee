"""Roles of the update repository: how long what they sign is good, how many sign, and how that is shown."""

# pyright: reportPrivateImportUsage=false
# tuf and securesystemslib name what is public in lists that are made when they are imported.

from typing import Any, Literal

from msgspec import Struct
from securesystemslib.exceptions import UnverifiedSignatureError
from securesystemslib.signer import SSlibKey
from tuf.api.exceptions import RepositoryError as TufError
from tuf.api.metadata import Metadata, Root

from till_installer.update.versions import Release

ROOT_DAYS = 730
"""People with offline keys meet once a year, and may be late by another."""
TARGETS_DAYS = 365
SNAPSHOT_DAYS = 30
TIMESTAMP_DAYS = 14
"""Signed anew each night. So long may the server be down, or a till be held at what it has, before tills say so."""
WARN_DAYS = {"root": 90, "targets": 60, "snapshot": 7, "timestamp": 3}
"""From when on `show` warns."""
STICK_DAYS_LIMIT = 90

OFFLINE: tuple[Literal["root"], Literal["targets"]] = ("root", "targets")
ONLINE: tuple[Literal["snapshot"], Literal["timestamp"]] = ("snapshot", "timestamp")


class RoleView(Struct, frozen=True, kw_only=True):
    """What is published of a role. `days_left` is negative once it is over; `keys` are ids, shortened."""

    role: str
    version: int
    expires: str
    days_left: int
    threshold: int
    keys: tuple[str, ...]
    near: bool


class StagedView(Struct, frozen=True, kw_only=True):
    """What waits for signatures: how many it has, of how many it takes."""

    role: str
    version: int
    signed: int
    threshold: int
    missing: tuple[str, ...]


class RepositoryView(Struct, frozen=True, kw_only=True):
    """A repository as `show` tells it."""

    roles: tuple[RoleView, ...]
    staged: tuple[StagedView, ...]
    releases: tuple[Release, ...]


class RoleKeys(Struct, frozen=True, kw_only=True):
    """Who may sign, and how many of them it takes."""

    keys: tuple[SSlibKey, ...]
    threshold: int


def trusted(root: Root, role: str, data: bytes) -> bool:
    """Whether metadata is genuine by that root: signed by enough of the role's keys."""
    try:
        found: Any = Metadata.from_bytes(data)
        return bool(root.get_verification_result(role, found.signed_bytes, found.signatures))
    except (TufError, UnverifiedSignatureError, ValueError):
        return False

"""What of an update repository this till has seen last."""

# pyright: reportPrivateImportUsage=false
# tuf and securesystemslib name what is public in lists that are made when they are imported.

import datetime as dt

from msgspec import Struct
from tuf.api.exceptions import RepositoryError as TufError
from tuf.api.metadata import Metadata

from till_installer.layout import Layout
from till_installer.update.client import METADATA, ROOT_FILE


class SeenRole(Struct, frozen=True, kw_only=True):
    """`expires` in UTC; `over` by this till's clock."""

    role: str
    version: int
    expires: str
    over: bool


def seen_of(layout: Layout) -> tuple[SeenRole, ...]:
    """Each role whose metadata is here; nothing where no root was put yet."""
    found: list[SeenRole] = []
    folder = layout.updates_dir / METADATA
    for role in ("root", "timestamp", "snapshot", "targets"):
        path = folder / f"{role}.json"
        if role == "root" and not path.exists():
            path = layout.updates_dir / ROOT_FILE
        try:
            signed = Metadata.from_bytes(path.read_bytes()).signed
        except (OSError, TufError):
            continue
        over = signed.expires <= dt.datetime.now(dt.UTC)
        found.append(SeenRole(role=role, version=signed.version, expires=f"{signed.expires:%Y-%m-%d %H:%M}", over=over))
    return tuple(found)

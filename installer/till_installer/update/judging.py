"""What is wrong with metadata that the TUF client refused, as one of our codes with what to do."""

# pyright: reportPrivateImportUsage=false
# tuf and securesystemslib name what is public in lists that are made when they are imported.

from pathlib import Path

import msgspec
from tuf.api import exceptions as tuf
from tuf.api.metadata import Metadata, Root

from till_installer.update.exceptions import (
    EndlessError,
    ExpiredError,
    MetadataAlteredError,
    MixedError,
    OlderMetadataError,
    UnreachableError,
    UpdateError,
    WrongKeysError,
)
from till_installer.update.fetching import AGAIN, Seen
from till_installer.update.roles import trusted


class _Signature(msgspec.Struct):
    keyid: str = ""


class _Signed(msgspec.Struct):
    signatures: list[_Signature] = []


def judged(error: Exception, seen: Seen, metadata: Path) -> UpdateError:
    """The refusal that stands for the TUF client's error."""
    name = seen.name or "the metadata"
    root = _root(metadata)
    if isinstance(error, tuf.ExpiredMetadataError):
        return ExpiredError(
            f"expected metadata that is good today ({error}); set this till's clock right, or have the chain's IT run "
            "`tillside update repo refresh` (of a stick: make it again)"
        )
    if isinstance(error, tuf.LengthOrHashMismatchError | tuf.DownloadLengthMismatchError):
        return _other(name, seen, root)
    if isinstance(error, tuf.BadVersionNumberError):
        return OlderMetadataError(f"expected {name} as new as what this till has seen ({error}); {AGAIN}")
    if isinstance(error, tuf.UnsignedMetadataError):
        if _claims(seen, root):
            return MetadataAlteredError(f"expected {name} as it was signed: its signatures are of other bytes; {AGAIN}")
        return WrongKeysError(f"expected {name} to be signed by enough keys that this till trusts ({error}); {AGAIN}")
    if isinstance(error, tuf.DownloadHTTPError):
        return UnreachableError(f"expected updates there: {error}; the cloud serves them with `cloud run --updates`")
    if isinstance(error, tuf.DownloadError):
        return UnreachableError(f"expected {name}: {error}; it goes on by itself later")
    return MetadataAlteredError(f"expected {name} to be metadata ({error}); {AGAIN}")


def _other(name: str, seen: Seen, root: Root | None) -> UpdateError:
    """Not the file that the timestamp or the snapshot names: another genuine one, or nobody's."""
    if not seen.ended:
        return EndlessError(f"expected {name} to end; {AGAIN}")
    if root is not None and trusted(root, _role(name), seen.data):
        return MixedError(f"expected {name} of the same publication as the rest, and it is of another one; {AGAIN}")
    return MetadataAlteredError(f"expected {name} as it was signed; {AGAIN}")


def _claims(seen: Seen, root: Root | None) -> bool:
    """Whether enough of the trusted keys are named as signers: then the bytes were changed, not the keys."""
    if root is None or (role := root.roles.get(_role(seen.name))) is None:
        return False
    try:
        named = {each.keyid for each in msgspec.json.decode(seen.data, type=_Signed).signatures}
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return len(named & set(role.keyids)) >= role.threshold


def _role(name: str) -> str:
    return name.removesuffix(".json").rpartition(".")[2]


def _root(metadata: Path) -> Root | None:
    try:
        return Metadata[Root].from_bytes((metadata / "root.json").read_bytes()).signed
    except (OSError, tuf.RepositoryError):
        return None

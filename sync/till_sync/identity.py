"""Who this till is to the cloud, kept in one small file that only the agent's user may read."""

import contextlib
import logging
import re
import stat
import sys
from pathlib import Path

import msgspec
from msgspec import Struct, structs

from till_sync import custody
from till_sync.exceptions import IdentityError, IdentityMissing
from till_sync.files import replace_file, sync_folder
from till_sync.keys import KEY_HEX_LENGTH
from till_sync.phone_tags import MOST_COST, NO_SLOW_TAGS, PhoneTags
from till_sync.sealing import is_key
from till_sync.wire import TILL_ID_PATTERN, EnrolmentAnswer

log = logging.getLogger(__name__)

IDENTITY_FILE = "identity.json"

IDENTITY_LIMIT_BYTES = 64 * 1024
"""Ours takes under 1 KB; nothing longer is an identity."""

_SECRETS = ("token", "identifier_key", "private_key")
"""What `till_sync.custody` may keep elsewhere, or sealed."""
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_HEX = re.compile(r"(?:[0-9a-f]{2})+")
_PRIVATE_KEY = re.compile(rf"[0-9a-f]{{{KEY_HEX_LENGTH}}}")


class Identity(Struct, frozen=True, kw_only=True):
    """What enrolment gave, and the last epoch that a journal of this till used.

    `token` proves the till to the cloud; `identifier_key` (hex) keys the tags of cards and phones. Neither is shown.
    """

    till: str
    store: str
    store_name: str
    time_zone: str
    token: str
    identifier_key: str
    last_epoch: int = 0
    cloud_key: str = ""
    """By which vouchers are checked (hex); "" from an enrolment that did not tell it."""
    private_key: str = ""
    """What the till signs its requests with (hex), made here and never sent; "" before it has one."""
    wallet_keys: tuple[str, ...] = ()
    """The chain's secrets that wallet codes which change by the clock come from (hex, the newest first)."""

    seal_key: str = ""
    """What people who register are sealed to (hex), so that only the cloud can read them; "" before it has said so."""

    phone_tags: PhoneTags = NO_SLOW_TAGS
    """Which tags of phones the chain has, as the cloud said last."""

    def __repr__(self) -> str:
        return f"Identity(till={self.till!r}, store={self.store!r}, last_epoch={self.last_epoch})"

    @classmethod
    def of(cls, answer: EnrolmentAnswer, *, last_epoch: int = 0, private_key: str = "") -> "Identity":
        """The identity that enrolment gave; `last_epoch` is that of the identity before, if there was one.

        `private_key` is the one whose public key went with the request.

        The cloud may know a later one, of a machine that was this till before: its journal is not here, and ours must
        not begin in its epoch.
        """
        return _checked(
            cls(
                till=answer.till,
                store=answer.store,
                store_name=answer.store_name,
                time_zone=answer.time_zone,
                token=answer.token,
                identifier_key=answer.identifier_key,
                last_epoch=max(last_epoch, answer.last_epoch),
                cloud_key=answer.cloud_key,
                seal_key=answer.seal_key if is_key(answer.seal_key) else "",
                phone_tags=PhoneTags(cost=answer.phone_cost, only=answer.phone_slow_only),
                private_key=private_key,
            )
        )

    @property
    def key(self) -> bytes:
        """The chain's identifier key as bytes."""
        return bytes.fromhex(self.identifier_key)

    def with_private_key(self, private_key: str) -> "Identity":
        """The same till with a key to sign with. IdentityError when it has one: a key is never replaced silently."""
        if self.private_key:
            raise IdentityError("expected a till without a key, not one that signs already")
        return structs.replace(self, private_key=private_key)

    def with_cloud_key(self, cloud_key: str) -> "Identity":
        """The same till, told by a greeting what vouchers are checked by: its enrolment was before there were any."""
        return structs.replace(self, cloud_key=cloud_key)

    def with_wallet_keys(self, wallet_keys: tuple[str, ...]) -> "Identity":
        """The same till, told by a greeting what codes that change by the clock come from."""
        return structs.replace(self, wallet_keys=wallet_keys)

    def with_seal_key(self, seal_key: str) -> "Identity":
        """The same till, told by a greeting what people are sealed to from now on."""
        return structs.replace(self, seal_key=seal_key)

    def with_phone_tags(self, phone_tags: PhoneTags) -> "Identity":
        """The same till, told by a greeting which tags of phones the chain has."""
        return structs.replace(self, phone_tags=phone_tags)

    def with_epoch(self, epoch: int) -> "Identity":
        """The same till with a later journal; an epoch never goes back (IdentityError)."""
        if epoch < self.last_epoch:
            raise IdentityError(f"expected an epoch of at least {self.last_epoch}, not {epoch}")
        return structs.replace(self, last_epoch=epoch)


def load_identity(path: Path) -> Identity:
    """Read the file. IdentityMissing when there is none, IdentityError when it is not an identity.

    A file that others may read is used all the same, since a till must sell; its mode is put right and it is said. One
    that still has the key which systemd gives by a credential lets it go.
    """
    identity, raw = _read(path), path.read_bytes()
    _keep_private(path)
    if custody.is_given(identity.private_key) and identity.private_key.encode() in raw:
        with contextlib.suppress(IdentityError):  # a full disk: at the next start then, for a till must sell
            save_identity(path, identity)
    return identity


def read_identity(path: Path) -> Identity:
    """The same for whoever only looks: nothing is put right; a private key that only the service sees is "" here."""
    return _read(path, looks_only=True)


def _read(path: Path, *, looks_only: bool = False) -> Identity:
    try:
        if path.stat().st_size > IDENTITY_LIMIT_BYTES:
            raise IdentityError(f"expected at most {IDENTITY_LIMIT_BYTES} bytes in {path}")
        raw = path.read_bytes()
    except FileNotFoundError:
        raise IdentityMissing(f"no {path}: this till is not enrolled") from None
    except OSError as error:
        raise IdentityError(f"can't read {path}: {error.strerror}") from error
    try:
        identity = msgspec.json.decode(raw, type=Identity)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise IdentityError(f"expected an identity in {path}: {error}") from None
    if looks_only and custody.is_out_of_reach(identity.private_key):
        identity = structs.replace(identity, private_key="")
    secrets = {name: custody.opened(getattr(identity, name)) for name in _SECRETS}
    return _checked(structs.replace(identity, **secrets))


def save_identity(path: Path, identity: Identity) -> None:
    """Replace the file in one step, on the disk when this returns; IdentityError when the disk refuses.

    Whoever reads it meanwhile, and whatever fails, there is the old file or the new one, never a part.
    """
    _checked(identity)
    kept = structs.replace(identity, **{name: custody.kept_form(getattr(identity, name)) for name in _SECRETS})
    content = msgspec.json.format(msgspec.json.encode(kept), indent=2) + b"\n"
    try:
        replace_file(path, content)
        sync_folder(path.parent)
    except OSError as error:
        raise IdentityError(f"can't write {path}: {error.strerror}") from error


def _checked(identity: Identity) -> Identity:
    if not re.fullmatch(TILL_ID_PATTERN, identity.till):
        raise IdentityError(f"expected a till id of letters, digits, _ and -, not {identity.till!r}")
    if not identity.token.isascii() or not identity.token.isprintable() or not identity.token or " " in identity.token:
        raise IdentityError("expected a token of printable ASCII characters")
    if not _HEX.fullmatch(identity.identifier_key):
        raise IdentityError("expected an identifier key in hex")
    if identity.private_key and not _PRIVATE_KEY.fullmatch(identity.private_key):
        raise IdentityError("expected a private key of 64 hex digits")
    if not all(_HEX.fullmatch(key) for key in identity.wallet_keys):
        raise IdentityError("expected keys of wallet codes in hex")
    if not 0 <= identity.phone_tags.cost <= MOST_COST:
        raise IdentityError(f"expected a cost of phones' tags of at most {MOST_COST}, not {identity.phone_tags.cost}")
    if identity.last_epoch < 0:
        raise IdentityError(f"expected an epoch of at least 0, not {identity.last_epoch}")
    return identity


def _keep_private(path: Path) -> None:
    if sys.platform == "win32":
        return
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & _OTHERS:
        log.warning("%s could be read by others (mode %o); its mode is set to 600", path, mode)
        with contextlib.suppress(OSError):  # a file of another user: said above, and all that can be done
            path.chmod(0o600)

"""Where a till's secrets lie: in the identity file (mode 600), in a systemd credential, or sealed by Windows.

A value that does not stand there itself stands as `credential:NAME` or `dpapi:BASE64`. With a credential `tillside-key`
(`LoadCredential=` or `LoadCredentialEncrypted=`, bound to the TPM) in the unit, the private key is in memory that only
the service sees; a file that still has the same key lets it go when the service starts. DPAPI binds to the
machine, for the service and an administrator's commands are two users. It was never run on real Windows here.
"""

import base64
import binascii
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from till_sync.exceptions import IdentityError

CREDENTIAL = "tillside-key"
"""Name of the credential that holds the private key, in hex."""
CREDENTIAL_LIMIT_BYTES = 1_024
_CREDENTIAL_MARK, _DPAPI_MARK = "credential:", "dpapi:"


class Sealer(Protocol):
    """Seals bytes to this machine; OSError."""

    def seal(self, data: bytes) -> bytes: ...
    def unseal(self, data: bytes) -> bytes: ...


def kept_form(secret: str, *, sealer: Sealer | None = None, environment: Mapping[str, str] = os.environ) -> str:
    """How a secret is to stand in the identity file. IdentityError when Windows seals nothing."""
    if is_given(secret, environment):
        return _CREDENTIAL_MARK + CREDENTIAL
    sealer = sealer or this_sealer()
    if not secret or sealer is None:
        return secret
    try:
        return _DPAPI_MARK + base64.b64encode(sealer.seal(secret.encode())).decode()
    except OSError as error:
        raise IdentityError(f"a secret can't be sealed: {error}") from error


def opened(kept: str, *, sealer: Sealer | None = None, environment: Mapping[str, str] = os.environ) -> str:
    """The secret that stands so in the identity file. IdentityError when it is out of reach here."""
    if kept.startswith(_CREDENTIAL_MARK):
        name = kept.removeprefix(_CREDENTIAL_MARK)
        found = _credential(name, environment)
        if not found:
            raise IdentityError(
                f"expected the credential {name}: run as the service, whose unit has LoadCredential={name}"
            )
        return found
    if not kept.startswith(_DPAPI_MARK):
        return kept
    sealer = sealer or this_sealer()
    if sealer is None:
        raise IdentityError("expected the Windows machine that sealed this identity")
    try:
        return sealer.unseal(base64.b64decode(kept.removeprefix(_DPAPI_MARK), validate=True)).decode()
    except (OSError, binascii.Error, UnicodeDecodeError) as error:
        raise IdentityError(f"a secret was sealed by another machine, or altered: {error}") from error


def is_given(secret: str, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether systemd gives this process that very secret by a credential."""
    return bool(secret) and secret == _credential(CREDENTIAL, environment)


def is_out_of_reach(kept: str, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether it stands in a credential that this process was not given: a command, beside the service that was."""
    name = kept.removeprefix(_CREDENTIAL_MARK)
    return kept.startswith(_CREDENTIAL_MARK) and not _credential(name, environment)


def this_sealer() -> Sealer | None:
    """Windows' own; None where files have modes."""
    return Dpapi() if sys.platform == "win32" else None


def _credential(name: str, environment: Mapping[str, str]) -> str:
    folder = environment.get("CREDENTIALS_DIRECTORY", "")
    if not folder or not name or Path(name).name != name:
        return ""
    try:
        with (Path(folder) / name).open("rb") as file:
            return file.read(CREDENTIAL_LIMIT_BYTES).decode("ascii", "replace").strip()
    except OSError:
        return ""


class Dpapi:
    """CryptProtectData of Windows, bound to the machine. OSError."""

    _UI_FORBIDDEN, _LOCAL_MACHINE = 0x1, 0x4

    def seal(self, data: bytes) -> bytes:
        return self._call("CryptProtectData", data)

    def unseal(self, data: bytes) -> bytes:
        return self._call("CryptUnprotectData", data)

    def _call(self, name: str, data: bytes) -> bytes:
        import ctypes

        class Blob(ctypes.Structure):
            _fields_ = (("size", ctypes.c_uint32), ("data", ctypes.POINTER(ctypes.c_char)))

        windll = getattr(ctypes, "windll", None)
        if windll is None:
            raise OSError("expected Windows")
        source = ctypes.create_string_buffer(data, len(data))
        given = Blob(len(data), ctypes.cast(source, ctypes.POINTER(ctypes.c_char)))
        taken = Blob()
        flags = self._UI_FORBIDDEN | self._LOCAL_MACHINE
        call = getattr(windll.crypt32, name)
        if not call(ctypes.byref(given), None, None, None, None, flags, ctypes.byref(taken)):
            raise OSError(f"{name} failed")
        try:
            return ctypes.string_at(taken.data, taken.size)
        finally:
            windll.kernel32.LocalFree(taken.data)

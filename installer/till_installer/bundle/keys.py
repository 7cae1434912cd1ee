"""Release keys: Ed25519, private ones in files for their owner alone, public ones as a line of hex."""

import os
import re
import stat
from pathlib import Path

from till_installer.bundle.exceptions import BundleError
from till_sync.keys import KEY_HEX_LENGTH, new_key, public_of

KEY_VARIABLE = "TILLSIDE_RELEASE_KEY"
"""Holds a private key, for builds that get it from a vault; no file is read then."""
KEY_FILE_LIMIT_BYTES = 1_000
_HEX = re.compile(rf"[0-9a-f]{{{KEY_HEX_LENGTH}}}")


def make_key(path: Path) -> str:
    """A new private key in a new file (0600), its public one beside it as `.pub`; gives the public one. BundleError."""
    private = new_key()
    public = public_of(private)
    try:
        _write_new(path, private, 0o600)
        _write_new(path.with_name(f"{path.name}.pub"), public, 0o644)
    except FileExistsError as exc:
        message = f"expected no file at {exc.filename}: a release key is never written over; name another file"
        raise BundleError(message, code="key_exists", exit_code=1) from exc
    except OSError as exc:
        raise BundleError(f"expected to write {path}: {exc.strerror}; name another folder", code="key_unwritten",
                          exit_code=1) from exc  # fmt: skip
    return public


def private_key(path: Path | None) -> str:
    """Of the file, else of the variable TILLSIDE_RELEASE_KEY. BundleError when there is none: there is no default."""
    if path is None:
        text = os.environ.get(KEY_VARIABLE, "")
        if not text:
            message = f"expected --key FILE or the variable {KEY_VARIABLE}; make a key with `tillside bundle key FILE`"
            raise BundleError(message, code="key_missing", exit_code=1)
        return _hex_of(text, f"the variable {KEY_VARIABLE}")
    text = _read(path)
    if os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise BundleError(f"expected the key {path} to be its owner's alone; run `chmod 600 {path}`", code="key_rights",
                          exit_code=1)  # fmt: skip
    return _hex_of(text, str(path))


def public_keys(words: tuple[str, ...]) -> tuple[str, ...]:
    """Of words that are keys themselves or name files with one key a line (`#` begins a remark). BundleError."""
    found: list[str] = []
    for word in words:
        if _HEX.fullmatch(word):
            found.append(word)
            continue
        lines = (line.partition("#")[0].strip() for line in _read(Path(word)).splitlines())
        found += [_hex_of(line, word) for line in lines if line]
    return tuple(dict.fromkeys(found))


def _hex_of(text: str, where: str) -> str:
    value = text.strip()
    if not _HEX.fullmatch(value):
        # Nothing of it is shown: it may be a private key with a letter too many.
        raise BundleError(f"expected a key of {KEY_HEX_LENGTH} hex digits in {where}", code="key_format", exit_code=1)
    return value


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(KEY_FILE_LIMIT_BYTES).decode("ascii")
    except (OSError, UnicodeDecodeError) as exc:
        why = exc.strerror if isinstance(exc, OSError) else "it is no text"
        raise BundleError(f"expected a key in {path}: {why}; name its file", code="key_missing", exit_code=1) from exc


def _write_new(path: Path, text: str, mode: int) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with open(handle, "w", encoding="ascii") as file:  # noqa: PTH123 - of a handle
        file.write(f"{text}\n")

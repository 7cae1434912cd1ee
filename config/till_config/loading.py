"""From a configuration file to `Settings`: all of it, or every reason why not."""

import codecs
import re
import stat
import tomllib
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from till_config.checking import Fault, check_types
from till_config.exceptions import ConfigError, Problem
from till_config.meaning import check_meaning
from till_config.settings import Settings
from till_config.toml_places import KeyPath, Place, TomlPlaces

# The largest sensible file (16 scanners and printers, 32 clients, comments) is near 20 KB; a wrong one is often larger.
MAX_FILE_BYTES = 262_144

_TOML_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")
# What people who don't know TOML write most often, by the start of what tomllib says.
_TOML_HINTS = {
    "Invalid value": "; a text stands in quotes, a flag is true or false",
    "Unescaped '\\'": "; write a Windows path with / or in 'single quotes'",
    "Invalid hex value": "; write a Windows path with / or in 'single quotes'",
    "Cannot overwrite a value": "; a key may stand only once",
    "Cannot declare": "; a section may stand only once, except those in [[double brackets]]",
    "Unclosed array": "; a list ends with ]",
    "Illegal character '\\n'": "; a text ends with its quote on the same line",
}


class Source(Struct, frozen=True):
    """A configuration file as read: its name, its text and what TOML makes of it."""

    file: str
    text: str
    document: dict[str, Any]


def read(path: str | Path) -> Source:
    """Read the file and parse its TOML. Raises ConfigError when it can't be read, or isn't UTF-8 or TOML."""
    file = str(path)
    return parse(file, _decode(file, _read_bytes(file, Path(path))))


def parse(file: str, text: str) -> Source:
    """What TOML makes of a text that problems call `file`. Raises ConfigError."""
    try:
        return Source(file, text, tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError((_syntax_problem(file, text, str(error)),)) from error
    except RecursionError as error:
        raise _unplaced(file, "expected lists and tables nested a few levels deep, not hundreds") from error
    except ValueError as error:
        # A number of thousands of digits gets past the parser and fails in the interpreter.
        raise _unplaced(file, f"expected values of a sensible size: {error}") from error


def settings_of(source: Source) -> Settings:
    """Check a parsed file and make `Settings` of it. Raises ConfigError with every problem."""
    checked = check_types(source.document)
    check_meaning(checked)
    if checked.faults:
        places = TomlPlaces(source.text)
        raise ConfigError(in_order([placed(source.file, places, fault) for fault in checked.faults]))
    return msgspec.convert(source.document, Settings)


def in_order(problems: list[Problem]) -> tuple[Problem, ...]:
    """As they stand in the file."""
    return tuple(sorted(problems, key=lambda problem: (problem.line, problem.column)))


def dotted(path: KeyPath) -> str:
    """A path as people write it: `scanners[0].port`; names that TOML would quote are quoted."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            name = part if re.fullmatch(r"[A-Za-z0-9_-]+", part) else repr(part)
            text += f".{name}" if text else name
    return text


def _read_bytes(file: str, path: Path) -> bytes:
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise _unplaced(file, "expected a file, not a directory")
        if not stat.S_ISREG(mode):
            # Opening a pipe would wait for somebody to write into it, perhaps for ever.
            raise _unplaced(file, "expected a regular file, not a pipe or a device")
        with path.open("rb") as opened:
            data = opened.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError as error:
        raise _unplaced(file, "expected a configuration file, but there is none of this name") from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise _unplaced(file, f"expected a file that can be read: {reason}") from error
    if len(data) > MAX_FILE_BYTES:
        raise _unplaced(file, f"expected at most {MAX_FILE_BYTES} bytes, not more; is this a configuration file?")
    return data


def _decode(file: str, data: bytes) -> str:
    # Notepad puts a byte order mark before UTF-8 that TOML doesn't know.
    data = data.removeprefix(codecs.BOM_UTF8)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        good = data[: error.start].decode("utf-8").replace("\r\n", "\n")
        place = Place(good.count("\n") + 1, len(good) - good.rfind("\n"))
        message = f"expected UTF-8, not the byte 0x{data[error.start]:02x}; save the file as UTF-8"
        raise ConfigError((_problem(file, place, (), message),)) from error


def _syntax_problem(file: str, text: str, message: str) -> Problem:
    match = _TOML_PLACE.search(message)
    if match is None:
        return _problem(file, None, (), f"expected TOML: {message}")
    reason = message[: match.start()]
    place = Place(int(match[1]), int(match[2])) if match[1] else TomlPlaces(text).end()
    hint = next((hint for start, hint in _TOML_HINTS.items() if reason.startswith(start)), "")
    return _problem(file, place, (), f"expected TOML: {reason[:1].lower()}{reason[1:]}{hint}")


def placed(file: str, places: TomlPlaces, fault: Fault, *, at: KeyPath | None = None) -> Problem:
    """A fault as people read it. `at`: where its path stands in that file, if it has another index there."""
    where = fault.path if at is None else at
    value_place = places.value(where) if fault.at_value else None
    return _problem(file, value_place or places.nearest(where), fault.path, fault.message)


def _problem(file: str, place: Place | None, path: KeyPath, message: str) -> Problem:
    line, column = place or (0, 0)
    return Problem(file=file, line=line, column=column, key=dotted(path), message=message)


def _unplaced(file: str, message: str) -> ConfigError:
    return ConfigError((_problem(file, None, (), message),))

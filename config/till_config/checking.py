"""Checks a parsed configuration file against the settings structs and collects everything that is wrong."""

import datetime as dt
import difflib
import re
from collections.abc import Mapping
from typing import Any

from msgspec import NODEFAULT, Struct, inspect

from till_config import schema
from till_config.toml_places import KeyPath

# Suggestions compare each unknown key with all known ones; a file with more unknown keys than this isn't ours at all.
MAX_SUGGESTIONS = 100
# Long enough to recognise a value, short enough for one line.
MAX_SHOWN_CHARACTERS = 60

_SECRET_WORDS = re.compile(r"token|password|passwd|secret|private|credential|api_?key|_key$|^key$", re.IGNORECASE)


class Fault(Struct, frozen=True):
    """Something wrong at `path`. `at_value`: the place to show is the value's, else the key's."""

    path: KeyPath
    message: str
    at_value: bool = True
    lacks: str = ""
    """The key that must be there and is not."""


class Checked(Struct):
    """What a check found: the values that are good, by path, and the faults. A list stands by its length."""

    values: dict[KeyPath, Any]
    faults: list[Fault]

    def add(self, path: KeyPath, message: str, *, at_value: bool = True, lacks: str = "") -> None:
        """Note a fault."""
        self.faults.append(Fault(path, message, at_value, lacks))


def check_types(document: Mapping[str, Any]) -> Checked:
    """Check keys, types and ranges of the whole document."""
    checked = Checked({}, [])
    _check_section(checked, schema.root(), (), document)
    return checked


def looks_secret(key: str) -> bool:
    """Whether a key of this name would hold a secret, so that its value is never shown."""
    return _SECRET_WORDS.search(key) is not None


def shown(value: object) -> str:
    """A value as it may be named in a message: short, on one line, and with its control characters escaped."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            text = value if len(value) <= MAX_SHOWN_CHARACTERS else value[: MAX_SHOWN_CHARACTERS - 3] + "..."
            return '"' + "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text) + '"'
        case int():
            return str(value) if -(2**63) <= value < 2**64 else "a number of more than 64 bits"
        case float():
            return f"the decimal {value}"
        case dt.date() | dt.time():
            return f"the date or time {value}"
        case dict():
            return "a section"
        case list():
            return "a list"
        case _:
            raise TypeError(f"expected a value of TOML, not {type(value).__name__}")


def nearest(name: str, known: list[str]) -> str | None:
    """The known name that is most like `name`; None when none is."""
    matches = difflib.get_close_matches(name.lower().replace("-", "_"), known, n=1, cutoff=0.6)
    return matches[0] if matches else None


def _check_section(checked: Checked, section: schema.Section, path: KeyPath, given: Mapping[str, Any]) -> None:
    for name, value in given.items():
        key = section.keys.get(name)
        if key is None:
            checked.add((*path, name), _unknown(checked, section, name), at_value=False)
        else:
            _check_key(checked, key, section, (*path, name), value)
    for key in section.keys.values():
        if key.default is NODEFAULT and key.name not in given:
            message = f"expected the key `{key.name}` ({key.expected}), which is missing"
            checked.add(path, message, at_value=False, lacks=key.name)


def _check_key(checked: Checked, key: schema.Key, parent: schema.Section, path: KeyPath, value: object) -> None:
    struct = schema.struct_inside(key.kind)
    if struct is None:
        _check_value(checked, key.kind, key.expected, path, value)
        return
    name = f"{parent.name}.{key.name}" if parent.name else key.name
    repeated = isinstance(key.kind, inspect.VarTupleType)
    section = schema.section_of(struct, name, repeated=repeated)
    if not repeated:
        if isinstance(value, dict):
            _check_section(checked, section, path, value)
        else:
            checked.add(path, f"expected the section {section.heading}, not {_instead(value, name)}")
        return
    if not isinstance(value, list):
        checked.add(path, f"expected {section.heading} for each, not {_instead(value, name)}")
        return
    if _too_many(checked, key, path, len(value)):
        return
    checked.values[path] = len(value)
    for index, item in enumerate(value):
        if isinstance(item, dict):
            checked.values[*path, index] = item
            _check_section(checked, section, (*path, index), item)
        else:
            checked.add((*path, index), f"expected {section.heading} for each, not {shown(item)}")


def _check_value(checked: Checked, kind: inspect.Type, expected: str, path: KeyPath, value: object) -> None:
    if isinstance(kind, inspect.VarTupleType):
        _check_list(checked, kind, expected, path, value)
    elif _fits(kind, value):
        checked.values[path] = value
    else:
        checked.add(path, f"expected {expected}, not {shown(value)}" + _nearest_value(kind, value))


def _fits(kind: inspect.Type, value: object) -> bool:
    match kind, value:
        case inspect.BoolType(), bool():
            return True
        case inspect.IntType(ge=low, le=high, multiple_of=step), int() if not isinstance(value, bool):
            in_range = (low is None or value >= low) and (high is None or value <= high)
            return in_range and (step is None or value % step == 0)
        case inspect.StrType(min_length=shortest, max_length=longest, pattern=pattern), str():
            in_range = len(value) >= (shortest or 0) and (longest is None or len(value) <= longest)
            # fullmatch: `$` alone would let a line end through, and a name becomes part of a file name.
            return in_range and (pattern is None or re.fullmatch(pattern, value) is not None)
        case inspect.LiteralType(values=values), str():
            return value in values
        case _:
            return False


def _check_list(checked: Checked, kind: inspect.VarTupleType, expected: str, path: KeyPath, value: object) -> None:
    if not isinstance(value, list):
        checked.add(path, f"expected {expected}, not {shown(value)}")
        return
    shortest, longest = kind.min_length or 0, kind.max_length
    if len(value) < shortest or (longest is not None and len(value) > longest):
        checked.add(path, f"expected {expected}, not a list of {len(value)}")
        return
    checked.values[path] = len(value)
    item_words = schema.words(kind.item_type)
    for index, item in enumerate(value):
        _check_value(checked, kind.item_type, item_words, (*path, index), item)


def _too_many(checked: Checked, key: schema.Key, path: KeyPath, count: int) -> bool:
    limit = key.kind.max_length if isinstance(key.kind, inspect.VarTupleType) else None
    if limit is None or count <= limit:
        return False
    checked.add(path, f"expected at most {limit} of [[{key.name}]], not {count}")
    return True


def _instead(value: object, name: str) -> str:
    match value:
        case dict():
            return f"[{name}]"
        case [dict(), *_]:
            return f"[[{name}]]"
        case _:
            return shown(value)


def _nearest_value(kind: inspect.Type, value: object) -> str:
    if isinstance(kind, inspect.LiteralType) and isinstance(value, str):
        guess = nearest(value, [str(known) for known in kind.values])
        return f'; did you mean "{guess}"?' if guess else ""
    return ""


def _unknown(checked: Checked, section: schema.Section, name: str) -> str:
    if looks_secret(name):
        return (
            "expected no secret in the configuration: tokens and keys are made by enrolment and kept in "
            "`agent.state_dir`; remove this line, and change the secret if others could read the file"
        )
    message = f"expected {f'a key of {section.heading}' if section.name else 'a known section'}, not {shown(name)}"
    if len(checked.faults) >= MAX_SUGGESTIONS:
        return message
    guess = nearest(name, list(section.keys))
    if guess is not None:
        return f"{message}; did you mean `{guess}`?"
    homes = [other.heading for other in schema.sections() if other is not section and name in other.keys]
    if homes:
        return f"{message}; `{name}` belongs in {' or '.join(homes)}"
    return f"{message}; known {'keys' if section.name else 'sections'}: {', '.join(section.keys)}"

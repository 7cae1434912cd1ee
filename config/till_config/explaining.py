"""What one key is, what it means and where its value comes from: `tillside config explain`."""

import re
from typing import Any

import msgspec
from msgspec import NODEFAULT, Struct

from till_config import schema
from till_config.checking import nearest
from till_config.layers import Layers
from till_config.loading import dotted
from till_config.rendering import masked, toml_value
from till_config.settings import Settings
from till_config.toml_places import KeyPath

_PART = re.compile(r"([A-Za-z0-9_-]+)((?:\[\d+\])*)")


class UnknownKeyError(LookupError):
    """Raised when nobody knows the key that is to be explained; the message suggests the nearest."""


class Explanation(Struct, frozen=True, kw_only=True):
    """All there is to say of one key. `value` and `default` are written as TOML, "" when there is none."""

    key: str
    value: str
    origin: str
    default: str
    expected: str
    description: str


def explain(key: str, settings: Settings, layers: Layers) -> list[Explanation]:
    """Explain `key` (`bridge.port`, `scanners[0].port`; `scanners.port` means that of all scanners).

    `settings` are those of `layers`. Raises UnknownKeyError.
    """
    path = _parse(key)
    names = tuple(part for part in path if isinstance(part, str))
    known = _known(names)
    if known is None:
        raise UnknownKeyError(_unknown_message(key, names))
    values = list(_values(msgspec.to_builtins(settings), path, ()))
    if not values and len(path) != len(names):
        raise UnknownKeyError(f"expected an index that exists in the configuration, not {key!r}")
    default = "" if known.default is NODEFAULT else toml_value(msgspec.to_builtins(known.default))

    def one(where: KeyPath, value: str, origin: str) -> Explanation:
        return Explanation(
            key=dotted(where),
            value=value,
            origin=origin,
            default=default,
            expected=known.expected,
            description=known.description,
        )

    if not values:
        return [one(names, "", "nothing: there is no such section")]
    return [one(where, toml_value(masked(str(names[-1]), value)), _origin(layers, where)) for where, value in values]


def _parse(key: str) -> KeyPath:
    path: KeyPath = ()
    for part in key.split("."):
        match = _PART.fullmatch(part)
        if match is None:
            raise UnknownKeyError(f"expected a key like `bridge.port` or `scanners[0].port`, not {key!r}")
        path = (*path, match[1], *(int(index) for index in re.findall(r"\d+", match[2])))
    return path


def _known(names: tuple[str, ...]) -> schema.Key | None:
    try:
        return schema.at(names[:-1]).keys.get(names[-1])
    except KeyError:
        return None


def _unknown_message(key: str, names: tuple[str, ...]) -> str:
    known = [*schema.root().keys, *(f"{one.name}.{name}" for one in schema.sections() for name in one.keys)]
    message = f"expected a key of the configuration, not {key!r}"
    guess = nearest(".".join(names), known)
    if guess is not None:
        return f"{message}; did you mean `{guess}`?"
    same = [name for name in known if name.rpartition(".")[2] == names[-1]]
    return f"{message}; there is {', '.join(f'`{name}`' for name in same)}" if same else message


def _values(value: Any, rest: KeyPath, where: KeyPath) -> "list[tuple[KeyPath, Any]]":
    """All values that `rest` leads to; a list that is named without an index stands for each of its items."""
    if not rest:
        return [(where, value)]
    if isinstance(rest[0], int):
        if not isinstance(value, list | tuple) or rest[0] >= len(value):
            return []
        return _values(value[rest[0]], rest[1:], (*where, rest[0]))
    if isinstance(value, list | tuple):
        return [found for index, item in enumerate(value) for found in _values(item, rest, (*where, index))]
    return _values(value[rest[0]], rest[1:], (*where, rest[0])) if isinstance(value, dict) else []


def _origin(layers: Layers, path: KeyPath) -> str:
    """Who decides, and whom the policy overrules."""
    origin = layers.origin(path)
    if layers.policy is None or layers.local is None or origin.file != layers.policy.file:
        return str(origin)
    own = layers.own(path)
    return f"{origin}, over {own}" if own.file else str(origin)

"""Settings written as TOML."""

import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec

from till_config.checking import looks_secret
from till_config.settings import Settings

MASK = "********"


def to_toml(settings: Settings) -> str:
    """All settings as a TOML document that loads as the same settings; what looks like a secret is masked."""
    lines: list[str] = []
    _write_section(lines, "", msgspec.to_builtins(settings), heading="", shown=masked)
    return "\n".join(lines).strip("\n") + "\n"


def document_toml(document: Mapping[str, Any]) -> str:
    """A document that was read from TOML as TOML again, nothing masked."""
    lines: list[str] = []
    _write_section(lines, "", document, heading="", shown=lambda _, value: value)
    return "\n".join(lines).strip("\n") + "\n"


def toml_value(value: Any) -> str:
    """A plain value as TOML writes it."""
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case str():
            # JSON escapes as TOML does, except for DEL, which TOML wants escaped.
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case list() | tuple():
            return "[" + ", ".join(toml_value(item) for item in value) + "]"
        case Mapping():
            return "{ " + ", ".join(f"{name} = {toml_value(item)}" for name, item in value.items()) + " }"
        case _:
            raise TypeError(f"expected a value that settings use, not {type(value).__name__}")


def masked(key: str, value: object) -> object:
    """The value, or a mask when it looks like a secret. No setting is one; this guards the day one slips in."""
    if isinstance(value, str) and value:
        if looks_secret(key):
            return MASK
        if "://" in value and "@" in urlsplit(value).netloc:
            return value.replace(urlsplit(value).netloc.rpartition("@")[0], MASK)
    return value


def _write_section(
    lines: list[str], name: str, values: Mapping[str, Any], *, heading: str, shown: Callable[[str, object], object]
) -> None:
    if heading:
        lines.extend(("", heading))
    sections = {key: value for key, value in values.items() if _is_section(value)}
    lines.extend(f"{key} = {toml_value(shown(key, value))}" for key, value in values.items() if key not in sections)
    for key, value in sections.items():
        inner = f"{name}.{key}" if name else key
        if isinstance(value, Mapping):
            _write_section(lines, inner, value, heading=f"[{inner}]", shown=shown)
        else:
            for item in value:
                _write_section(lines, inner, item, heading=f"[[{inner}]]", shown=shown)


def _is_section(value: object) -> bool:
    return isinstance(value, Mapping) or (
        isinstance(value, list | tuple) and bool(value) and all(isinstance(item, Mapping) for item in value)
    )

"""Makes, from the settings structs, the packaged defaults and the reference page, so that they can't drift apart."""

import textwrap
from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import NODEFAULT, inspect

from till_config import schema
from till_config.rendering import toml_value

DEFAULTS_FILE = Path(__file__).parent / "data" / "defaults.toml"
"""Every key with its default and its meaning; `tillside config defaults` prints it."""

_WIDTH = 100

_EXAMPLES: dict[str, dict[str, object]] = {
    "bridge.clients": {"name": "pos", "scopes": ["sale", "register"]},
    "scanners": {"name": "front", "port": "/dev/serial/by-id/usb-Scanner-if00"},
    "printers": {"name": "receipt", "driver": "tcp", "host": "192.0.2.10"},
    "frontol.reports": {"path": "C:/Frontol/exchange/report.txt"},
}

_DEFAULTS_HEAD = """\
# Tillside: every setting of a till with its default. Leave out what you don't change.
# Check a file before use: tillside config check FILE. Secrets never stand here.
"""

_PAGE_HEAD = """\
# Configuration

<!-- Made from config/till_config/settings.py by `make reference`; a test keeps it current. -->

One TOML file holds the settings of a till. Every key has a default, except those marked *required*; a file with nothing
in it is a till that sells on its own, with no cloud, scanner or printer. The chain's policy is stronger than the file,
key by key ([configure a till](../how-to/configure-a-till.md)); no environment variable changes a setting. No secret
stands in it: tokens and keys are kept in `agent.state_dir`.

- `tillside config check FILE` lists every problem with line and column, what was expected, and the nearest key.
- `tillside config show FILE` prints the settings in force, defaults included.
- `tillside config explain KEY --config FILE` says what a key means and where its value comes from.
- `tillside config defaults` prints a commented file with every key, to start from.

A file with a problem is refused whole: the agent goes on, and starts again, by the last good one.
"""


def defaults_toml() -> str:
    """A configuration of defaults, each key with its meaning; sections that may be repeated are commented out."""
    lines = [_DEFAULTS_HEAD.rstrip("\n")]
    for section in schema.sections():
        lines.extend(("", *_comment(section.description)))
        mark = "# " if section.repeated else ""
        lines.append(mark + section.heading)
        for key in section.keys.values():
            if schema.struct_inside(key.kind) is None:
                values = "" if key.expected == "a text" else f" ({key.expected})"
                lines.extend(f"{mark}{line}" for line in _comment(key.description + values))
                value = _EXAMPLES.get(section.name, {}).get(key.name, key.default)
                lines.append(f"{mark}{key.name} = {toml_value(msgspec.to_builtins(value))}")
    return "\n".join(lines) + "\n"


def reference_page() -> str:
    """The page docs/reference/config.md."""
    return _PAGE_HEAD + "".join(_page_section(section) for section in schema.sections())


def write(root: Path) -> list[Path]:
    """Write both into the source tree at `root`; gives the files written."""
    files = {
        root / "config" / "till_config" / "data" / "defaults.toml": defaults_toml(),
        root / "docs" / "reference" / "config.md": reference_page(),
    }
    for file, text in files.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8", newline="\n")
    return list(files)


def _comment(text: str) -> Iterator[str]:
    return (f"# {line}" for line in textwrap.wrap(text, _WIDTH))


def _page_section(section: schema.Section) -> str:
    rows = [
        f"| `{key.name}` | {_default(key)} | {_cell(key.expected)} | {_cell(key.description)} |"
        for key in section.keys.values()
        if schema.struct_inside(key.kind) is None
    ]
    inside = [key for key in section.keys.values() if schema.struct_inside(key.kind) is not None]
    parts = [f"\n## `{section.heading}`\n", section.description]
    if section.repeated:
        parts.append(_repeated_note(section))
    parts.append("\n| key | default | value | meaning |\n|---|---|---|---|\n" + "\n".join(rows))
    for key in inside:
        name = f"{section.name}.{key.name}"
        heading = f"[[{name}]]" if isinstance(key.kind, inspect.VarTupleType) else f"[{name}]"
        parts.append(f"\n`{heading}` is described below.")
    return "\n".join(parts) + "\n"


def _repeated_note(section: schema.Section) -> str:
    *parents, name = section.name.split(".")
    key = schema.at(tuple(parents)).keys[name]
    default = msgspec.to_builtins(key.default)
    without = f"Without any: `{toml_value(default)}`." if default else "Without any, there are none."
    return f"{key.description} {without}"


def _default(key: schema.Key) -> str:
    return "*required*" if key.default is NODEFAULT else f"`{toml_value(msgspec.to_builtins(key.default))}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")

"""What differs between two settings, and what of it a running agent can take in."""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct, structs

from till_config.settings import Settings

LIVE: Mapping[str, tuple[str, ...]] = {
    "agent": ("language", "log_level", "keep_days"),
    "bridge": ("allowed_origins", "rate_limit_per_second"),
    "cloud": ("poll_interval_ms", "connect_timeout_ms", "request_timeout_ms", "spread_ms"),
    "slips": ("printer", "print", "template"),
    "pages": ("panel", "status", "sell"),
}
"""Keys that count at once. Those that are not here stand for a folder, a port, or what is built at the start."""
DEVICES = ("scanners", "printers")
"""Of these only those that changed are stopped and begun again."""


class Difference(Struct, frozen=True, kw_only=True):
    """`reachable`: the new settings with the old ones' values where a restart is needed. Keys are dotted; a device
    stands by its name (`printers.receipt`).
    """

    reachable: Settings
    live: tuple[str, ...]
    restart_needed: tuple[str, ...]


def difference(now: Settings, wanted: Settings) -> Difference:
    """What would change, and how."""
    live: list[str] = []
    restart: list[str] = []
    sections: dict[str, Any] = {}
    for section in structs.fields(Settings):
        name = section.name
        old, new = getattr(now, name), getattr(wanted, name)
        if name in DEVICES:
            live += [f"{name}.{each}" for each in changed_names(old, new)]
            if not changed_names(old, new) and old != new:
                live.append(name)
            sections[name] = new
            continue
        keys = [field.name for field in structs.fields(old) if getattr(old, field.name) != getattr(new, field.name)]
        at_once = [key for key in keys if key in LIVE.get(name, ())]
        live += [f"{name}.{key}" for key in at_once]
        restart += [f"{name}.{key}" for key in keys if key not in at_once]
        sections[name] = structs.replace(old, **{key: getattr(new, key) for key in at_once})
    return Difference(reachable=Settings(**sections), live=tuple(live), restart_needed=tuple(restart))


def changed_names(old: "tuple[Any, ...]", new: "tuple[Any, ...]") -> list[str]:
    """Devices that are gone, new, or otherwise set; in order."""
    before = {each.name: msgspec.to_builtins(each) for each in old}
    after = {each.name: msgspec.to_builtins(each) for each in new}
    return [name for name in before | after if before.get(name) != after.get(name)]

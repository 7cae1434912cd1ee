"""Brings together what is plugged in, what the configuration names, and how the running agent finds it."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from till_agent.fixes import fix_of
from till_config.settings import PrinterSettings, ScannerSettings, Settings
from till_drivers.discovery import Discovery, Fit, Found

Device = ScannerSettings | PrinterSettings
NOT_ASKED = "unknown"
"""The state of a device while no agent runs."""
NAME_LIMIT = 32


class Configured(Struct, frozen=True, kw_only=True):
    """A device of the configuration: where it is looked for, what is there, and how the agent finds it."""

    role: str
    device: str
    driver: str
    where: str
    state: str
    detail: str
    fix: str
    since_ms: int | None = None
    place: str = ""
    """The found thing that it is, or ""."""


class Listed(Struct, frozen=True, kw_only=True):
    """A thing that is plugged in, the names of the devices that are configured for it, and sections for it."""

    found: Found
    configured: tuple[str, ...]
    sections: tuple[tuple[Fit, str], ...]


def addresses_of(settings: Settings | None, held: Mapping[tuple[str, str], Any]) -> list[tuple[str, int]]:
    """Network printers that may be asked: those that the agent holds are left to it."""
    printers = settings.printers if settings is not None else ()
    return [(each.host, each.port) for each in printers if each.driver == "tcp" and ("printer", each.name) not in held]


def configured(settings: Settings, states: Mapping[tuple[str, str], Any], found: Discovery) -> list[Configured]:
    """Every device of the configuration, in its order."""
    rows: list[Configured] = []
    for role, devices in (("scanner", settings.scanners), ("printer", settings.printers)):
        for device in devices:
            thing = next((each for each in found.found if is_meant(device, each)), None)
            told = states.get((role, device.name))
            state, detail = (told["state"], told["detail"]) if told else _unasked(device, thing, found)
            fix = (thing.fix if thing is not None and state in ("absent", "fault", NOT_ASKED) else "") or fix_of(
                state, detail
            )
            rows.append(
                Configured(
                    role=role,
                    device=device.name,
                    driver=device.driver,
                    where=where(device),
                    state=state,
                    detail=detail,
                    fix=fix,
                    since_ms=told["since_ms"] if told else None,
                    place=thing.place if thing is not None else "",
                )
            )
    return rows


def listed(settings: Settings | None, found: Sequence[Found]) -> list[Listed]:
    """Every found thing; one that is configured needs no section."""
    devices: tuple[Device, ...] = (*settings.scanners, *settings.printers) if settings is not None else ()
    taken = {device.name for device in devices}
    rows: list[Listed] = []
    for thing in found:
        names = tuple(device.name for device in devices if is_meant(device, thing))
        sections: list[tuple[Fit, str]] = []
        # One of the sections is taken, so they may share a name.
        mine: set[str] = set()
        for fit in () if names or not thing.is_present else thing.fits:
            name = _free(_name_of(fit, thing), taken)
            mine.add(name)
            sections.append((fit, section(fit, name)))
        taken |= mine
        rows.append(Listed(found=thing, configured=names, sections=tuple(sections)))
    return rows


def is_meant(device: Device, thing: Found) -> bool:
    """Whether the thing is what the device's settings lead to."""
    if isinstance(device, PrinterSettings):
        return _is_meant_printer(device, thing)
    if thing.kind not in {
        "serial": ("serial",),
        "keyboard": ("keyboard",),
        "hidpos": ("hid",),
        "camera": ("camera",),
    }.get(device.driver, (thing.kind,)):
        return False
    return _is_identity(device.match, thing) or _is_place(device.port, thing)


def _is_meant_printer(device: PrinterSettings, thing: Found) -> bool:
    if device.driver == "tcp":
        host = f"[{device.host}]" if ":" in device.host else device.host
        return thing.kind == "network" and thing.place == f"{host}:{device.port}"
    if device.driver in ("cups", "windows"):
        return thing.kind == "queue" and thing.place == device.queue
    if device.driver == "usb":
        return thing.kind == "usb" and _is_identity(device.match, thing)
    if device.driver == "serial":
        match = device.device.removeprefix("usb:") if device.device.startswith("usb:") else ""
        return thing.kind == "serial" and (_is_identity(match, thing) or _is_place(device.device, thing))
    return bool(device.device) and _is_place(device.device, thing)


def _is_identity(match: str, thing: Found) -> bool:
    serial = match[10:]
    return bool(match) and match[:9].lower() == thing.usb and serial in ("", thing.serial_number)


def _is_place(place: str, thing: Found) -> bool:
    if not place or "://" in place:
        return False
    if place in (thing.place, thing.by_id):
        return True
    try:
        return thing.place.startswith("/") and Path(place).resolve() == Path(thing.place).resolve()
    except OSError:
        return False


def where(device: Device) -> str:
    """By what a device is found, in a word."""
    if isinstance(device, ScannerSettings):
        return device.port or device.match or "-"
    if device.driver == "tcp":
        return f"{device.host}:{device.port}"
    return device.queue or device.match or device.device or device.host or "-"


def section(fit: Fit, name: str) -> str:
    """What to write into the configuration for a fit."""
    lines = [f"[[{fit.role}s]]", f'name = "{name}"', f'driver = "{fit.driver}"']
    lines += [f"{key} = {_toml(value)}" for key, value in fit.keys.items()]
    return "\n".join(lines)


def _toml(value: str | int | bool) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _name_of(fit: Fit, thing: Found) -> str:
    if fit.sure and thing.kind in ("serial", "keyboard", "hid", "usb", "file", "network"):
        return "front" if fit.role == "scanner" else "receipt"
    base = thing.place if thing.kind == "queue" else Path(thing.place).name
    return re.sub(r"[^a-z0-9]+", "-", base.lower()).strip("-")[:NAME_LIMIT].strip("-") or fit.role


def _free(name: str, taken: set[str]) -> str:
    if name not in taken:
        return name
    return next(each for n in range(2, 1000) if (each := f"{name[: NAME_LIMIT - 4]}-{n}") not in taken)


def _unasked(device: Device, thing: Found | None, found: Discovery) -> tuple[str, str]:
    """State and detail of a device that no agent runs: as far as it can be seen from outside."""
    if thing is not None:
        return NOT_ASKED, thing.trouble.removeprefix(f"{thing.place}: ")
    packaged = ("serial", "keyboard", "hidpos", "camera", "tcp", "usb", "file", "cups", "windows")
    if device.driver not in packaged or "://" in where(device) or Path(where(device)).exists():
        return NOT_ASKED, ""
    if device.driver in ("cups", "windows"):
        return NOT_ASKED, "" if found.faults else "there is no such queue"
    return NOT_ASKED, "not plugged in"

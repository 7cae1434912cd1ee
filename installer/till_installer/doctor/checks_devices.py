"""Checks of scanners and printers: by the running agent, which has them; else by looking at them ourselves."""

import asyncio
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from till_agent.devices import PRINTER_GROUP, build
from till_agent.fixes import fix_code, fix_of
from till_config.settings import PrinterSettings, ScannerSettings
from till_drivers.exceptions import DriverError, SettingsError
from till_drivers.ports import PrinterDriver
from till_installer.doctor.catalogue import Answer, check
from till_installer.doctor.findings import Bad, NotLooked, Severity
from till_sync.clock import SystemClock

if TYPE_CHECKING:
    from till_installer.doctor.scene import Scene

AREA = "devices"
STATUS_S = 2.5
"""A printer that is well answers in 50 ms."""
STOP_S = 0.5
PROCESSES_LIMIT = 4_096
WELL = frozenset(("ready", "busy", "disabled", "opening"))
_UNSTEADY = re.compile(r"/dev/(?:tty(?:USB|ACM)\d+|input/event\d+|usb/lp\d+|hidraw\d+|video\d+)")


class Device(Struct, frozen=True, kw_only=True):
    """One device of the configuration, as it is now; `kind` is the code of what to do about it."""

    role: str
    name: str
    state: str
    detail: str = ""

    @property
    def kind(self) -> str:
        """As `till_agent.fixes` names it; "" for one that works."""
        return "" if self.state in WELL else fix_code(self.state, self.detail)

    def bad(self, fix: str = "") -> Bad:
        """As a finding."""
        said = f"{self.role} {self.name}: {self.state}" + (f", {self.detail}" if self.detail else "")
        code = "" if fix else self.kind
        return Bad(found=said, fix=fix or fix_of(self.state, self.detail), subject=self.name, fix_code=code)


def devices(scene: "Scene") -> list[Device]:
    """Every scanner and printer. NotLooked without any."""
    settings = scene.usable_settings()
    if not settings.scanners and not settings.printers:
        raise NotLooked("the configuration names no scanner and no printer")
    return scene.once("devices", lambda: _told(scene) if scene.is_up() else _looked_at(scene))


def _told(scene: "Scene") -> list[Device]:
    return [
        Device(role=each["role"], name=each["device"], state=each["state"], detail=each["detail"])
        for each in scene.status()["devices"]
    ]


def _looked_at(scene: "Scene") -> list[Device]:
    settings = scene.usable_settings()
    found = [_scanner(scene, each) for each in settings.scanners]
    if settings.printers:
        found += asyncio.run(_printers(settings.printers))
    return found


def _scanner(scene: "Scene", scanner: ScannerSettings) -> Device:
    """As far as it can be seen without opening it: a line that is opened may switch a scanner off and on."""
    told = {"role": "scanner", "name": scanner.name}
    place = scanner.port
    if not place and scanner.driver == "serial" and scanner.match:
        from till_drivers.transports.serial_ports import locate_serial_port

        try:
            place = locate_serial_port(f"usb:{scanner.match}")
        except DriverError as exc:
            return Device(state="absent", detail=str(exc), **told)
    if not place.startswith("/"):
        return Device(state="ready", **told)
    path = scene.system / place.lstrip("/") if place.startswith("/dev/") else Path(place)
    if not path.exists():
        return Device(state="absent", detail=f"{place}: not plugged in", **told)
    if not os.access(path, os.R_OK):
        return Device(state="fault", detail=f"{place}: permission denied", **told)
    if path.is_char_device() and (holder := holder_of(scene, path)):
        return Device(state="fault", detail=f"{place} is held by another program: {holder}", **told)
    return Device(state="ready", **told)


def holder_of(scene: "Scene", node: Path) -> str:
    """Which process has a device file open, "" for none that this user may see."""
    wanted = str(node.resolve())
    processes = scene.system / "proc"
    try:
        numbers = [each for each in os.listdir(processes) if each.isdigit()][:PROCESSES_LIMIT]  # noqa: PTH208 - names are all that is needed
    except OSError:
        return ""
    for number in numbers:
        if int(number) == os.getpid():
            continue
        try:
            links = [str(each.readlink()) for each in (processes / number / "fd").iterdir()]
        except OSError:
            continue
        if wanted in links:
            try:
                name = (processes / number / "comm").read_text("utf-8", errors="replace").strip()
            except OSError:
                name = "?"
            return f"{name} (process {number})"
    return ""


async def _printers(printers: tuple[PrinterSettings, ...]) -> list[Device]:
    return list(await asyncio.gather(*[_printer(each) for each in printers]))


async def _printer(settings: PrinterSettings) -> Device:
    """Its own word, asked for a short time."""
    told = {"role": "printer", "name": settings.name}
    try:
        driver: PrinterDriver = build(PRINTER_GROUP, settings, SystemClock())
    except SettingsError as exc:
        return Device(state="fault", detail=str(exc), **told)
    try:
        async with asyncio.timeout(STATUS_S):
            health = await driver.status()
    except TimeoutError:
        return Device(state="fault", detail=f"no answer in {STATUS_S:g} s", **told)
    except Exception as exc:  # noqa: BLE001 - a third party's driver: what it stumbled over is the finding
        return Device(state="fault", detail=f"its driver failed: {type(exc).__name__}: {exc}", **told)
    finally:
        await asyncio.wait({asyncio.ensure_future(driver.stop())}, timeout=STOP_S)
    return Device(state=str(health.state), detail=health.detail, **told)


ABSENT = ("plug_in", "look_at_cable", "wait", "add_serial")
RIGHTS = ("give_right",)
HELD = ("end_other",)
PAPER = ("new_roll", "roll_at_hand", "close_cover", "free_cutter")
LINE = ("look_at_network", "switch_off_on", "status_false", "start_print_service", "resume_queue", "compare_queue")


def _device_check(
    code: str,
    role: str,
    *,
    title: str,
    looks_at: str,
    fix: str,
    kinds: tuple[str, ...] = (),
    but: tuple[str, ...] = (),
    severity: Severity = "error",
) -> None:
    """A check that no device of that role is wrong in one of these ways; without `kinds`: in any way `but` those."""

    @check(code, area=AREA, title=title, severity=severity, looks_at=looks_at, fix=fix)
    def look(scene: "Scene") -> Answer:
        mine = [each for each in devices(scene) if each.role == role]
        if not mine:
            raise NotLooked(f"the configuration names no {role}")
        found = [each for each in mine if (each.kind in kinds if kinds else each.kind not in ("", *but))]
        return [each.bad() for each in found] or ", ".join(each.name for each in mine)


_device_check(
    "scanner_absent",
    "scanner",
    kinds=ABSENT,
    title="Scanners are plugged in",
    looks_at="each scanner: by the running agent, else by its device file",
    fix="plug the scanner in; `tillside devices` shows what is there and under which name",
)
_device_check(
    "scanner_rights",
    "scanner",
    kinds=RIGHTS,
    title="The agent may open its scanners",
    looks_at="rights of the device files for the agent's user",
    fix="`tillside setup repair` puts the udev rules in place; then plug the scanner in again",
)
_device_check(
    "scanner_held",
    "scanner",
    kinds=HELD,
    title="No other program has the scanner",
    looks_at="who has the device file open",
    fix="end that program, or take the scanner out of its settings: the cash software gets scans from the bridge",
)
_device_check(
    "scanner_fault",
    "scanner",
    but=(*ABSENT, *RIGHTS, *HELD),
    title="Scanners work",
    looks_at="any other trouble that a scanner's driver tells",
    fix="`tillside devices test scanner NAME` shows what it does",
)


@check(
    "device_name_changes",
    area=AREA,
    title="Devices are named by names that stay",
    severity="warning",
    looks_at="ports such as /dev/ttyUSB0 or /dev/input/event3, which are another device after a restart",
    fix="name it by `match`, or under /dev/serial/by-id: `tillside devices` prints the section to write",
)
def device_name_changes(scene: "Scene") -> Answer:
    """None by a number."""
    settings = scene.usable_settings()
    places = [("scanner", each.name, each.port) for each in settings.scanners]
    places += [("printer", each.name, each.device) for each in settings.printers]
    if not places:
        raise NotLooked("the configuration names no scanner and no printer")
    loose = [f"{role} {name}: {place}" for role, name, place in places if _UNSTEADY.fullmatch(place)]
    return Bad(found="; ".join(loose)) if loose else "none is named by a number"


_device_check(
    "printer_absent",
    "printer",
    kinds=ABSENT,
    title="Printers are there",
    looks_at="each printer: by the running agent, else asked by the doctor",
    fix="switch the printer on and plug it in; `tillside devices` shows what is there",
)
_device_check(
    "printer_unreachable",
    "printer",
    kinds=LINE,
    title="Printers answer",
    looks_at="their line: network, serial line, print service",
    fix="switch the printer off and on, look at its cable; a network printer's address may have changed",
)
_device_check(
    "printer_paper",
    "printer",
    kinds=PAPER,
    severity="warning",
    title="Printers have paper, and their covers are shut",
    looks_at="what the printer says of paper, cover and cutter",
    fix="put a new roll in and shut the cover",
)
_device_check(
    "printer_fault",
    "printer",
    but=(*ABSENT, *LINE, *PAPER),
    title="Printers work",
    looks_at="rights, other programs, and any other trouble that a printer's driver tells",
    fix="`tillside devices test printer NAME` shows what it does",
)

"""Print queues: of CUPS by `lpstat -v`, of Windows by its registry."""

import contextlib
import re
import sys

from till_drivers.discovery.found import Fit, Found
from till_drivers.discovery.ids import guess
from till_drivers.discovery.system import System, printable

_DEVICE = re.compile(r"^device for (?P<name>[^\s:]+): (?P<uri>\S.*)$", re.MULTILINE)
_NO_QUEUES = "no destinations added"
WINDOWS_PRINTERS = r"SYSTEM\CurrentControlSet\Control\Print\Printers"


def print_queues(system: System) -> list[Found]:
    """Every queue; which of them is a receipt printer's is often known to people only."""
    if system.platform == "win32":
        return [_queue("windows", name, port) for name, port in _of_windows()]
    try:
        told = system.run("lpstat", "-v")
    except OSError as exc:
        if _NO_QUEUES in str(exc).lower():
            return []
        raise
    return [_queue("cups", row["name"], row["uri"]) for row in _DEVICE.finditer(told or "")]


def _queue(driver: str, name: str, leads_to: str) -> Found:
    shown = printable(leads_to.split("?", maxsplit=1)[0])
    fit = Fit(role="printer", driver=driver, keys={"queue": name}, sure=guess(None, f"{name} {shown}") == "printer")
    return Found(kind="queue", place=name, name=shown, fits=(fit,))


def _of_windows() -> list[tuple[str, str]]:
    """Names of queues with their ports."""
    found: list[tuple[str, str]] = []
    if sys.platform == "win32":
        import winreg

        with (
            contextlib.suppress(FileNotFoundError),
            winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, WINDOWS_PRINTERS) as printers,
        ):
            for index in range(winreg.QueryInfoKey(printers)[0]):
                name = winreg.EnumKey(printers, index)
                with winreg.OpenKey(printers, name) as one:
                    found.append((name, str(winreg.QueryValueEx(one, "Port")[0])))
    return found

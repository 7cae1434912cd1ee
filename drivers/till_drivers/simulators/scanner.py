"""A scanner that is not there: a pseudo-terminal under a link. It can be unplugged and come back under a new name."""

import contextlib
import os
import tty
from pathlib import Path

from till_drivers.exceptions import SimulatorError


class ScannerSimulator:
    """Sends codes as a serial scanner does. `link` is what a driver is told to open; it points at the terminal."""

    def __init__(self, link: Path, *, prefix: bytes = b"", suffix: bytes = b"\r") -> None:
        self._link = link
        self._prefix = prefix
        self._suffix = suffix
        self._master = -1
        self._slave = -1

    @property
    def is_plugged(self) -> bool:
        return self._master >= 0

    def plug(self) -> str:
        """Appear under the link; gives the terminal's own name, which differs from plug to plug."""
        if self.is_plugged:
            raise SimulatorError("the scanner is plugged in already")
        if self._link.exists() and not self._link.is_symlink():
            raise SimulatorError(f"expected a name of the scanner's own, not {self._link}: something else is there")
        self._master, self._slave = os.openpty()
        # Our own end of the slave stays open, so that nothing is echoed before a driver has come.
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        name = os.ttyname(self._slave)
        try:
            self._link.unlink(missing_ok=True)
            self._link.symlink_to(name)
        except OSError as exc:
            self.unplug()
            raise SimulatorError(f"the port can't appear at {self._link}: {exc.strerror}") from exc
        return name

    def unplug(self) -> None:
        """Go away in the middle of whatever is being sent; the link goes too, as udev takes a device's away."""
        if self.is_plugged:
            with contextlib.suppress(OSError):
                self._link.unlink(missing_ok=True)
            os.close(self._slave)
            os.close(self._master)
            self._master = self._slave = -1

    def scan(self, code: str) -> None:
        """Send a whole code."""
        self.send(self._prefix + code.encode() + self._suffix)

    def send(self, data: bytes) -> None:
        """Send raw bytes, in one piece. Raises SimulatorError when unplugged or when nobody reads."""
        if not self.is_plugged:
            raise SimulatorError("the scanner is not plugged in")
        try:
            sent = os.write(self._master, data)
        except BlockingIOError:
            sent = 0
        if sent != len(data):
            raise SimulatorError(
                f"nobody reads from {self._link}: {len(data) - sent} of {len(data)} bytes were not taken"
            )

"""A scanner that is not there: a pseudo-terminal under a link. It can be unplugged and come back under a new name."""

import array
import contextlib
import itertools
import os
import random
import tty
from pathlib import Path

from till_drivers.exceptions import SimulatorError

GS = "\x1d"
"""Between GS1 element strings of which the first has no fixed length."""
_FIXED = frozenset(
    {"00", "01", "02", "03", "04", "41", *(str(n) for n in range(11, 21)), *(str(n) for n in range(31, 37))}
)
"""First digits of GS1 application identifiers with a length of their own, after which no GS is sent."""


class ScannerSimulator:
    """Sends codes as a serial scanner does. `link` is what a driver is told to open; it points at the terminal."""

    def __init__(self, link: Path, *, prefix: bytes = b"", suffix: bytes = b"\r") -> None:
        self._link = link
        self._prefix = prefix
        self._suffix = suffix
        self._master = -1
        self._slave = -1
        self.scans = 0
        """Codes that went out whole."""
        self.sent_bytes = 0

    @property
    def link(self) -> Path:
        """Where the port appears."""
        return self._link

    @property
    def is_plugged(self) -> bool:
        return self._master >= 0

    @property
    def port(self) -> str:
        """The terminal's own name; "" when unplugged."""
        return os.ttyname(self._slave) if self.is_plugged else ""

    @property
    def unread_bytes(self) -> int:
        """Bytes that lie in the port since no driver has read them; 0 when unplugged."""
        if not self.is_plugged:
            return 0
        import fcntl
        import termios

        count = array.array("i", [0])
        fcntl.ioctl(self._slave, termios.FIONREAD, count)
        return count[0]

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

    def bytes_of(self, code: str, *, aim: str = "") -> bytes:
        """What goes over the line for a code: prefix, AIM identifier (`E0`) if there is one, code, suffix."""
        identifier = f"]{aim}" if aim else ""
        return self._prefix + f"{identifier}{code}".encode() + self._suffix

    def scan(self, code: str, *, aim: str = "") -> None:
        """Send a whole code, in one piece."""
        self.send(self.bytes_of(code, aim=aim))
        self.scans += 1

    def send(self, data: bytes) -> None:
        """Send raw bytes, in one piece. Raises SimulatorError when unplugged or when nobody reads."""
        if not self.is_plugged:
            raise SimulatorError("the scanner is not plugged in")
        try:
            sent = os.write(self._master, data)
        except BlockingIOError:
            sent = 0
        self.sent_bytes += sent
        if sent != len(data):
            raise SimulatorError(
                f"nobody reads from {self._link}: {len(data) - sent} of {len(data)} bytes were not taken"
            )


def element_string(readable: str) -> str:
    """What a scanner sends for `(01)04600000000015(10)A1(21)77`: no brackets, GS where the standard wants one.

    Raises SimulatorError when it is not of that form.
    """
    if not readable.startswith("(") or "()" in readable:
        raise SimulatorError(f"expected (01)...(21)..., not {readable!r}")
    parts = [part.partition(")") for part in readable[1:].split("(")]
    if any(not identifier.isdigit() or len(identifier) < 2 or not value for identifier, _, value in parts):
        raise SimulatorError(f"expected an identifier of digits and a value after each bracket, not {readable!r}")
    said = [identifier + value + ("" if identifier[:2] in _FIXED else GS) for identifier, _, value in parts]
    return "".join(said).removesuffix(GS)


def in_pieces(data: bytes, count: int) -> list[bytes]:
    """`data` in `count` pieces of about the same length, or a byte each when it is shorter than that."""
    count = max(1, min(count, len(data)))
    ends = [len(data) * number // count for number in range(count + 1)]
    return [data[start:end] for start, end in itertools.pairwise(ends)]


def noise(count: int, seed: int) -> bytes:
    """Bytes as a wrong speed or a bad cable makes them, any of them; the same for the same seed."""
    return random.Random(seed).randbytes(count)  # noqa: S311  # noise, not a secret

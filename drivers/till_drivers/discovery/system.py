"""The system as discovery reads it: files below a root folder, commands within a time limit, modules that are there.

Tests hand in a root with a `sys` and a `dev` of their own.
"""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

from msgspec import Struct

TEXT_LIMIT_BYTES = 4_096
"""An attribute in /sys is at most a page."""
CLIMB_LIMIT = 12
"""Folders between an interface's child and its USB device; real ones are at most five."""
LIST_LIMIT = 512
"""Entries of one folder that are looked at: a till has a dozen, a folder of thousands is not what it seems."""
COMMAND_TIMEOUT_S = 1.5
OUTPUT_LIMIT_BYTES = 65_536


class UsbIdentity(Struct, frozen=True):
    """A USB device in /sys: where, its ids, and what it calls itself."""

    folder: Path
    vid: int
    pid: int
    serial_number: str
    name: str


class System:
    """`root` stands for `/`. Nothing here raises for what is missing; OSError otherwise is the source's."""

    def __init__(self, root: Path = Path("/"), *, platform: str = sys.platform) -> None:
        self.root = root
        self.platform = platform

    def at(self, path: str) -> Path:
        """Where an absolute path of the system lies below the root."""
        return self.root / path.lstrip("/")

    def shown(self, path: Path) -> str:
        """A path below the root as the system itself names it."""
        return "/" + path.relative_to(self.root).as_posix()

    def entries(self, path: str) -> list[Path]:
        """Of a folder, by name; none when there is no such folder."""
        folder = self.at(path)
        try:
            with os.scandir(folder) as listed:
                names = [entry.name for entry, _ in zip(listed, range(LIST_LIMIT), strict=False)]
        except (FileNotFoundError, NotADirectoryError):
            return []
        return [folder / name for name in sorted(names, key=natural)]

    def text(self, file: Path) -> str:
        """What an attribute says, "" when there is none or it refuses to be read; never more than a page of it."""
        return self.data(file).decode("utf-8", errors="replace").strip()

    def data(self, file: Path) -> bytes:
        """The bytes of a small file, b"" when there is none or it refuses to be read."""
        try:
            descriptor = os.open(file, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        except OSError:
            return b""
        try:
            return os.read(descriptor, TEXT_LIMIT_BYTES)
        except OSError:
            return b""
        finally:
            os.close(descriptor)

    def links(self, path: str) -> dict[Path, str]:
        """Names in a folder of links, by what they lead to."""
        return {link.resolve(): self.shown(link) for link in self.entries(path)}

    def usb_of(self, path: Path) -> UsbIdentity | None:
        """The USB device that something in /sys belongs to; None when it is on no USB."""
        here = path.resolve()
        for folder in (here, *here.parents)[:CLIMB_LIMIT]:
            vid, pid = self.text(folder / "idVendor"), self.text(folder / "idProduct")
            if is_hex4(vid) and is_hex4(pid):
                said = (self.text(folder / name) for name in ("manufacturer", "product"))
                return UsbIdentity(folder, int(vid, 16), int(pid, 16), self.text(folder / "serial"), joined_name(*said))
        return None

    def unusable(self, node: Path) -> tuple[str, str]:
        """Why a device file can't be opened and what to do, both "" when it can as far as rights go."""
        if not node.exists():
            return "there is no device file", "load the device's kernel module, or pass the device into the container"
        if os.access(node, os.R_OK | os.W_OK):
            return "", ""
        group = group_of(node)
        return (
            "this user has no right to open it",
            f"add the agent's user to the group `{group}`: `usermod -aG {group} USER`, then start the agent anew",
        )

    def has_module(self, name: str) -> bool:
        """Whether a Python module is installed; it is not imported."""
        try:
            return importlib.util.find_spec(name) is not None
        except (ImportError, ValueError):
            return False

    def run(self, *command: str) -> str | None:
        """Standard output of a command in English; None when there is no such command.

        TimeoutError when it takes too long, OSError with its last words when it fails.
        """
        try:
            done = subprocess.run(  # noqa: S603 - a fixed command of ours, no shell, no outside words
                command,
                capture_output=True,
                timeout=COMMAND_TIMEOUT_S,
                check=False,
                stdin=subprocess.DEVNULL,
                env={**os.environ, "LC_ALL": "C"},
            )
        except FileNotFoundError:
            return None
        except subprocess.TimeoutExpired as exc:
            raise TimeoutError(f"`{' '.join(command)}` took more than {COMMAND_TIMEOUT_S} s") from exc
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip().splitlines()
            raise OSError(said[-1][:200] if said else f"`{command[0]}` ended with {done.returncode}")
        return done.stdout[:OUTPUT_LIMIT_BYTES].decode(errors="replace")


def is_hex4(text: str) -> bool:
    """Whether it is four hexadecimal digits, as ids are written."""
    return len(text) == 4 and all(letter in "0123456789abcdefABCDEF" for letter in text)


def joined_name(maker: str, product: str) -> str:
    """Maker and product in one line, the maker once, nothing that a terminal would obey."""
    text = product if maker and product.lower().startswith(maker.lower()) else f"{maker} {product}"
    return printable(text)


def printable(text: str, limit: int = 80) -> str:
    """A device's own words, safe to show: a device may say anything."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())[:limit]


def natural(name: str) -> tuple[str, int, str]:
    """Order in which ttyUSB10 comes after ttyUSB2."""
    stem = name.rstrip("0123456789")
    digits = name[len(stem) :]
    return stem, int(digits[:18]) if digits else -1, name


def group_of(node: Path) -> str:
    """Name of the group that owns a file; its number where it has none."""
    number = node.stat().st_gid
    try:
        import grp

        return grp.getgrgid(number).gr_name
    except (ImportError, KeyError):
        return str(number)

"""The service manager's protocol (sd_notify): lines of text to the Unix socket that it names in NOTIFY_SOCKET.

systemd speaks it, and so does `till_installer.services.keeper`. Without a socket every call does nothing.
"""

import functools
import logging
import os
import socket
import time

log = logging.getLogger(__name__)

VARIABLE = "NOTIFY_SOCKET"
STATUS_LIMIT = 200
"""Characters of the line that `systemctl status` shows."""


class Notifier:
    """Sends to one address, from any thread; "" for nobody. A message that can't be sent is lost: nobody waits for it.

    `watchdog_s`: within which WATCHDOG=1 is expected again and again; 0: never.
    """

    def __init__(self, address: str = "", *, watchdog_s: float = 0.0) -> None:
        self.watchdog_s = watchdog_s
        # A name that begins with @ is an abstract one: it lives in the kernel, not in a folder.
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._failed = False

    @classmethod
    def of_environment(cls) -> "Notifier":
        """As the environment names it; taken out of it, for children of the agent are not the agent."""
        address = os.environ.pop(VARIABLE, "")
        microseconds, meant_for = os.environ.pop("WATCHDOG_USEC", ""), os.environ.pop("WATCHDOG_PID", "")
        is_ours = meant_for in ("", str(os.getpid()))
        watchdog_s = int(microseconds) / 1_000_000 if microseconds.isdigit() and is_ours else 0.0
        # Something else than a Unix socket is nothing that we could be asked to send to.
        return cls(address if address.startswith(("/", "@")) else "", watchdog_s=watchdog_s)

    @property
    def is_heard(self) -> bool:
        """Whether there is somebody to tell."""
        return bool(self._address)

    def ready(self, status: str = "") -> None:
        """Sales are taken from now on, or whatever can be done without an enrolment."""
        self._send("READY=1", *_status(status))

    def status(self, text: str) -> None:
        """One line for people."""
        self._send(*_status(text))

    def alive(self) -> None:
        """The sale path works."""
        self._send("WATCHDOG=1")

    def extend(self, seconds: float) -> None:
        """Starting or stopping takes that long from now on: not the time-out that was set."""
        self._send(f"EXTEND_TIMEOUT_USEC={round(seconds * 1_000_000)}")

    def reloading(self) -> None:
        """Settings are read again; `ready` tells the end of it."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1_000}")

    def stopping(self) -> None:
        """It ends by itself."""
        self._send("STOPPING=1", *_status("stopping"))

    def _send(self, *lines: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as unix:
                unix.setblocking(False)  # noqa: FBT003 - its only argument has no name
                unix.sendto("\n".join(lines).encode(), self._address)
            self._failed = False
        except OSError as error:
            if not self._failed:
                log.warning("whoever started the agent can't be told anything: %s", error.strerror or error)
            self._failed = True


@functools.cache
def notifier() -> Notifier:
    """The one of this process."""
    return Notifier.of_environment()


def _status(text: str) -> list[str]:
    line = " ".join(text.split())[:STATUS_LIMIT]
    return [f"STATUS={line}"] if line else []

"""`tillside pos` at a terminal, as its own process, with a scanner, a line that is cut and an agent that is killed."""

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import Self

import pytest

from kit.chain import ANNA
from kit.processes import COMMAND
from kit.waiting import PATIENCE_S
from kit.world import World

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a pseudo-terminal is a thing of POSIX")

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
CTRL_C, CTRL_D = "\x03", "\x04"


def _as_a_terminals_own() -> None:
    """So that Ctrl-C is heard, also where whoever runs the tests in the background has it ignored."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Terminal:
    """A person at a terminal: what is typed, and what is read on the screen."""

    def __init__(self, *words: str | Path) -> None:
        self._master, slave = pty.openpty()
        self.process = subprocess.Popen(
            [*COMMAND, *map(str, words)],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=os.environ | {"TERM": "xterm", "COLUMNS": "120", "LINES": "40"},
            start_new_session=True,
            preexec_fn=_as_a_terminals_own,
        )
        os.close(slave)
        self._text = ""
        self._read = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._master)

    def type(self, text: str) -> None:
        """Key by key, as the terminal sees it."""
        os.write(self._master, text.encode())

    def interrupt(self, wanted: str) -> None:
        """Ctrl-C, pressed again as people do while nothing happens, until these letters are there: one that comes just
        before readline waits for keys is heard with the next key only.
        """
        for _ in range(round(PATIENCE_S)):
            self.type(CTRL_C)
            with contextlib.suppress(AssertionError):
                self.see(wanted, patience_s=1.0)
                return
        self.see(wanted)

    def see(self, wanted: str, *, patience_s: float = PATIENCE_S) -> str:
        """What came since the last look, up to these letters."""
        give_up = time.monotonic() + patience_s
        while time.monotonic() < give_up:
            plain = ESCAPES.sub("", self._text)[self._read :]
            at = plain.find(wanted)
            if at >= 0:
                self._read += at + len(wanted)
                return plain[: at + len(wanted)]
            if select.select([self._master], [], [], 0.1)[0]:
                with contextlib.suppress(OSError):
                    self._text += os.read(self._master, 65_536).decode("utf-8", "replace")
        raise AssertionError(f"expected {wanted!r} on the screen, not {ESCAPES.sub('', self._text)[self._read :]!r}")


def test_a_cashier_rings_up_whatever_happens_around_them(world: World) -> None:
    """A scan while something is typed, points with a hold, a line that is cut, an agent that is killed and is back."""
    world.start_cloud()
    world.start_scanner()
    till = world.till().start().wait_members()
    till.wait_device("scanner", "ready")
    with Terminal("pos", "--config", till.config) as terminal:
        terminal.see("till-1 (online) #1> ")
        terminal.type("mil")
        terminal.see("mil")
        world.scan(ANNA.card)
        terminal.see("scanned: Anna A., balance 50.00")
        terminal.see("till-1 (online) #1> mil")
        terminal.type("k 12.50\r")
        terminal.see("1. milk  12.50")
        terminal.type("red\tall\r")
        terminal.see("by points 6.25, to pay 6.25")
        world.line.cut()
        terminal.see("till-1 (offline) #1 6.25> ")
        terminal.type("close\r")
        terminal.see("spent 6.25")
        terminal.see("till-1 (offline) #2> ")
        terminal.type("half a word")
        terminal.see("half a word")
        terminal.interrupt("#2> ")

        till.kill()
        terminal.type(f"card {ANNA.card}\r")
        terminal.see("no answer")
        terminal.type("bread 20\rclose\r")
        terminal.see("sold without an answer")
        terminal.see("till-1 (no agent, 1 to send) #3> ")
        world.line.mend()
        till.start()
        uid = re.findall(r"sale (\S+) was sent", terminal.see("was sent"))[0]
        terminal.see("#3> ")
        view = till.pos.ask("GET", f"/v1/sales/{uid}")
        assert view["sale"]["member"]["reference"] == ANNA.member_id

        terminal.type("register +79990009999 name=Zoe\r")
        terminal.see("`consent yes`")
        terminal.type("consent yes\r")
        terminal.see("registered")
        terminal.type("language ru\rcoupon NOPE\r")
        terminal.see("not good: coupon_unknown")
        terminal.see("#3> ")  # before it is there, the terminal would take Ctrl-D for itself
        terminal.type(CTRL_D)
        assert terminal.process.wait(PATIENCE_S) == 0
    till.drain()
    till.stop()
    world.verify()

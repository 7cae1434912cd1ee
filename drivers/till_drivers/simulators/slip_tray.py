"""Where a simulated printer's slips come out: in memory, in a folder as text and pictures, and to whoever waits."""

import asyncio
import contextlib
from collections import deque
from pathlib import Path
from typing import Literal

from till_drivers.exceptions import SimulatorError
from till_drivers.simulators.paper import Slip

KEPT_SLIPS = 100
"""Slips that stay in memory for `render`, `slips` and tests."""

Png = Literal["all", "last", "none"]


class SlipTray:
    """`out`: folder for `slip-000001.txt` and `.png`, made and numbered on from what is there; None: memory only."""

    def __init__(self, out: Path | None, png: Png) -> None:
        self._out = out
        self._png = png
        self.slips: deque[Slip] = deque(maxlen=KEPT_SLIPS)
        self.count = 0
        """Slips that have come out, forgotten ones included."""
        self.first_number = 1
        self._news = asyncio.Event()
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
            numbers = [int(file.stem[5:]) for file in out.glob("slip-*.txt") if file.stem[5:].isdigit()]
            self.first_number = max(numbers, default=0) + 1

    def put(self, slip: Slip) -> None:
        """One more has been cut off."""
        self.slips.append(slip)
        self.count += 1
        if self._out is not None:
            (self._out / f"slip-{slip.number:06d}.txt").write_text(slip.text(), encoding="utf-8")
            if self._png == "all":
                self.render(slip.number)
        news, self._news = self._news, asyncio.Event()
        news.set()

    def close(self) -> None:
        """Draw the last slip, where that was wished."""
        if self._png == "last" and self._out is not None and self.slips:
            self.render()

    def kept(self, number: int | None = None) -> Slip:
        """A slip in memory, the last by default. Raises SimulatorError when there is none."""
        slip = next((kept for kept in reversed(self.slips) if number in (None, kept.number)), None)
        if slip is None:
            raise SimulatorError(f"expected one of the last {KEPT_SLIPS} slips, not {number or 'the last of none'}")
        return slip

    def render(self, number: int | None = None) -> Path:
        """Draw a kept slip, the last one by default, into the folder. Raises SimulatorError when there is none."""
        from till_drivers.simulators.picture import slip_png

        slip = self.kept(number)
        if self._out is None:
            raise SimulatorError("expected an output folder for the picture; start the printer with one")
        path = self._out / f"slip-{slip.number:06d}.png"
        path.write_bytes(slip_png(slip))
        return path

    async def wait(self, *, count: int = 0, text: str = "", since: int = 0, seconds: float) -> Slip | None:
        """The slip that was waited for: the newest when `count` in all have come out, or the first that has `text`.

        Only slips numbered above `since` count as having it. None when it did not come in time.
        """

        def found() -> Slip | None:
            if text:
                return next((kept for kept in self.slips if kept.number > since and text in kept.text()), None)
            return self.slips[-1] if self.slips and self.count >= count else None

        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while found() is None:
                    await self._news.wait()
        return found()

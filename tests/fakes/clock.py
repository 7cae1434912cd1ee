"""A clock that stands until a test moves it."""

import asyncio

from msgspec import Struct


class FakeClock(Struct, kw_only=True):
    """Fits `till_sync.ports.Clock`. The wall starts on 2017-12-23 09:05 UTC."""

    wall: int = 1_514_019_900_000
    mono: int = 1_000_000
    boot: str = "boot-1"

    def wall_ms(self) -> int:
        return self.wall

    def mono_ms(self) -> int:
        return self.mono

    def advance(self, ms: int) -> None:
        self.wall += ms
        self.mono += ms

    def restart(self, boot: str = "boot-2") -> None:
        """Another boot: monotonic time starts anew."""
        self.boot, self.mono = boot, 0

    async def sleep(self, seconds: float) -> None:
        self.advance(round(seconds * 1000))
        await asyncio.sleep(0)

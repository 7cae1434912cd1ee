"""The clock that drivers use when nobody hands them another."""

import asyncio
import time


class MonotonicClock:
    """Implements `till_drivers.ports.Clock` with the machine's own monotonic clock."""

    def mono_ms(self) -> int:
        """Milliseconds that never run backwards while this process lives."""
        return time.monotonic_ns() // 1_000_000

    async def sleep(self, seconds: float) -> None:
        """Wait without holding the loop."""
        await asyncio.sleep(seconds)

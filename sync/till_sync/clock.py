"""The machine's real time, behind the `Clock` port."""

import asyncio
import secrets
import time
from pathlib import Path

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class SystemClock:
    """Implements `till_sync.ports.Clock`; also fits the clock that `till_drivers` asks for."""

    def __init__(self, boot_id: Path = BOOT_ID) -> None:
        self._boot = _read_boot(boot_id)

    def wall_ms(self) -> int:
        """Milliseconds since 1970 by the machine's wall clock, which may be wrong or jump."""
        return time.time_ns() // 1_000_000

    def mono_ms(self) -> int:
        """Milliseconds that never run backwards within one `boot`."""
        return time.monotonic_ns() // 1_000_000

    @property
    def boot(self) -> str:
        """The kernel's boot id: monotonic time counts from that boot, for every process alike.

        Where the system has none, a name of this process alone, so that times of two runs are never compared.
        """
        return self._boot

    async def sleep(self, seconds: float) -> None:
        """Wait that long by the event loop's clock."""
        await asyncio.sleep(seconds)


def _read_boot(path: Path) -> str:
    try:
        text = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        text = ""
    return text or f"process-{secrets.token_hex(16)}"

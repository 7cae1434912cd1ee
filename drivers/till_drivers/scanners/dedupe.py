"""One card held under a scanner is one scan: repeats within a short time are dropped. No clock: times come in.

Only whoever knows what a code means may ask: two equal goods scanned one after the other are two goods.
"""

SAME_DEVICE_MS = 1500
"""A card held a moment too long is read again in continuous mode; nobody means to scan it twice so soon."""
OTHER_DEVICE_MS = 500
"""Two scanners that see the same code do so within this time."""
OUT_OF_SIGHT_MS = 1000
"""A camera that has not seen a code for this long has lost it for good; blur and a moving hand take less."""
REMEMBERED_LIMIT = 64
"""Codes kept in mind; nobody scans more within 1.5 s."""


class Deduper:
    """Shared by all scanners of a till."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[str, int]] = {}

    def is_repeat(self, device_id: str, key: str, at_mono_ms: int, *, continuous: bool = False) -> bool:
        """Whether `key` was read just before; each sighting on the same device starts the time anew.

        `continuous`: the device tells what it sees again and again, so that `key` is new once it was out of sight.
        """
        device, seen_ms = self._seen.pop(key, ("", 0))
        own_window_ms = OUT_OF_SIGHT_MS if continuous else SAME_DEVICE_MS
        window_ms = own_window_ms if device == device_id else OTHER_DEVICE_MS
        is_repeat = bool(device) and at_mono_ms - seen_ms < window_ms
        self._seen[key] = (device if is_repeat and device != device_id else device_id, at_mono_ms)
        while len(self._seen) > REMEMBERED_LIMIT:
            del self._seen[next(iter(self._seen))]
        return is_repeat

"""One card held under a scanner is one scan: repeats within a short time are dropped. No clock: times come in.

Only whoever knows what a code means may ask: two equal goods scanned one after the other are two goods.
"""

SAME_DEVICE_MS = 1500
"""A card held a moment too long is read again in continuous mode; nobody means to scan it twice so soon."""
OTHER_DEVICE_MS = 500
"""Two scanners that see the same code do so within this time."""
REMEMBERED_LIMIT = 64
"""Codes kept in mind; nobody scans more within 1.5 s."""


class Deduper:
    """Shared by all scanners of a till."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[str, int]] = {}

    def is_repeat(self, device_id: str, key: str, at_mono_ms: int) -> bool:
        """Whether `key` was read just before; each sighting on the same device starts the time anew."""
        device, seen_ms = self._seen.pop(key, ("", 0))
        window_ms = SAME_DEVICE_MS if device == device_id else OTHER_DEVICE_MS
        is_repeat = bool(device) and at_mono_ms - seen_ms < window_ms
        self._seen[key] = (device if is_repeat and device != device_id else device_id, at_mono_ms)
        while len(self._seen) > REMEMBERED_LIMIT:
            del self._seen[next(iter(self._seen))]
        return is_repeat

"""Receipts that somebody is at: asked what they cost, and not finished. Who restarts the agent waits for them."""

from collections.abc import Callable

PROBE_UID = "tillside-probe"
"""`sale_uid` of a quote that only looks whether quotes are answered: nobody stands at the till for it."""
KEPT_LIMIT = 64
"""A till has one receipt on its screen and some put aside."""
WITHOUT_UID = ""
"""Stands for all receipts whose quotes name no uid: any sale may be the end of one."""


class OpenReceipts:
    """By uid, with the time of the last call about each. Used on the loop; nothing here outlives the agent."""

    def __init__(self, mono_ms: Callable[[], int]) -> None:
        self._mono_ms = mono_ms
        self._touched: dict[str, int] = {}

    def touched(self, uid: str | None) -> None:
        """A receipt was quoted, or points were reserved for it."""
        if uid == PROBE_UID:
            return
        self._touched.pop(uid or WITHOUT_UID, None)
        self._touched[uid or WITHOUT_UID] = self._mono_ms()
        while len(self._touched) > KEPT_LIMIT:
            del self._touched[next(iter(self._touched))]

    def finished(self, uid: str) -> None:
        """It was sold."""
        self._touched.pop(uid, None)
        self._touched.pop(WITHOUT_UID, None)

    @property
    def silent_ms(self) -> int:
        """Since the last call about a receipt that is open, at least 1; 0 when none is."""
        return max(1, self._mono_ms() - max(self._touched.values())) if self._touched else 0

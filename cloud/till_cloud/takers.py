"""Tills that points of members may be lent to ahead, as one transaction finds them."""

import sqlite3
from datetime import timedelta

from till_cloud.store import grants
from till_loyalty.days import local_day
from till_loyalty.lending import TillUse
from till_loyalty.programme import Lending

TILLS_LIMIT = 100
"""Tills that one member's points are spread over, those of the most visited stores first. Of a share so small nobody
has much use, and lending to one member must not take the longer the more tills a store has: a till's push waits.
"""


class Takers:
    """Read once for all members of a transaction, and not before one of them has points to lend.

    `looked_at` counts tills and rows of grants that were gone through, here and by whoever lends: a block's work.
    """

    def __init__(self, connection: sqlite3.Connection, lending: Lending, now_ms: int) -> None:
        self._connection = connection
        seen = timedelta(days=lending.seen_days)
        self._since_day = (local_day(now_ms, "UTC") - seen).isoformat()
        self._seen_since_ms = now_ms - int(seen.total_seconds()) * 1_000
        self._by_store: dict[str, list[tuple[str, int]]] | None = None
        self.looked_at = 0

    def of_member(self, member_id: str) -> dict[str, tuple[TillUse, int]]:
        """Tills of the stores where the member lately bought, with their epochs, by till; `TILLS_LIMIT` at most."""
        found: dict[str, tuple[TillUse, int]] = {}
        for store, purchases in grants.visited(self._connection, member_id, self._since_day):
            for till, epoch in self._tills().get(store, ())[: TILLS_LIMIT - len(found)]:
                found[till] = (TillUse(till, store, purchases), epoch)
        self.looked_at += len(found)
        return found

    def _tills(self) -> dict[str, list[tuple[str, int]]]:
        """(till, epoch) by store. One look at all tills of the chain: they have no index by store."""
        if self._by_store is None:
            self._by_store = {}
            for till, store, epoch in grants.takers(self._connection, self._seen_since_ms):
                self._by_store.setdefault(store, []).append((till, epoch))
        return self._by_store

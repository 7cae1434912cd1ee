"""Look-ups of what this till was granted of its members' points."""

from till_agent.cache import schema
from till_agent.cache.grants import as_grant
from till_agent.cache.reading import Reader
from till_agent.ports import CachedGrant


class Lent:
    """This till's grants, on the loop. `totals`: how many grants of which points, by epoch of the till."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.totals: dict[int, tuple[int, int]] = {}

    def of(self, member_id: str) -> CachedGrant | None:
        """What this till was granted of a member's points, as of the page that brought it."""
        if not self.totals:
            return None  # as on most tills: one look-up less for each customer
        columns = self._reader.fetch(schema.GRANT, (member_id,))
        return as_grant(columns) if columns else None

    def due(self, cloud_ms: int, limit: int) -> list[CachedGrant]:
        """Up to `limit` grants that the cloud wants back, and as many that end by then."""
        columns = self._reader.fetch_all(schema.GRANTS_RECALLED, (limit,))
        columns += self._reader.fetch_all(schema.GRANTS_ENDED, (cloud_ms, limit))
        return [as_grant(each) for each in columns]

    def in_epoch(self, epoch: int) -> tuple[int, int]:
        """How many grants of that epoch there are and of how many points, as pages brought them."""
        return self.totals.get(epoch, (0, 0))

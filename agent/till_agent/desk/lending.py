"""How much of the chain's points lies in this till's hands: what store IT watches."""

from msgspec import Struct

from till_agent.desk.allowing import HOUR_MS
from till_agent.desk.bench import Bench


class Lending(Struct, frozen=True, kw_only=True):
    """Grants of this till's epoch as the cloud last told them; floor spending that the cloud has not told of yet.

    `floor_limit_points` and `floor_limit_ms` are the programme's (0: no floor limit); `silent_ms` is how long the cloud
    has been silent, -1 when nobody can tell.
    """

    grants: int = 0
    granted_points: int = 0
    floor_spent_points: int = 0
    floor_limit_points: int = 0
    floor_limit_ms: int = 0
    silent_ms: int = -1


def lending_of(bench: Bench) -> Lending:
    """As it is now."""
    count, points = bench.parts.cache.granted(bench.allowing.epoch())
    redemption = bench.allowing.redemption
    floor = redemption.floor if redemption is not None and redemption.offline == "floor" else None
    silent_ms = bench.allowing.time.silent_ms()
    return Lending(
        grants=count,
        granted_points=points,
        floor_spent_points=bench.allowing.floor_spent,
        floor_limit_points=floor.till_points if floor else 0,
        floor_limit_ms=floor.hours * HOUR_MS if floor else 0,
        silent_ms=-1 if silent_ms is None else silent_ms,
    )

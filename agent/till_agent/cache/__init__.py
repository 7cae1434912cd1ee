"""The replaceable copy of the cloud's data: members, tags, balances, programmes."""

from collections.abc import Callable
from pathlib import Path

from till_agent.cache.exceptions import CacheUnavailable
from till_agent.cache.store import CacheStore
from till_sync.ports import Clock

__all__ = ["CacheStore", "CacheUnavailable", "open_cache"]


async def open_cache(
    path: Path,
    till: str,
    *,
    on_complete: Callable[[tuple[int, int]], None] = lambda _floor: None,
    clock: Clock | None = None,
    waiting: Callable[[tuple[int, int]], frozenset[str]] = lambda _included: frozenset(),
) -> CacheStore:
    """A started cache; see `CacheStore`."""
    cache = CacheStore(path, till, on_complete=on_complete, clock=clock, waiting=waiting)
    await cache.start()
    return cache

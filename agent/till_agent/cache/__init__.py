"""The replaceable copy of the cloud's data: members, tags, balances, programmes."""

from till_agent.cache.exceptions import CacheUnavailable
from till_agent.cache.store import CacheStore, open_cache

__all__ = ["CacheStore", "CacheUnavailable", "open_cache"]

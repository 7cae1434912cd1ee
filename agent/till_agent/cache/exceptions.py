"""Errors of the cache.

AgentError
└── CacheUnavailable    what the cloud sent could not be kept; it will be sent again
DamagedCacheError       the file itself is at fault
"""

# ruff: noqa: N818 - named as a condition, like those of `till_agent.exceptions`

from till_agent.exceptions import AgentError


class CacheUnavailable(AgentError):
    """Raised when a page or a verdict can't be written (disk full, damaged file); nothing of it was, and reads go on.

    A damaged file has been replaced by an empty one by then, so that the next pull begins anew.
    """


class DamagedCacheError(Exception):
    """Raised when the file itself is at fault; it stays within the cache, which then begins anew."""

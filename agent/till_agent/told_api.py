"""The bridge's JSON of what the agent says of itself: how it is, its devices, its queue (see `till_agent.api`)."""

from typing import Literal

from msgspec import Struct


class Message(Struct, frozen=True, kw_only=True):
    """A sentence for the cashier in the till's language; `code` is stable."""

    code: str
    text: str
    level: Literal["info", "warning", "error"] = "info"


class Happened(Struct, frozen=True, kw_only=True):
    """A problem that came up, and when it was over; `until_ms` 0: it is there now."""

    code: str
    text: str
    level: Literal["info", "warning", "error"]
    at_ms: int
    until_ms: int = 0


class Health(Struct, frozen=True, kw_only=True):
    """One device: state by the table in docs/reference/devices.md, and what to do about it."""

    device: str
    role: Literal["scanner", "printer"]
    state: str
    detail: str = ""
    since_ms: int = 0
    fix: str = ""
    """The one thing to do about it, in the language asked for; "" when there is nothing to do."""


class SyncStatus(Struct, frozen=True, kw_only=True):
    online: bool
    enrolled: bool
    waiting: int
    oldest_waiting_ms: int
    """Age of the oldest op that the cloud has not acknowledged."""
    acked_seq: int
    last_seq: int
    last_push_ms: int
    last_pull_ms: int
    last_error: str
    pushed: int
    resent: int
    adjusted: int
    rejected: int
    halted: str = ""
    """Stable code of what a person has to mend before the exchange goes on; "" when it goes on by itself."""
    loading: bool = False
    """Members are being loaded, for the first time or anew: some may not be known yet."""
    members: int = 0
    """Members in the cache that serves."""
    snapshot_bytes: int = 0
    """Of the snapshot under way; 0 when none is, or members come by pages."""
    fetched_bytes: int = 0
    divergences: int = 0
    """Stretches of members that had come apart from the cloud, and were read anew."""
    retry_in_ms: int = 0
    """Until the next exchange by itself, also after a failure; 0 while one is under way, or none will come."""


class Status(Struct, frozen=True, kw_only=True):
    """Everything store IT needs at a glance; nothing personal."""

    version: str
    till: str
    store: str
    started_ms: int
    now_ms: int
    ready: bool
    problems: tuple[Message, ...]
    programme: str
    members_cached: int
    cache_as_of_ms: int
    clock_skew_ms: int | None
    sync: SyncStatus
    devices: tuple[Health, ...]
    prints_waiting: int
    grants: int = 0
    """Members of whose points this till holds a share, for spending without a line."""
    granted_points: int = 0
    floor_spent_points: int = 0
    """Spent within the floor limit, until the cloud has it."""
    floor_limit_points: int = 0
    """The most that this till may let all members spend so; 0: the programme has no floor limit."""
    disk_free_bytes: int = -1
    """Of the disk that the journal is on; -1: not known."""
    disk_total_bytes: int = -1
    recent: tuple[Happened, ...] = ()
    """Problems that came up since the agent was started, the newest first; those that are there now have no end."""
    receipt_open_ms: int = 0
    """Since the last quote or hold of a receipt that is not sold yet; 0 when there is none. An upgrade waits for it."""


class QueuedOp(Struct, frozen=True, kw_only=True):
    """One op of the outbox or its neighbourhood."""

    op: str
    kind: str
    uid: str
    at_wall_ms: int
    status: str
    code: str = ""
    bytes: int = 0

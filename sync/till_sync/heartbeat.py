"""What a till tells the cloud about itself, every few minutes and after each change of state: figures, no members.

`POST HEARTBEAT_PATH` takes a `Heartbeat` and gives a `HeartbeatAnswer`. A till behind NAT is watched by it, and learns
by it which versions of programs, programme and policy it is to have. A cloud that knows no heartbeats answers 404: the
till asks again after an hour.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from till_sync.wire import Amount, Count

HEARTBEAT_PATH = "/v1/tills/{till}/heartbeat"
POLICY_PATH = "/v1/tills/{till}/policy"
"""GET: `Policy`, the one that this till is to have (404 `no_policy`: none)."""

HEARTBEAT_PAUSE_MS = 300_000
"""Between two heartbeats where the cloud says nothing else: 800 tills make under three a second."""

UPDATE_STATE_FILE = "update-state.json"
"""In the agent's `state_dir`: an `UpdateState`. The upgrader writes it, the agent tells it to the cloud."""
UPDATE_WANTED_FILE = "update-wanted.json"
"""In the agent's `state_dir`: a `Wanted`, written by the agent while the cloud wants another release on this till."""

_Code = Annotated[str, Meta(max_length=80)]
_Version = Annotated[str, Meta(max_length=64)]

UpdateStage = Literal[
    "none", "downloading", "staged", "waiting", "switching", "proving", "done", "rolled_back", "refused", "halted"
]
"""Where an update of the programs stands. `waiting`: for an open receipt; `refused`: `code` says why."""


class UpdateState(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The last update of the programs on this till, as `update-state.json` beside the journal keeps it."""

    stage: UpdateStage = "none"
    from_version: _Version = ""
    to_version: _Version = ""
    code: _Code = ""
    """Stable reason of `refused` and `rolled_back`."""
    detail: Annotated[str, Meta(max_length=500)] = ""
    at_ms: Count = 0
    queued_before: Count = 0
    queued_after: Count = 0
    queue_hash_equal: bool = True
    downtime_ms: Count = 0
    rollbacks: Count = 0
    """Since the till was installed."""


class DeviceBeat(Struct, frozen=True, kw_only=True):
    """State of one device, by its name in the settings."""

    name: _Code
    role: _Code
    state: _Code


class Heartbeat(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One till at one moment. Codes and counts only: nothing that names a member, a card or a cashier."""

    version: _Version
    """Of the programs that run."""
    started_ms: Count
    at_ms: Count
    """By the till's clock."""
    epoch: Count = 0
    head_seq: Count = 0
    head_hash: Annotated[str, Meta(pattern=r"^([0-9a-f]{64})?$")] = ""
    """Of the newest row of the journal: a journal that is cut afterwards is known by it."""
    waiting: Count = 0
    oldest_waiting_ms: Count = 0
    parked: Count = 0
    rejected: Count = 0
    ready: bool = True
    problems: Annotated[tuple[_Code, ...], Meta(max_length=64)] = ()
    devices: Annotated[tuple[DeviceBeat, ...], Meta(max_length=64)] = ()
    clock_offset_ms: Amount | None = None
    disk_free_bytes: Amount = -1
    members_cached: Count = 0
    cache_as_of_ms: Count = 0
    prints_waiting: Count = 0
    programme: Annotated[str, Meta(max_length=80)] = ""
    programme_version: Count = 0
    policy_version: Count = 0
    """Of the policy that is in force; 0: none."""
    policy_refused: Count = 0
    """The version that this till could not take, by reason of its own local settings; 0: none."""
    update: UpdateState = UpdateState()


class Wanted(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What this till is to have by the waves that reached it. Empty or 0: what it has."""

    release: _Version = ""
    policy_version: Count = 0
    paused: bool = False
    """Nothing may be changed now: a wave was halted."""
    spread_ms: Count = 0
    """Within which tills begin their download, each at a moment of its own, so that they do not all come at once."""


class HeartbeatAnswer(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`next_ms`: pause until the next heartbeat."""

    server_time_ms: Count
    next_ms: Annotated[int, Meta(ge=1_000, le=86_400_000)] = HEARTBEAT_PAUSE_MS
    wanted: Wanted = Wanted()


class Policy(Struct, frozen=True, kw_only=True):
    """Settings that the chain decides: a TOML text of keys as in a till's file, which win over the local ones.

    `signature` (hex, Ed25519 by the cloud's key) is over `policy_bytes`: a till obeys no file that somebody edited.
    """

    version: Count
    text: Annotated[str, Meta(max_length=262_144)]
    signature: Annotated[str, Meta(pattern=r"^([0-9a-f]{128})?$")] = ""


def policy_bytes(till: str, version: int, text: str) -> bytes:
    """What a policy's signature is over: one till's policy is no other's."""
    return b"\0".join((b"tillside policy 1", till.encode(), str(version).encode(), text.encode()))

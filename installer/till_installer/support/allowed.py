"""The list of what may go out: each member of the bundle is a struct of named fields of small kinds, and no more.

Whatever is not a field here can't get in: what is gathered is converted into these, and what they don't name is left
behind. Of free text only our own words go out (`vocabulary`); codes and names must look like such.
"""

import typing
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from till_installer.support.cleaning import Cleaner

Code = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.:+-]{0,80}$")]
"""A stable word of ours."""
Said = Annotated[str, Meta(max_length=700)]
"""Free text: cleaned by `only`."""
Count = int


class Finding(Struct, frozen=True, kw_only=True):
    """One check of the doctor."""

    code: Code
    area: Code
    state: Code
    severity: Code
    found: Said
    fix: Said
    took_ms: Count


class Doctor(Struct, frozen=True, kw_only=True):
    """`doctor.json`."""

    status: Count
    errors: Count
    warnings: Count
    took_ms: Count
    findings: tuple[Finding, ...]


class Problem(Struct, frozen=True, kw_only=True):
    """A problem of the status."""

    code: Code
    level: Code


class Device(Struct, frozen=True, kw_only=True):
    """State of a scanner or printer."""

    device: Code
    role: Code
    state: Code
    detail: Said
    since_ms: Count


class Sync(Struct, frozen=True, kw_only=True):
    """The exchange with the cloud, in figures."""

    online: bool
    enrolled: bool
    waiting: Count
    oldest_waiting_ms: Count
    acked_seq: Count
    last_seq: Count
    last_push_ms: Count
    last_pull_ms: Count
    last_error: Said
    pushed: Count
    resent: Count
    adjusted: Count
    rejected: Count
    halted: Code
    loading: bool
    members: Count
    divergences: Count
    retry_in_ms: Count


class Status(Struct, frozen=True, kw_only=True):
    """`status.json`: of the running agent."""

    version: Code
    till: Code
    store: Code
    started_ms: Count
    now_ms: Count
    ready: bool
    problems: tuple[Problem, ...]
    programme: Code
    members_cached: Count
    cache_as_of_ms: Count
    clock_skew_ms: int | None
    sync: Sync
    devices: tuple[Device, ...]
    prints_waiting: Count
    disk_free_bytes: Count
    disk_total_bytes: Count


class Epoch(Struct, frozen=True, kw_only=True):
    """Figures of one epoch of the journal; `head`: the first digits of its newest row's hash."""

    epoch: Count
    last_seq: Count
    acked_seq: Count
    head: Annotated[str, Meta(pattern=r"^[0-9a-f]{0,16}$")]


class Journal(Struct, frozen=True, kw_only=True):
    """`journal.json`: figures, never rows."""

    bytes: Count
    log_bytes: Count
    epochs: tuple[Epoch, ...]
    kinds: Mapping[Code, Count]
    adjusted: Count
    rejected: Count
    parked: Count


class Entry(Struct, frozen=True, kw_only=True):
    """A file of the state directory, by a name of ours."""

    name: Code
    bytes: Count
    mode: Annotated[str, Meta(pattern=r"^[0-7]{3,4}$")]
    changed_ms: Count


class Versions(Struct, frozen=True, kw_only=True):
    """`versions.json`."""

    tillside: Code
    python: Code
    sqlite: Code
    system: Annotated[str, Meta(max_length=120)]
    machine: Code
    installed: tuple[Code, ...]
    current: Code
    previous: Code
    packages: Mapping[Code, Code]


class Update(Struct, frozen=True, kw_only=True):
    """`update.json`: where an update of the programs stands."""

    stage: Code
    from_version: Code
    to_version: Code
    code: Code
    detail: Said
    at_ms: Count
    queued_before: Count
    queued_after: Count
    queue_hash_equal: bool
    downtime_ms: Count
    rollbacks: Count


class Unit(Struct, frozen=True, kw_only=True):
    """`service.json`: the service as systemd has it."""

    load: Code
    active: Code
    sub: Code
    enabled: Code
    restarts: Code
    result: Code
    reload_needed: Code
    watchdog: Annotated[str, Meta(pattern=r"^[A-Za-z0-9 .]{0,40}$")]
    altered: bool


class LogLine(Struct, frozen=True, kw_only=True):
    """A line of `log.jsonl`."""

    at: Annotated[str, Meta(pattern=r"^[0-9TZ:.+-]{0,40}$")]
    level: Code
    logger: Code
    message: Said
    device: Code = ""
    role: Code = ""
    state: Code = ""
    error: Code = ""
    reason: Said = ""


_FREE = ("found", "fix", "detail", "last_error", "message", "reason")
"""Fields of free text."""
_HASHES = ("head",)
"""Fields of hashes, which are no words."""


def only(kind: Any, given: object, cleaner: Cleaner) -> Any:
    """`given` (a mapping, or a struct) as `kind`: its fields alone, its texts cleaned, what does not fit left empty.

    A field is never taken for another's reason: a code that is no code becomes "".
    """
    source = given if isinstance(given, Mapping) else msgspec.to_builtins(given)
    told = {
        field.name: _value(field.name, field.type, source.get(field.name), cleaner)
        for field in msgspec.structs.fields(kind)
        if field.name in source
    }
    for field in msgspec.structs.fields(kind):
        if field.name not in told and field.required:
            told[field.name] = _empty(field.type)
    return msgspec.convert(told, kind)


def _value(name: str, kind: Any, value: object, cleaner: Cleaner) -> object:
    if isinstance(kind, type) and issubclass(kind, Struct):
        return only(kind, value if isinstance(value, Mapping) else {}, cleaner)
    of = typing.get_args(kind)[0] if typing.get_origin(kind) is tuple else None
    if isinstance(of, type) and issubclass(of, Struct):
        items = value if isinstance(value, list | tuple) else ()
        return tuple([only(of, each, cleaner) for each in items])
    if isinstance(value, str):
        # What is no word of ours is no code, whatever it looks like.
        if name in _HASHES:
            value = value if cleaner.is_hash(value) else ""
        else:
            value = cleaner.free(value) if name in _FREE else value if cleaner.is_code(value) else ""
    elif typing.get_origin(kind) is tuple and isinstance(value, list | tuple):
        value = tuple([each for each in value if cleaner.is_code(str(each))])
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return _empty(kind)


def _empty(kind: Any) -> object:
    candidates: tuple[object, ...] = ("", 0, False, None, (), {}, "000")
    for candidate in candidates:
        try:
            return msgspec.convert(candidate, kind)
        except msgspec.ValidationError:
            continue
    if isinstance(kind, type) and issubclass(kind, Struct):
        return only(kind, {}, Cleaner(()))
    raise TypeError(f"expected a kind with an empty value, not {kind}")

"""Beginning a wave and moving it: its steps, halts and end. Each call is one transaction of the writer."""

import hashlib
import sqlite3
from typing import get_args

from msgspec import Struct

from till_cloud.exceptions import AdminError
from till_cloud.store import meta, programmes
from till_cloud.store import tills as till_rows
from till_cloud.store import waves as rows
from till_cloud.store.waves import ALL, Kind, WaveRow
from till_cloud.waves.counting import must_count_as_before
from till_loyalty.programme_document import parse_programme

DEFAULT_SIZES = (30, 200, ALL)
DEFAULT_SOAK_MS = 24 * 3_600_000
"""A day of trade: morning, evening and the closing of the day have been seen."""
DEFAULT_SPREAD_MS = 30 * 60_000
"""800 downloads of 30 MB within half an hour are 110 Mbit/s of the chain's line, at once they would be all of it."""
HALT_AFTER = 2
"""Tills that failed; one may be a broken disk."""
STEPS_LIMIT = 20
STORES_LIMIT = 200


class StartOrder(Struct, frozen=True, kw_only=True):
    """What a wave is begun with. `sizes` count tills from the beginning on (30, then 200 in all); 0 is all."""

    kind: Kind
    version: str
    sizes: tuple[int, ...] = DEFAULT_SIZES
    stores: tuple[str, ...] = ()
    soak_ms: int = DEFAULT_SOAK_MS
    spread_ms: int = DEFAULT_SPREAD_MS
    halt_after: int = HALT_AFTER


def start(connection: sqlite3.Connection, order: StartOrder, now_ms: int) -> WaveRow:
    """Begin a wave and open its first step. AdminError when it can't be begun."""
    _check(connection, order)
    name, version, former = _versions(connection, order)
    row = rows.add(
        connection,
        WaveRow(
            wave=0,
            kind=order.kind,
            name=name,
            version=version,
            former=former,
            sizes=order.sizes,
            stores=order.stores,
            step=1,
            soak_ms=order.soak_ms,
            spread_ms=order.spread_ms,
            halt_after=order.halt_after,
            state="running",
            reason="",
            started_at_ms=now_ms,
            step_at_ms=now_ms,
            changed_at_ms=now_ms,
        ),
    )
    _fill(connection, row, now_ms)
    _tell(connection, row, forward=True)
    return row


def advance(connection: sqlite3.Connection, kind: Kind, now_ms: int, *, without_soak: bool = False) -> WaveRow:
    """Open the next step, or end the wave after its last. AdminError when it is halted, or the soak is not over."""
    row = _open(connection, kind)
    if row.state == "halted":
        raise AdminError(f"the wave was halted ({row.reason}): `cloud wave resume {kind}` or `cloud wave withdraw`")
    left_ms = row.step_at_ms + row.soak_ms - now_ms
    if left_ms > 0 and not without_soak:
        minutes = -(-left_ms // 60_000)
        raise AdminError(f"expected step {row.step} to be watched for {minutes} minutes more; --now goes on at once")
    if row.is_last:
        if row.kind == "programme":
            _make_active(connection, row)
        rows.set_state(connection, row.wave, "done", "", now_ms)
        return _again(connection, kind)
    rows.set_step(connection, row.wave, row.step + 1, now_ms)
    row = _again(connection, kind)
    _fill(connection, row, now_ms)
    _tell(connection, row, forward=True)
    return row


def halt(connection: sqlite3.Connection, kind: Kind, reason: str, now_ms: int) -> WaveRow:
    """Stop it where it is: no till begins any more; programme and config go back to the former version."""
    row = _open(connection, kind)
    if row.state == "running":
        rows.set_state(connection, row.wave, "halted", reason, now_ms)
        _tell(connection, row, forward=False)
    return _again(connection, kind)


def resume(connection: sqlite3.Connection, kind: Kind, now_ms: int) -> WaveRow:
    """Go on with a halted wave at the same step, whose soak begins anew; failures up to now count no more."""
    row = _open(connection, kind)
    if row.state != "halted":
        raise AdminError(f"expected a halted wave, and that of {row.kind} {row.version} runs")
    rows.pardon(connection, row.wave, now_ms)
    rows.set_state(connection, row.wave, "running", "", now_ms)
    rows.set_step(connection, row.wave, row.step, now_ms)
    row = _again(connection, kind)
    _fill(connection, row, now_ms)  # tills that were enrolled meanwhile take the places of those that are gone
    _tell(connection, row, forward=True)
    return row


def withdraw(connection: sqlite3.Connection, kind: Kind, now_ms: int) -> WaveRow:
    """Give a wave up. Programs that tills have taken stay there; programme and config go back."""
    row = _open(connection, kind)
    rows.set_state(connection, row.wave, "withdrawn", row.reason, now_ms)
    if row.state == "running":
        _tell(connection, row, forward=False)
    return _again(connection, kind)


def _open(connection: sqlite3.Connection, kind: Kind) -> WaveRow:
    row = rows.open_wave(connection, kind)
    if row is None:
        raise AdminError(f"expected a wave of {kind} that is under way: `cloud wave start {kind} VERSION` begins one")
    return row


def _again(connection: sqlite3.Connection, kind: Kind) -> WaveRow:
    row = rows.newest(connection, kind)
    if row is None:
        raise AdminError(f"expected a wave of {kind}")
    return row


def _check(connection: sqlite3.Connection, order: StartOrder) -> None:
    if order.kind not in get_args(Kind):
        raise AdminError(f"expected one of {', '.join(get_args(Kind))}, not {order.kind}")
    under_way = rows.open_wave(connection, order.kind)
    if under_way is not None:
        raise AdminError(
            f"expected one wave of {order.kind} at a time, and {under_way.version} is {under_way.state}: "
            f"`cloud wave next` ends it at its last step, `cloud wave withdraw {order.kind}` gives it up"
        )
    if not 1 <= len(order.sizes) <= STEPS_LIMIT:
        raise AdminError(f"expected 1 to {STEPS_LIMIT} sizes, not {len(order.sizes)}")
    counted = [size for size in order.sizes if size != ALL]
    if counted != sorted(set(counted)) or ALL in order.sizes[:-1]:
        raise AdminError("expected sizes that grow, such as 30,200,all")
    if len(order.stores) > STORES_LIMIT:
        raise AdminError(f"expected at most {STORES_LIMIT} stores, not {len(order.stores)}")
    for store in order.stores:
        if till_rows.store(connection, store) is None:
            raise AdminError(f"expected a store that was added, not {store!r}: `cloud store list` names them")


def _versions(connection: sqlite3.Connection, order: StartOrder) -> tuple[str, str, str]:
    """(name, version, former) as a wave keeps them."""
    if order.kind == "code":
        done = rows.last_done(connection, "code")
        return "", order.version, "" if done is None else done.version
    if not (order.version.isascii() and order.version.isdigit()) or len(order.version) > 9:
        raise AdminError(f"expected the number of a version of {order.kind}, not {order.version!r}")
    number = int(order.version)
    if order.kind == "config":
        return "", str(number), ""
    key = programmes.active_key(connection)
    if key is None:
        raise AdminError(
            "expected a programme that tills sell by: the first one needs no wave, `cloud programme upload`"
        )
    name, active = key
    staged = programmes.version(connection, name, number)
    if number <= active or staged is None:
        raise AdminError(
            f"expected a version of {name!r} above {active} that was added by `cloud programme upload --staged`, "
            f"not {number}"
        )
    must_count_as_before(connection, parse_programme(staged.body, suffix=".json"), by_wave=True)
    return name, str(number), str(active)


def _fill(connection: sqlite3.Connection, row: WaveRow, now_ms: int) -> None:
    """Put as many tills into the wave as its step has: the canary stores' first, then by a number made of the till."""
    size = row.sizes[row.step - 1]
    there = {each.till for each in rows.tills(connection, row.wave)}
    candidates = [
        till
        for till in till_rows.all_tills(connection)
        if till.enrolled_at_ms and not till.quarantined_at_ms and till.till not in there
    ]
    candidates.sort(key=lambda till: (till.store not in row.stores, _lot(row, till.till)))
    room = len(candidates) if size == ALL else max(0, size - len(there))
    for till in candidates[:room]:
        rows.join(connection, row.wave, till.till, row.step, now_ms)


def _lot(row: WaveRow, till: str) -> bytes:
    """The same for ever, and another for each version: not the same thirty tills try everything first."""
    return hashlib.sha256(f"{row.kind}\0{row.version}\0{till}".encode()).digest()


def _tell(connection: sqlite3.Connection, row: WaveRow, *, forward: bool) -> None:
    """Let every till read both versions' rows once more, first the one that becomes active: none is without."""
    if row.kind != "programme":
        return
    first, second = (row.version, row.former) if forward else (row.former, row.version)
    _touch(connection, row.name, int(first), int(second))


def _touch(connection: sqlite3.Connection, name: str, *versions: int) -> None:
    for version in versions:
        position = meta.position(connection) + 1
        programmes.touch(connection, name, version, position)
        meta.set_position(connection, position)


def _make_active(connection: sqlite3.Connection, row: WaveRow) -> None:
    position = meta.position(connection)
    programmes.deactivate(connection, position + 2)
    programmes.activate(connection, row.name, int(row.version), position + 1)
    meta.set_position(connection, position + 2)

"""Proves a journal row by row and says what became of the first one that does not fit: for auditors, not for sales.

The chain alone proves that no row was changed, taken out or moved. That none is missing at the end only something
outside the journal can say: the place up to which the cloud has acknowledged, the witness file, the head that the last
heartbeat told.
"""

from collections.abc import Callable, Iterable
from typing import Literal

from msgspec import Struct

from till_agent.exceptions import JournalCorrupt
from till_agent.journal import schema, verify
from till_agent.journal.chain import Row, row_hash
from till_agent.journal.exceptions import IndexDamaged
from till_agent.journal.reader import EntryReader, EpochState
from till_sync.ops import OpId

Why = Literal["changed", "missing", "moved", "cut", "other", "index"]
"""`cut`: rows at the end are gone. `other`: whole in itself, and not the journal whose head was told. `index`: the row
is well, an index does not lead to it."""

MOVED_LOOK_ROWS = 100_000
"""How far a row is looked for that stands where it does not belong."""


class Told(Struct, frozen=True, kw_only=True):
    """A place that the journal had reached, as something outside it says: `by` names it. `hash` "": not known."""

    by: Literal["cloud", "witness", "heartbeat"]
    epoch: int
    seq: int
    hash: str = ""


class BadRow(Struct, frozen=True, kw_only=True):
    """The first row that does not fit, by its place. `at_wall_ms` is when the row there was made, 0: not known."""

    op: str
    epoch: int
    seq: int
    why: Why
    detail: str
    at_wall_ms: int = 0


class Proof(Struct, frozen=True, kw_only=True):
    """What was found. `rows` were looked at, `first_bad` None: all of them are as they were written."""

    till: str
    epochs: int
    rows: int
    head: str
    head_hash: str
    told: tuple[Told, ...]
    first_bad: BadRow | None


def prove(
    reader: EntryReader,
    told: tuple[Told, ...],
    progress: Callable[[int], None] = lambda _rows: None,
    *,
    slices: Iterable[tuple[int, int, int]] | None = None,
) -> Proof:
    """Look at every row, oldest first, until one does not fit; `progress` gets how many were looked at each time.

    `slices` (epoch, first, last): at those rows only, in that order.
    """
    rows = 0
    bad: BadRow | None = None
    for epoch, first, last in verify.slices(reader) if slices is None else slices:
        try:
            seen = verify.check_rows(reader, epoch, first, last)
        except IndexDamaged as exc:
            bad = _bad(reader, epoch, exc.seq, "index", str(exc))
            break
        except JournalCorrupt as exc:
            bad = _name(reader, epoch, exc.seq)
            rows += max(0, bad.seq - first)
            break
        rows += seen
        progress(seen)
    bad = bad or _against(reader, (*_acknowledged(reader), *told))
    current = reader.current
    return Proof(
        till=reader.till,
        epochs=len(reader.epochs),
        rows=rows,
        head=str(OpId(reader.till, current.epoch, current.last_seq)),
        head_hash=current.head.hex(),
        told=told,
        first_bad=bad,
    )


def _acknowledged(reader: EntryReader) -> list[Told]:
    return [Told(by="cloud", epoch=each.epoch, seq=each.acked_seq) for each in reader.epochs if each.acked_seq]


def _against(reader: EntryReader, told: tuple[Told, ...]) -> BadRow | None:
    """The first row that is missing at the end, or not the one that was told of."""
    known = {each.epoch: each for each in reader.epochs}
    found: list[BadRow] = []
    for each in told:
        state = known.get(each.epoch)
        if state is None:
            if each.epoch > reader.current.epoch:
                detail = f"expected epoch {each.epoch}, which the {each.by} knows of: this is an old copy"
                found.append(_bad(reader, each.epoch, 1, "cut", detail))
            continue
        if state.last_seq < each.seq:
            detail = f"expected rows up to {each.seq}, which the {each.by} knows of; the last one is {state.last_seq}"
            found.append(_bad(reader, each.epoch, state.last_seq + 1, "cut", detail))
        elif each.hash and each.seq and _hash_of(reader, state, each.seq) not in ("", each.hash):
            detail = f"expected the hash that the {each.by} knows of: this row or one before it was written anew"
            found.append(_bad(reader, each.epoch, each.seq, "other", detail))
    return min(found, key=lambda bad: (bad.epoch, bad.seq), default=None)


def _hash_of(reader: EntryReader, state: EpochState, seq: int) -> str:
    """ "" for a row that is not there: in a salvaged journal that may be."""
    row = reader.connection.execute(schema.HASH_OF, (schema.row_id(state.epoch, seq),)).fetchone()
    return "" if row is None else bytes(row[0]).hex()


def _name(reader: EntryReader, epoch: int, seq: int) -> BadRow:
    """What became of the row at that place."""
    columns = _columns(reader, epoch, seq)
    if columns is None:
        before = f"row {seq - 1}" if seq > 1 else "the beginning"
        return _bad(reader, epoch, seq, "missing", f"expected a row behind {before}, where there is none")
    moved_to = _place_of(reader, epoch, seq)
    if moved_to:
        detail = f"what belongs here stands at {epoch}:{moved_to}"
        return _bad(reader, epoch, seq, "moved", detail)
    return _bad(reader, epoch, seq, "changed", "its contents, or those of the row before it, are not what was written")


def _place_of(reader: EntryReader, epoch: int, seq: int) -> int:
    """Where the row that fits at `seq` stands; 0 when it is nowhere."""
    salt = next(state.salt for state in reader.epochs if state.epoch == epoch)
    try:
        previous = reader.hash_of(epoch, seq - 1)
    except JournalCorrupt:
        return 0
    bounds = (schema.row_id(epoch, 1), schema.row_id(epoch, schema.LARGEST_SEQ), MOVED_LOOK_ROWS)
    for columns in reader.connection.execute(schema.STRETCH, bounds):
        found = schema.split_id(columns[0])[1]
        try:
            fits = found != seq and row_hash(previous, OpId(reader.till, epoch, seq), salt, Row(*columns[2:]))[0]
        except (AttributeError, TypeError):
            continue
        if fits == columns[1]:
            return found
    return 0


def _columns(reader: EntryReader, epoch: int, seq: int) -> tuple[object, ...] | None:
    identity = schema.row_id(epoch, seq)
    row: tuple[object, ...] | None = reader.connection.execute(schema.STRETCH, (identity, identity, 1)).fetchone()
    return row


def _bad(reader: EntryReader, epoch: int, seq: int, why: Why, detail: str) -> BadRow:
    columns = _columns(reader, epoch, seq)
    at_wall_ms = columns[2] if columns is not None and isinstance(columns[2], int) else 0
    op = str(OpId(reader.till, epoch, seq))
    return BadRow(op=op, epoch=epoch, seq=seq, why=why, detail=detail, at_wall_ms=at_wall_ms)

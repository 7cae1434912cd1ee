"""Letting go of old rows: what the cloud holds, what every cached balance includes, and nobody needs here any more.

The chain stays provable: where rows went, the hash of the last one stands in `links`, as in a salvaged journal. What is
kept whatever its age: what was refused or parked (nobody else has it), the newest rows, the row that the cloud's
position stands on, and what was done to a sale whose own row stays. A clock that was years behind for a while makes
a return look older than its sale, and without it the goods would come back twice. A uid that went leaves a mark of 63
bits, so that it is never sold again as if it were new.
"""

from collections.abc import Callable

from msgspec import Struct

from till_agent.journal import schema
from till_agent.journal.marks import mark_of
from till_agent.journal.place import Place
from till_agent.journal.session import Session
from till_agent.journal.writer import Writer

KEEP_DAYS = 90
"""Goods come back within weeks; later ones are looked up at the cloud, as those of other tills are."""
LEAST_DAYS = 30
"""The product promises 30 days without a line, and flags on cashiers' receipts look back 20."""
NEWEST_ROWS = 2_000
"""Kept whatever their times say: a clock that jumps ten years ahead must not empty the journal."""
SLICE_ROWS = 200
"""Rows in one turn of the writer; about 5 ms, which a sale may have to wait."""
DAY_MS = 86_400_000
PAUSE_S = 0.02
"""Between two turns: nobody is in a hurry, and sales are."""

_BOUND = "SELECT id FROM entries ORDER BY id DESC LIMIT 1 OFFSET ?"
_FIRST_AFTER = "SELECT min(id) FROM entries WHERE id > ?"
_OLD = """
SELECT e.id, e.row_hash, e.kind, e.uid, e.about_uid,
EXISTS (SELECT 1 FROM entries s WHERE s.kind = 'sale' AND s.uid = e.about_uid)
FROM entries e JOIN verdicts v ON v.id = e.id
WHERE e.id >= ?1 AND e.id < ?2 AND e.at_wall_ms < ?3 AND v.status <> 'rejected' ORDER BY e.id
"""
_DROP_TRIGGER = "DROP TRIGGER entries_never_go"
_TRIGGER = next(each for each in schema.CREATE_V1 if "entries_never_go" in each)


class Turn(Struct, frozen=True):
    """One turn: how many rows went, and after which row the next one begins; 0: there is no more to look at."""

    rows: int
    after: int


def prune(session: Session, *, before_wall_ms: int, included: tuple[int, int] | None, after: int) -> Turn:
    """Let go of old rows in the next stretch of SLICE_ROWS ids after `after`. `included`: the last own op (epoch, seq)
    that every cached balance includes; None: nothing goes."""
    execute = session.connection.execute
    bound = execute(_BOUND, (NEWEST_ROWS,)).fetchone()
    first = execute(_FIRST_AFTER, (after,)).fetchone()[0]
    if bound is None or included is None or first is None or first >= bound[0]:
        return Turn(0, 0)
    epoch, seq = schema.split_id(first)
    state = session.epoch_state(epoch)
    # Never the row at the cloud's position itself: what waits is chained from it, and it may be compared.
    last = min(bound[0], schema.row_id(epoch, state.acked_seq), schema.row_id(*included))
    end = min(last, schema.row_id(epoch, seq + SLICE_ROWS))
    rows = _without_kept_sales(execute(_OLD, (first, end, before_wall_ms)).fetchall())
    if rows:
        _let_go(session, rows)
    # What is left of an epoch beyond its position waits, or is the last of it.
    following = end - 1 if end == schema.row_id(epoch, seq + SLICE_ROWS) else schema.row_id(epoch, schema.LARGEST_SEQ)
    return Turn(len(rows), following)


async def sweep(writer: Writer, place: Place, days: int) -> int:
    """Let go of all rows older than `days` (LEAST_DAYS at least); gives how many. Sales go on between the turns."""
    before_ms = place.clock.wall_ms() - max(days, LEAST_DAYS) * DAY_MS
    rows, after = 0, -1
    while after:
        turn = await writer.submit(_turn(before_ms, place.included(), max(after, 0)), writes=True)
        rows, after = rows + turn.rows, turn.after
        await place.clock.sleep(PAUSE_S)
    return rows


def _turn(before_ms: int, included: tuple[int, int] | None, after: int) -> Callable[[Session], Turn]:
    return lambda session: prune(session, before_wall_ms=before_ms, included=included, after=after)


def _without_kept_sales(rows: list[tuple[int, bytes, str, str, str, int]]) -> list[tuple[int, bytes, str, str]]:
    """Without voids and returns of a sale that stays; a sale that goes stands before what was done to it."""
    sales: set[str] = set()
    going = []
    for identity, row_hash, kind, uid, about, is_here in rows:
        if is_here and about not in sales:
            continue
        if kind == "sale":
            sales.add(uid)
        going.append((identity, row_hash, kind, uid))
    return going


def _let_go(session: Session, rows: list[tuple[int, bytes, str, str]]) -> None:
    execute, many = session.connection.execute, session.connection.executemany
    ids = {row[0] for row in rows}
    execute(schema.CREATE_LINKS)
    execute(schema.CREATE_PRUNED)
    many(schema.ADD_LINK, [(identity, hash_) for identity, hash_, _, _ in rows if identity + 1 not in ids])
    many("DELETE FROM links WHERE id = ?", [(identity - 1,) for identity in ids])
    many(schema.ADD_PRUNED, [(mark_of(kind, uid),) for _, _, kind, uid in rows])
    execute(_DROP_TRIGGER)
    many("DELETE FROM entries WHERE id = ?", [(identity,) for identity in ids])
    execute(_TRIGGER)
    many("DELETE FROM verdicts WHERE id = ?", [(identity,) for identity in ids])
    session.rows_went()

"""The member search's index: for each stretch of members one value of short lines, which is looked through as bytes.

Three tables beside the cache's own, made when somebody searches for the first time; another layout needs other names.
A search reads all of it, 34 MB at a million members. An index by word would be twice as large, and minutes in making.
What stands there may be old: every hit is looked up among the members and compared again (decision 0031).

A line is `\\n word word\\x1fdigits\\x1fdigits\\x1fmember_id`: folded words of the masked name, then the last digits of
phone and card as far as they are shown.
"""

import sqlite3
from collections.abc import Collection, Iterable, Iterator

import msgspec
from msgspec import Struct

from till_agent.cache.matching import tail_of, words_of
from till_agent.cache.turns import in_turns
from till_agent.ports import Asked
from till_sync.snapshot_rows import StoredMember

CHUNK_MEMBERS = 1_000
"""Members that are read and packed in one transaction of the writer's: some 10 ms, between pages, in turns."""
DUE_LIMIT = 500
"""Members whose line is wanting or old, before they get a chunk of their own; until then each search reads them."""
STALE_MEMBERS = 20_000
"""Lines beyond one for each member, and a quarter of all, before the index is begun anew."""

FORGOTTEN_ONE_BY_ONE = 10
"""Members: to look for one in the lines of a million takes 20 ms and more."""
TURN_CHUNKS = 5
"""Looked through before the writer pauses for sales: 0.2 ms for one member, a millisecond for ten."""

RARE_DIGITS = 3
"""So many say more than a name does."""

_END = b"\x1f"
_decoder = msgspec.msgpack.Decoder(StoredMember)

CREATE = (
    """
    CREATE TABLE IF NOT EXISTS search_chunks (
        number INTEGER PRIMARY KEY,
        members INTEGER NOT NULL,
        lines BLOB NOT NULL
    ) STRICT
    """,
    "CREATE TABLE IF NOT EXISTS search_due (member_id TEXT PRIMARY KEY) STRICT, WITHOUT ROWID",
    """
    CREATE TABLE IF NOT EXISTS search_state (
        only INTEGER PRIMARY KEY CHECK (only = 1),
        cursor TEXT NOT NULL,
        upto TEXT NOT NULL,
        complete INTEGER NOT NULL,
        tails TEXT NOT NULL
    ) STRICT
    """,
)
EXISTS = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'search_state'"
STATE = "SELECT cursor, upto, complete, tails FROM search_state"
SAVE_STATE = "INSERT OR REPLACE INTO search_state VALUES (1, ?, ?, ?, ?)"
MOVE_CURSOR = "UPDATE search_state SET cursor = ?"
EMPTY = ("DELETE FROM search_chunks", "DELETE FROM search_due", "DELETE FROM search_state")
# Members after an id, in the order of ids, to be packed.
NEXT_MEMBERS = "SELECT member_id, data FROM members WHERE member_id > ? ORDER BY member_id LIMIT ?"
DUE_MEMBERS = "SELECT d.member_id, m.data FROM search_due d LEFT JOIN members m ON m.member_id = d.member_id LIMIT ?"
ADD_CHUNK = "INSERT INTO search_chunks (members, lines) VALUES (?, ?)"
ADD_DUE = "INSERT OR IGNORE INTO search_due (member_id) VALUES (?)"
DROP_DUE = "DELETE FROM search_due WHERE member_id = ?"
COUNT_DUE = "SELECT count(*) FROM search_due"
COUNT_LINES = "SELECT coalesce(sum(members), 0) FROM search_chunks"
CHUNKS = "SELECT lines FROM search_chunks ORDER BY number"
CHUNK_NUMBERS = "SELECT number FROM search_chunks"
CHUNK = "SELECT lines FROM search_chunks WHERE number = ?"
REPLACE_CHUNK = "UPDATE search_chunks SET members = ?, lines = ? WHERE number = ?"


class State(Struct, frozen=True, kw_only=True):
    """`cursor`: of the last page whose changes are noted; `upto`: the last member that was packed; `tails`: how many
    digits masked numbers end with, the lengths that there are."""

    cursor: str
    upto: str = ""
    complete: bool = False
    tails: tuple[int, ...] = (0,)


def read_state(connection: sqlite3.Connection) -> State | None:
    """How far the index has come; None where there is none, or none that says so."""
    if connection.execute(EXISTS).fetchone() is None:
        return None
    columns = connection.execute(STATE).fetchone()
    if columns is None:
        return None
    cursor, upto, complete, tails = columns
    if not tails.replace(" ", "").isdecimal():
        return None
    lengths = tuple([int(each) for each in tails.split()])
    return State(cursor=cursor, upto=upto, complete=bool(complete), tails=lengths)


def note(connection: sqlite3.Connection, before: str, after: str, shown: Iterable[str]) -> None:
    """A page moved the cursor, and what is shown of these members is new. Within the page's transaction.

    An index that missed a page, as of a program that knew nothing of it, is left behind, and begun anew later.
    """
    state = read_state(connection)
    if state is not None and state.cursor == before:
        for part in in_turns(list(shown)):
            connection.executemany(ADD_DUE, [(each,) for each in part])
        connection.execute(MOVE_CURSOR, (after,))


def begin_anew(connection: sqlite3.Connection) -> None:
    """Forget what there is; it is made again when there is time, or somebody searches."""
    if read_state(connection) is not None:
        for statement in EMPTY:
            connection.execute(statement)


def forget(connection: sqlite3.Connection, member_ids: Collection[str]) -> None:
    """Take the lines of members away who are here no more, in the transaction that drops them: of somebody erased
    nothing is to stay. Of many the whole index is begun anew."""
    if len(member_ids) > FORGOTTEN_ONE_BY_ONE:
        begin_anew(connection)
    if not member_ids or read_state(connection) is None:
        return
    gone = {member_id.encode() for member_id in member_ids}
    for part in in_turns(connection.execute(CHUNK_NUMBERS).fetchall(), TURN_CHUNKS):
        for (number,) in part:
            lines = connection.execute(CHUNK, (number,)).fetchone()[0]
            if any(_END + each in lines for each in gone):
                kept = [line for line in lines.split(b"\n")[1:] if line.rpartition(_END)[2] not in gone]
                connection.execute(REPLACE_CHUNK, (len(kept), b"".join([b"\n" + line for line in kept]), number))
    connection.executemany(DROP_DUE, [(member_id,) for member_id in member_ids])


def pack_more(connection: sqlite3.Connection, cursor: str, members: int) -> bool:
    """One step of what is to be done; whether there is more. Within a transaction of the writer's."""
    state = read_state(connection)
    if state is None or state.cursor != cursor:
        for statement in (*CREATE, *EMPTY):
            connection.execute(statement)
        state = State(cursor=cursor)
    if not state.complete:
        rows = connection.execute(NEXT_MEMBERS, (state.upto, CHUNK_MEMBERS)).fetchall()
        state = _add(connection, state, rows)
        upto = rows[-1][0] if rows else state.upto
        _save(connection, msgspec.structs.replace(state, upto=upto, complete=len(rows) < CHUNK_MEMBERS))
        return len(rows) == CHUNK_MEMBERS
    if connection.execute(COUNT_DUE).fetchone()[0] < DUE_LIMIT:
        return False
    if connection.execute(COUNT_LINES).fetchone()[0] > members + members // 4 + STALE_MEMBERS:
        _save(connection, State(cursor=""))
        return True
    rows = connection.execute(DUE_MEMBERS, (CHUNK_MEMBERS,)).fetchall()
    _save(connection, _add(connection, state, [row for row in rows if row[1] is not None]))
    connection.executemany(DROP_DUE, [(row[0],) for row in rows])
    return True


def candidates(connection: sqlite3.Connection, state: State, asked: Asked) -> Iterator[str]:
    """Members whose line fits, in no order that means anything; some may fit no more, and some come twice."""
    terms = [[f" {word}".encode()] for word in sorted(asked.words, key=len, reverse=True)]
    if asked.digits:
        # One line in a hundred ends with two given digits, as many as have a usual name.
        first = 0 if len(asked.digits) >= RARE_DIGITS else len(terms)
        terms.insert(first, _patterns(asked.digits.encode(), state.tails))
    for (chunk,) in connection.execute(CHUNKS):
        for pattern in terms[0]:
            yield from _in_chunk(chunk, pattern, terms[1:])


def _in_chunk(chunk: bytes, pattern: bytes, others: list[list[bytes]]) -> Iterator[str]:
    at = chunk.find(pattern)
    while at >= 0:
        start, end = chunk.rfind(b"\n", 0, at), chunk.find(b"\n", at)
        end = end if end >= 0 else len(chunk)
        for term in others:
            # A loop, not `any`: a usual name is in a line in fifty of a million.
            for each in term:
                if chunk.find(each, start, end) >= 0:
                    break
            else:
                break
        else:
            yield chunk[chunk.rfind(_END, start, end) + 1 : end].decode()
        at = chunk.find(pattern, end)


def _patterns(digits: bytes, tails: tuple[int, ...]) -> list[bytes]:
    """What a line has in it whose number ends so: of a number that is keyed longer than any tail, the tails."""
    whole = [_END + digits[-length:] + _END for length in tails if 0 < length <= len(digits)]
    return whole + [digits + _END] * any(length > len(digits) for length in tails)


def _add(connection: sqlite3.Connection, state: State, rows: list[tuple[str, bytes]]) -> State:
    lines: list[bytes] = []
    tails = set(state.tails)
    for part in in_turns(rows):
        for member_id, data in part:
            stored = _decoder.decode(data)
            phone, card = tail_of(stored.phone_masked), tail_of(stored.card_masked)
            tails |= {len(phone), len(card)}
            name = "".join([f" {word}" for word in words_of(stored.name_masked)])
            lines.append(f"\n{name}\x1f{phone}\x1f{card}\x1f{member_id}".encode())
    if lines:
        connection.execute(ADD_CHUNK, (len(lines), b"".join(lines)))
    return msgspec.structs.replace(state, tails=tuple(sorted(tails)))


def _save(connection: sqlite3.Connection, state: State) -> None:
    tails = " ".join([str(each) for each in state.tails])
    connection.execute(SAVE_STATE, (state.cursor, state.upto, int(state.complete), tails))

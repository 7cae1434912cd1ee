"""Writes pages and verdicts into the cache; in the writer thread, inside a transaction that the store holds."""

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from till_agent.audit_trail import note
from till_agent.cache import grants, leaving, schema, search_index
from till_agent.cache.programmes import read_programme
from till_agent.cache.rows import Noted, shown_of, tags_of, without_tag
from till_agent.cache.turns import in_turns
from till_agent.ports import Seen, Shares
from till_loyalty.receipt import Place
from till_sync.asking import MemberAnswer
from till_sync.ports import Clock
from till_sync.snapshot_rows import balance_columns, pack
from till_sync.wire import ChangesAnswer, GrantRow, LeftRow, MemberRow, OpResult, ProgrammeRow

_log = logging.getLogger(__name__)


class Allotted(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the newest page said of the till itself: its shares of budgets, where it stands, and in how many days its
    members were seen in its store (0: it holds all there are); and when it came."""

    shares: Shares = Shares()
    place: Place | None = None
    seen: Seen | None = None
    window_days: int = 0


_encode_allotted = msgspec.msgpack.Encoder().encode
_allotted_decoder = msgspec.msgpack.Decoder(Allotted)


class Progress(Struct, frozen=True, kw_only=True):
    """How far the cache has come. `generation` counts pulls from the beginning; `filling` while one is under way.

    `floor` is the last own op (epoch, seq) that every cached balance includes; `base`, the floor when the cache was
    last filled, is what rows of a snapshot include that were not told of since. The members up to `checked_to` agreed
    with the cloud in the round of digests under way; `divergences` counts stretches that did not.
    """

    till: str
    cursor: str = ""
    incarnation: str = ""
    as_of_ms: int = 0
    members: int = 0
    generation: int = 1
    filling: bool = True
    floor: tuple[int, int] = (0, 0)
    allotted: Allotted = Allotted()
    base: tuple[int, int] = (0, 0)
    checked_to: str = ""
    divergences: int = 0


def load_progress(connection: sqlite3.Connection) -> Progress:
    """What the file says; sqlite3.Error or ValueError when it does not."""
    columns = connection.execute(schema.PROGRESS).fetchone()
    if columns is None:
        raise ValueError("expected the cache's progress, not nothing")
    till, cursor, incarnation, as_of_ms, members, generation, filling, epoch, seq, allotted, *rest = columns
    base_epoch, base_seq, checked_to, divergences = rest
    return Progress(
        till=till,
        cursor=cursor,
        incarnation=incarnation,
        as_of_ms=as_of_ms,
        members=members,
        generation=generation,
        filling=bool(filling),
        floor=(epoch, seq),
        allotted=_allotted_decoder.decode(allotted),
        base=(base_epoch, base_seq),
        checked_to=checked_to,
        divergences=divergences,
    )


def save_progress(connection: sqlite3.Connection, progress: Progress) -> None:
    """In the transaction of the rows that it speaks of."""
    connection.execute(
        schema.SAVE_PROGRESS,
        (
            progress.till,
            progress.cursor,
            progress.incarnation,
            progress.as_of_ms,
            progress.members,
            progress.generation,
            int(progress.filling),
            *progress.floor,
            _encode_allotted(progress.allotted),
            *progress.base,
            progress.checked_to,
            progress.divergences,
        ),
    )


Waiting = frozenset[str] | None
"""Whom own ops speak of that a page does not include, by member id or tag; None: that was not looked up."""


def seen_by(clock: Clock | None) -> Seen | None:
    """Now, by our clocks; None without one."""
    return Seen(mono_ms=clock.mono_ms(), boot=clock.boot, wall_ms=clock.wall_ms()) if clock else None


def write_page(
    connection: sqlite3.Connection,
    progress: Progress,
    page: ChangesAnswer,
    seen: Seen | None = None,
    waiting: Waiting = None,
    *,
    serves: bool = True,
) -> Progress:
    """Store a page's rows and where it ends. Gives the progress after it. `seen`: when it came, by our clocks;
    `waiting` may be None where `leaves` says no. `serves`: whether it is not a cache that is being built beside."""
    included = (page.epoch, page.acked_seq)
    members = {row.member_id: row for row in page.rows if isinstance(row, MemberRow)}
    shown: list[str] = []
    removed = [each for each in removed_by(page) if connection.execute(schema.STORED, (each,)).fetchone() is not None]
    added = _write_members(connection, progress, page, list(members.values()), shown)
    write_programmes(connection, [row for row in page.rows if isinstance(row, ProgrammeRow)])
    if _is_other(progress, page):
        grants.drop_all(connection)
    lent = [row for row in page.rows if isinstance(row, GrantRow)]
    grants.write_grants(connection, lent, included, progress.generation)
    complete = not page.more
    if complete and progress.filling:
        grants.drop_grants(connection, progress.generation)
    left = 0
    if waiting is not None:
        left = leaving.settle(connection, waiting)
        left_rows = [row.member_id for row in page.rows if isinstance(row, LeftRow)]
        left += leaving.leave(connection, left_rows, waiting, progress.base if serves else None)
    added -= left
    if complete and progress.filling and progress.generation > 1:
        added -= _sweep(connection, progress, waiting or frozenset())
    after = msgspec.structs.replace(
        progress,
        cursor=page.next,
        incarnation=page.incarnation,
        as_of_ms=page.server_time_ms,
        members=progress.members + added,
        filling=progress.filling and not complete,
        # Who is kept in a cache that is being built comes from the one that serves: `Aside.carry_over`.
        floor=_floor(progress, page, included, anyone_kept=serves and leaving.is_any(connection)),
        # With the page that completes a pull, every row includes what that page does, also those it did not bring.
        base=included if complete and progress.filling else progress.base,
        allotted=Allotted(
            shares=Shares(left=page.shares, included=included),
            place=page.place or progress.allotted.place,
            seen=seen,
            window_days=page.window_days,
        ),
    )
    save_progress(connection, after)
    if left or progress.filling:
        search_index.begin_anew(connection)  # it still says what they are called
    else:
        search_index.note(connection, progress.cursor, after.cursor, shown)
        search_index.forget(connection, removed)
    return after


def leaves(progress: Progress, page: ChangesAnswer) -> bool:
    """Whether a page may cost the cache members."""
    return (progress.filling and not page.more) or any(isinstance(row, LeftRow) for row in page.rows)


def removed_by(page: ChangesAnswer) -> set[str]:
    """Whom the cloud erased, or merged into others."""
    return {row.member_id for row in page.rows if isinstance(row, MemberRow) and row.status == "removed"}


class Erased:
    """How many members of this cache a page takes away: the cloud erased them, or merged them into others."""

    def __init__(self, is_here: Callable[[str], bool], page: ChangesAnswer) -> None:
        self._count = sum(is_here(each) for each in removed_by(page))

    async def note(self, state_dir: Path) -> None:
        """Into the audit log, once the page is kept: how many, and no name of any."""
        if self._count:
            await asyncio.to_thread(note, state_dir, "member_erased", members=self._count)


def begin_anew(connection: sqlite3.Connection) -> Progress:
    """Forget the cursor; what the next pull does not bring again is dropped at its end."""
    before = load_progress(connection)
    after = msgspec.structs.replace(before, cursor="", generation=before.generation + 1, filling=True)
    save_progress(connection, after)
    return after


def judge(connection: sqlite3.Connection, epoch: int, results: tuple[OpResult, ...]) -> None:
    """Balances right after own ops; those of members that are not cached come with a page."""
    base = load_progress(connection).base
    for part in in_turns([result for result in results if result.member_id]):
        for result in part:
            at = (epoch, result.seq)
            statement = schema.JUDGE_BALANCE if at > base else schema.JUDGE_BALANCE_SINCE_SNAPSHOT
            connection.execute(statement, (result.balance, result.held, result.position, *at, result.member_id, *at))


def _floor(progress: Progress, page: ChangesAnswer, included: tuple[int, int], *, anyone_kept: bool) -> tuple[int, int]:
    """Every cached balance includes own ops up to here: proven by a page with which the pull was complete. Pages say
    nothing of those who left and are kept: what they lack must not be forgotten."""
    if anyone_kept:
        return min(progress.floor, included)
    if progress.as_of_ms == 0:
        return included
    if not page.more and progress.filling:
        return included
    if progress.filling or _is_other(progress, page):
        return min(progress.floor, included)
    return progress.floor if page.more else max(progress.floor, included)


def _is_other(progress: Progress, page: ChangesAnswer) -> bool:
    """Is it another incarnation of the cloud than the one the cached rows are from?"""
    return progress.incarnation not in {"", page.incarnation}


def _write_members(
    connection: sqlite3.Connection, progress: Progress, page: ChangesAnswer, rows: list[MemberRow], shown: list[str]
) -> int:
    """Store members, tags and balances. Gives how many more members there are; `shown` gets the ids of those of whom a
    till shows something else than before."""
    on_page = {row.member_id for row in rows}
    return sum([_write_some(connection, progress, page, part, on_page, shown) for part in in_turns(rows)])


def _write_some(
    connection: sqlite3.Connection,
    progress: Progress,
    page: ChangesAnswer,
    rows: Sequence[MemberRow],
    on_page: set[str],
    shown: list[str],
) -> int:
    """Some rows of a page, on which there are `on_page`."""
    included = (page.epoch, page.acked_seq)
    other = _is_other(progress, page)
    put_members: list[tuple[str, int, bytes]] = []
    drop_tags: list[tuple[str, str]] = []
    put_tags: list[tuple[str, str]] = []
    drop_members: list[tuple[str]] = []
    newer: list[tuple[object, ...]] = []
    anyway: list[tuple[object, ...]] = []
    added = 0
    for row in rows:
        stored = connection.execute(schema.STORED, (row.member_id,)).fetchone()
        generation, stored_data = stored or (0, b"")
        before = tags_of(stored_data) if stored else ()
        if row.status == "removed":
            drop_tags.extend((tag, row.member_id) for tag in before)
            drop_members.append((row.member_id,))
            added -= stored is not None
            continue
        data = pack(row)
        fresh = stored is not None and generation == progress.generation
        if not fresh or stored_data != data:
            put_members.append((row.member_id, progress.generation, data))
            if stored is None or shown_of(stored_data) != (row.name_masked, row.phone_masked, row.card_masked):
                shown.append(row.member_id)
            drop_tags.extend((tag, row.member_id) for tag in before if tag not in row.tags)
            put_tags.extend((tag, row.member_id) for tag in row.tags if tag not in before)
        columns = (row.member_id, *balance_columns(row, included, page.server_time_ms))
        (newer if fresh and not other else anyway).append(columns)
        added += stored is None
    leaving.stay(connection, [row.member_id for row in rows])
    connection.executemany(schema.DROP_TAG, drop_tags)
    connection.executemany(schema.DROP_MEMBER, drop_members)
    connection.executemany(schema.DROP_BALANCE, drop_members)
    connection.executemany(schema.PUT_MEMBER, put_members)
    claim_tags(connection, put_tags, on_page)
    written = connection.executemany(schema.PUT_BALANCE, newer).rowcount
    if written < len(newer):
        # Verdicts came before this page was read; what it says of facts they did not bring.
        connection.executemany(schema.PUT_FACTS, [(*each[9:13], each[0], *included) for each in newer])
    connection.executemany(schema.PUT_BALANCE_ANYWAY, anyway)
    return added


def claim_tags(connection: sqlite3.Connection, claims: list[tuple[str, str]], on_page: set[str]) -> None:
    """Lead tags to their new members, and take them from those who had them: a tag is in a member's row if and only if
    it leads there, so that a row that did not change need not have its tags written again.
    """
    for tag, member_id in claims:
        owner = connection.execute(schema.OWNER, (tag,)).fetchone()
        if owner is not None and owner[0] != member_id and owner[0] not in on_page:
            stored = connection.execute(schema.STORED, owner).fetchone()
            if stored is not None:
                connection.execute(schema.PUT_MEMBER, (owner[0], stored[0], without_tag(stored[1], tag)))
        connection.execute(schema.PUT_TAG, (tag, member_id))


def take(connection: sqlite3.Connection, answer: MemberAnswer) -> Progress:
    """Store a member whom the cloud was asked about, ahead of the page that brings them; the cursor stays.

    Whom a page has brought meanwhile is left alone: it may be newer than the answer. Who left with one, and is kept for
    a while, is as the answer says, which is newer than that.
    """
    progress, row = load_progress(connection), answer.member
    if row is None:
        return progress
    is_here = connection.execute(schema.STORED, (row.member_id,)).fetchone() is not None
    if is_here and not leaving.is_kept(connection, row.member_id):
        return progress
    rows = [row]
    page = ChangesAnswer(
        incarnation=answer.incarnation,
        rows=tuple(rows),
        next=progress.cursor,
        more=True,
        epoch=answer.epoch,
        acked_seq=answer.acked_seq,
        server_time_ms=answer.server_time_ms,
    )
    shown: list[str] = []
    added = _write_members(connection, progress, page, rows, shown)
    after = msgspec.structs.replace(progress, members=progress.members + added)
    save_progress(connection, after)
    search_index.note(connection, progress.cursor, progress.cursor, shown)
    return after


def bring_back(connection: sqlite3.Connection, gone: Sequence[Noted], floor: tuple[int, int]) -> Progress:
    """Keep members whom a page took away while somebody looked them up; as those of whom waiting ops speak. Who is
    there again has come with an answer of the cloud, and is as that says. Their rows are of before the page, and so is
    what they include: `floor` at least."""
    progress = load_progress(connection)
    gone = [each for each in gone if connection.execute(schema.STORED, (each[0][0],)).fetchone() is None]
    for member in gone:
        leaving.bring_back(connection, member, progress.generation)
    floor = min(progress.floor, floor) if gone else progress.floor
    after = msgspec.structs.replace(progress, members=progress.members + len(gone), floor=floor)
    save_progress(connection, after)
    search_index.note(connection, progress.cursor, progress.cursor, [columns[0] for columns, _base in gone])
    return after


def _sweep(connection: sqlite3.Connection, progress: Progress, waiting: frozenset[str]) -> int:
    """Drop members that a pull from the beginning did not bring again. Gives how many."""
    gone = connection.execute(schema.STALE, (progress.generation,)).fetchall()
    if waiting and gone:
        gone = [each for each in gone if not leaving.keep(connection, each[0], waiting, progress.base)]
    connection.executemany(schema.DROP_MEMBER, gone)
    connection.executemany(schema.DROP_BALANCE, gone)
    if gone:
        connection.execute(schema.STALE_TAGS)
        _log.info("%d members are not in the cloud any more and were dropped", len(gone))
    return len(gone)


def write_programmes(connection: sqlite3.Connection, rows: list[ProgrammeRow]) -> None:
    """Keep usable programmes. The one to sell by gives way to a usable one, or to none when the cloud says so, but
    never to one that this till can't use.
    """
    usable = [row for row in rows if read_programme(row.body, row.digest) is not None]
    refused = any(row.active and row not in usable for row in rows)
    for row in usable:
        stored = connection.execute(schema.IS_ACTIVE, (row.programme_id, row.version)).fetchone()
        active = bool(stored and stored[0]) and (refused or row.active)
        values = (row.programme_id, row.version, row.digest, int(active), row.body)
        connection.execute(schema.PUT_PROGRAMME, values)
    for row in usable:
        if row.active:
            connection.execute(schema.SELL_BY, (row.programme_id, row.version))

"""Members brought in from a file: in blocks, each one transaction, so that the cloud keeps serving meanwhile."""

import sqlite3
from collections.abc import Callable, Iterable
from typing import Any

from msgspec import Struct

from till_cloud import windows
from till_cloud.csv_members import Candidate, Fault, LineReader
from till_cloud.importing_people import PeopleOfBlock
from till_cloud.ledger.account import Draft, IssuedLot
from till_cloud.ledger.book import Book
from till_cloud.store import members, slow_tags, tiers

BLOCK_LINES = 5_000
"""Lines of one transaction: about half a second, which is how long a till's push may wait behind it."""

_INSERT_MEMBER = """
INSERT INTO members (member_id, status, tier, name, name_masked, phone_masked, card_masked, language, added_at_ms,
    birth_date, sex, member_since, segments, referrer, referral_code, purchases, last_purchase)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_INSERT_TAG = "INSERT INTO identifiers (tag, member_id) VALUES (?, ?)"
_INSERT_BALANCE = "INSERT INTO balances (member_id, balance, earned, position) VALUES (?, ?, ?, ?)"
_INSERT_LOT = """
INSERT INTO lots (member_id, lot, position, issued, left, used, expired, reversed) VALUES (?1, ?2, ?2, ?3, ?3, 0, 0, 0)
"""
_INSERT_OPENING = """
INSERT INTO movements (member_id, position, kind, earned, balance, debt, at_ms) VALUES (?, ?, 'opening', ?, ?, 0, ?)
"""
_OPENING = "SELECT sum(earned) FROM movements WHERE member_id = ? AND kind = 'opening'"


class Imported(Struct):
    """What became of the lines so far."""

    lines: int = 0
    added: int = 0
    updated: int = 0
    unchanged: int = 0
    refused: int = 0


class BlockDone(Struct):
    """What a block did, and what it found wrong; `targets` are the members it touched."""

    added: int = 0
    updated: int = 0
    unchanged: int = 0
    faults: list[Fault] = []
    targets: set[int] = set()


class _BlockRefused(Exception):  # noqa: N818 - undoes a block's transaction, nothing more
    """Raised when a block that is taken whole or not at all has a fault."""


Transact = Callable[[Callable[[sqlite3.Connection], None]], None]


class Importer:
    """Takes lines block by block. `transact` runs a block's work in one transaction of the database.

    A bad line is reported and left out; with `whole_blocks`, its whole block is. Importing a file again changes
    nothing: opening points are given once, and a later file may not change them.
    """

    def __init__(
        self,
        reader: LineReader,
        *,
        transact: Transact,
        wall_ms: Callable[[], int],
        new_id: Callable[[], str],
        report: Callable[[Fault], None],
        whole_blocks: bool = False,
        block_lines: int = BLOCK_LINES,
        store: str = windows.EVERYWHERE,
    ) -> None:
        self._reader = reader
        self._transact = transact
        self._wall_ms = wall_ms
        self._new_id = new_id
        self._report = report
        self._whole_blocks = whole_blocks
        self._block_lines = block_lines
        self._store = store
        # Hashes of the members touched so far: 64 bytes each for a million members, where their ids would take 150.
        self._seen: set[int] = set()
        self.done = Imported()

    def take(self, rows: Iterable[tuple[int, dict[str, str] | Fault]]) -> Imported:
        """Import every row; `done` counts as it goes."""
        block: list[Candidate] = []
        faults: list[Fault] = []
        lines = 0
        for line, row in rows:
            lines += 1
            read = [row] if isinstance(row, Fault) else self._reader.read(line, row)
            if isinstance(read, Candidate):
                block.append(read)
            else:
                faults += read
            if lines >= self._block_lines:
                self._finish(block, faults, lines)
                block, faults, lines = [], [], 0
        if lines:
            self._finish(block, faults, lines)
        return self.done

    def _finish(self, block: list[Candidate], faults: list[Fault], lines: int) -> None:
        done = BlockDone(faults=faults)

        def work(connection: sqlite3.Connection) -> None:
            first_tier = self._reader.first_tier
            _Block(connection, self._wall_ms(), self._new_id, self._seen, first_tier, done, self._store).apply(block)
            if done.faults and self._whole_blocks:
                raise _BlockRefused

        try:
            self._transact(work)
        except _BlockRefused:
            done = BlockDone(faults=done.faults)
        self._seen |= done.targets
        for fault in sorted(done.faults, key=lambda fault: fault.line):
            self._report(fault)
        self.done.lines += lines
        self.done.added += done.added
        self.done.updated += done.updated
        self.done.unchanged += done.unchanged
        self.done.refused += lines - done.added - done.updated - done.unchanged


class _Block:
    """One transaction's lines."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        now_ms: int,
        new_id: Callable[[], str],
        seen: set[int],
        first_tier: str,
        done: BlockDone,
        store: str,
    ) -> None:
        self._connection = connection
        self._book = Book(connection, now_ms)
        self._new_id = new_id
        self._seen = seen
        self._first_tier = first_tier
        self._done = done
        self._store = store
        self._people = PeopleOfBlock(connection, now_ms)
        self._new_owners: dict[str, str] = {}
        self._members: list[tuple[Any, ...]] = []
        self._tags: list[tuple[str, str]] = []
        self._balances: list[tuple[Any, ...]] = []
        self._openings: list[tuple[str, int, int]] = []

    def apply(self, block: list[Candidate]) -> None:
        for candidate in block:
            target = self._target(candidate)
            if isinstance(target, Fault):
                self._done.faults.append(target)
                continue
            mark = hash(target)
            if mark in self._seen or mark in self._done.targets:
                message = (
                    "expected each member once, but an earlier line of this file has this card, phone or member_id"
                )
                self._done.faults.append(Fault(candidate.line, "", message))
                continue
            known = members.profile(self._connection, target) if target else None
            fault = self._people.fault(candidate, target)
            if fault is None and known is None:
                self._done.targets.add(hash(self._add(candidate, target)))
                continue
            if fault is None and known is not None:
                fault = self._update(candidate, known)
            if fault is not None:
                self._done.faults.append(fault)
            else:
                self._done.targets.add(mark)
        self._write()

    def _target(self, candidate: Candidate) -> str | Fault:
        """The member that a line speaks of; "" for a new one whose id we choose."""
        target = candidate.member_id
        for tag in candidate.tags:
            owner = self._new_owners.get(tag) or members.owner(self._connection, tag)
            if owner is None:
                continue
            if target and owner != target:
                column = tag.partition(":")[0]
                return Fault(
                    candidate.line, column, f"expected one member's identifiers, but this {column} is {owner}'s"
                )
            target = owner
        return target

    def _add(self, candidate: Candidate, target: str) -> str:
        member_id = target or self._new_id()
        position = self._book.next_position()
        profile = (candidate.name, candidate.name_masked, candidate.phone_masked, candidate.card_masked)
        tier, status = candidate.tier or self._first_tier, candidate.status or "active"
        said = self._people.row(candidate, member_id)
        if candidate.tier:
            self._people.tier_given(member_id, candidate.tier)
        self._members.append((member_id, status, tier, *profile, candidate.language, self._book.now_ms, *said))
        for tag in candidate.tags:
            self._new_owners[tag] = member_id
            self._tags.append((tag, member_id))
        self._balances.append((member_id, candidate.balance, candidate.balance, position))
        if candidate.balance:
            self._openings.append((member_id, position, candidate.balance))
        self._done.added += 1
        return member_id

    def _update(self, candidate: Candidate, known: members.MemberProfile) -> Fault | None:
        """Fill in what the file says; empty fields keep what is there. A provisional member is confirmed."""
        opened = self._connection.execute(_OPENING, (known.member_id,)).fetchone()[0]
        if candidate.balance and opened is not None and opened != candidate.balance:
            message = f"expected opening points of {opened} as given before, not {candidate.balance}"
            return Fault(candidate.line, "balance", message)
        status = candidate.status or ("active" if known.status == "provisional" else known.status)
        wanted = members.MemberProfile(
            member_id=known.member_id,
            status=status,
            tier=candidate.tier or known.tier or self._first_tier,
            name=candidate.name or known.name,
            name_masked=candidate.name_masked or known.name_masked,
            phone_masked=candidate.phone_masked or known.phone_masked,
            card_masked=candidate.card_masked or known.card_masked,
            language=candidate.language or known.language,
        )
        named = {slow_tags.kept(self._connection, tag) for tag in candidate.tags}
        new_tags = named - set(members.tags(self._connection, known.member_id))
        opens = bool(candidate.balance) and opened is None
        filled = self._people.fill(candidate, known.member_id)
        if wanted == known and not (new_tags or opens or filled):
            self._done.unchanged += 1
            return None
        position = self._book.next_position()
        members.update(self._connection, wanted, position)
        if wanted.tier != known.tier:
            self._people.tier_given(known.member_id, wanted.tier)
            tiers.add_move(
                self._connection,
                known.member_id,
                position,
                before=known.tier,
                after=wanted.tier,
                reason="hand",
                now_ms=self._book.now_ms,
            )
        members.add_tags(self._connection, known.member_id, sorted(new_tags))
        account = self._book.account(known.member_id)
        if opens and account is not None:
            draft, position = Draft(account), self._book.next_position()
            draft.earn_lots([IssuedLot(position, candidate.balance)])
            self._book.post(draft, kind="opening", op=None, position=position)
        self._done.updated += 1
        return None

    def _write(self) -> None:
        many, now_ms = self._connection.executemany, self._book.now_ms
        many(_INSERT_MEMBER, self._members)
        many(_INSERT_TAG, self._tags)
        many(_INSERT_BALANCE, self._balances)
        windows.see_many(self._book, self._store, [(row[0], row[3]) for row in self._balances])
        self._people.write()
        many(_INSERT_LOT, self._openings)
        many(
            _INSERT_OPENING,
            [(member_id, position, points, points, now_ms) for member_id, position, points in self._openings],
        )
        self._book.flush()

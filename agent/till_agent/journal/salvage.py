"""What becomes of the ops in a journal that is given up: sent on under their own ids, journalled anew, or told as lost.

An op is carried only as bytes that the chain proves. Ops that follow what the cloud acknowledged without a hole go on
in their own epoch, with its salt: an op that the cloud has got already is a duplicate. Behind a hole the line is
broken, and what is proven there is journalled anew in the new epoch, with the same uid and body: the cloud takes no
document twice (`sale_repeated`), so nothing doubles whatever it has. Acknowledged rows come along as far as time
allows, newest first, with the cloud's verdicts on them: answers given before are given again, and their goods can be
returned. But a sale of which a void or a return is gone stays behind: without a line its goods would come back once
more, and the cloud knows what became of it.
"""

import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from till_agent.journal import schema
from till_agent.journal.chain import FIRST, row_hash
from till_agent.journal.marks import mark_of
from till_agent.journal.session import append_row
from till_agent.journal.wreck import SLICE_ROWS, OutOfTime, Proven, Wreck, WreckEpoch
from till_agent.journal.wreck_told import read_about, read_verdicts
from till_sync.ops import OpId

BUDGET_MS = 6_000
"""At start, for all of it: the till is to be ready in ten seconds. 100,000 waiting ops take about as long."""
LATER_BUDGET_MS = 300_000
"""For the command, which a person waits for."""
ATTEMPTS = 3
"""Should looking into a file end the process, the till must still start: after so many, it is left to the command."""
NAMED_LIMIT = 1_000
"""Ops named one by one in a report."""

BEYOND_LIMIT = 200_000
"""Rows looked for beyond what witness and cloud are known to have: twice what may wait."""

ANEW = frozenset({"sale", "void", "return", "register", "attach-card", "hold-release"})
"""Kinds that the cloud takes once, by their uid or because a second time changes nothing."""

Fate = Literal["sent_on", "anew", "known", "needless", "lost", "unread"]


class SavedOp(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one op that the cloud had not acknowledged. `anew`: its new id. `kind`, `uid`: "" if unreadable.

    `known`: the journal has that document already. `needless`: the new epoch itself gives back what it would have.
    """

    op: str
    fate: Fate
    kind: str = ""
    uid: str = ""
    anew: str = ""


class Salvage(Struct, frozen=True, kw_only=True):
    """Counts of all, names of the first NAMED_LIMIT that were not simply sent on; `kept`: acknowledged rows; `marks`:
    of documents that had been let go of for their age.

    `state`: begun, done, partly (time was short: `unread` ops, or marks, are left for the command), given_up.
    """

    state: Literal["begun", "done", "partly", "given_up"] = "begun"
    attempts: int = 0
    sent_on: int = 0
    anew: int = 0
    known: int = 0
    needless: int = 0
    lost: int = 0
    unread: int = 0
    kept: int = 0
    holds: int = 0
    marks: int = 0
    ops: tuple[SavedOp, ...] = ()


class NewEpoch:
    """Where ops go that are journalled anew: the epoch that the new journal goes on with.

    `included`: up to that op of a former epoch the balances shown include what the cloud has. What it had under that
    id is taken for this op, which then changes nothing of what is shown; the cloud's answer says what is right.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        till: str,
        epoch: int,
        salt: str,
        seq: int = 0,
        head: bytes = FIRST,
        *,
        included: tuple[int, int] | None = None,
    ) -> None:
        self._connection = connection
        self._till = till
        self._epoch = epoch
        self._salt = salt
        self._included = included or (0, 0)
        self.seq = seq
        self.head = head

    def append(self, proven: Proven) -> OpId:
        """The same row under a new id."""
        self.seq += 1
        op_id = OpId(self._till, self._epoch, self.seq)
        if (proven.epoch, proven.seq) <= self._included:
            proven = replace(proven, row=replace(proven.row, effect_points=0))
        self.head, _mark = row_hash(self.head, op_id, self._salt, proven.row)
        append_row(self._connection, schema.row_id(self._epoch, self.seq), self.head, proven.row)
        return op_id


class Carrier:
    """Carries what a wreck holds into another journal, within the transaction that its caller has begun.

    `keeps_past`: the other journal is being made, so that old epochs can stand in it; `keeps_ids`: and go on there.
    Otherwise all goes anew. `top` is the row that the witness saw last.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        wreck: Wreck,
        till: str,
        new: NewEpoch,
        *,
        keeps_ids: bool = False,
        keeps_past: bool = False,
        top: int = 0,
    ) -> None:
        self._connection = connection
        self._wreck = wreck
        self._till = till
        self._new = new
        self._keeps_ids = keeps_ids
        self._keeps_past = keeps_past
        self._top = top
        self._links: dict[int, bytes] = {}
        self._about: dict[int, set[str]] | None = None
        self._left_behind: set[str] = set()
        self._holds_used: set[str] = set()
        self._counts: dict[str, int] = {}
        self._ops: list[SavedOp] = []
        self._is_cut = False

    def run(self, epochs: list[WreckEpoch]) -> Salvage:
        """All epochs of the wreck, oldest first; what waits before what is acknowledged."""
        done = [(epoch, self._waiting(epoch)) for epoch in epochs]
        if not epochs:
            # Nothing is known of what waited; it was not more than the witness saw.
            self._count("lost", schema.split_id(self._top)[1])
        if self._keeps_past:
            # Newest first: today's receipts are those that are asked for.
            for epoch, last in reversed(done):
                self._acknowledged(epoch, last)
            self._write_links()
            self._open_holds()
        self._marks()
        return self._found()

    def _marks(self) -> None:
        """Marks of what was let go of for its age: without them it could be sold again as if it were new."""
        connection = self._connection

        def take(marks: list[tuple[int]]) -> None:
            if not self._counts.get("marks"):
                connection.execute(schema.CREATE_LINKS)
                connection.execute(schema.CREATE_PRUNED)
            connection.executemany(schema.ADD_PRUNED, marks)
            self._count("marks", len(marks))

        try:
            self._wreck.marks(take)
        except OutOfTime:
            self._is_cut = True

    def _found(self) -> Salvage:
        state: Literal["done", "partly"] = "partly" if self._counts.get("unread") or self._is_cut else "done"
        counts = {name: self._counts.get(name, 0) for name in _COUNTED}
        return replace(Salvage(state=state, ops=tuple(self._ops)), **counts)

    def continue_epoch(self, epoch: WreckEpoch, head: bytes, first: int, last: int) -> Salvage:
        """Rows that a damaged log cut off from an epoch of this journal: up to the first hole they go where they were.

        `last` is what the witness saw: what of it nothing proves is told as lost.
        """
        upto = seen = first - 1
        try:
            for proven in self._wreck.proven(epoch, first, last, head):
                self._missing(epoch, seen + 1, proven.seq - 1)
                seen = proven.seq
                self._holds_used.add(proven.row.hold)
                if proven.seq == upto + 1:
                    append_row(self._connection, schema.row_id(epoch.epoch, proven.seq), proven.hash, proven.row)
                    self._tell(proven, "sent_on")
                    upto += 1
                else:
                    self._behind(proven)
            self._missing(epoch, seen + 1, last)
        except OutOfTime:
            self._count("unread", last - seen)
        return self._found()

    def _waiting(self, epoch: WreckEpoch) -> int:
        """Ops that the cloud has not acknowledged; gives the last seq that goes on in its own epoch."""
        first, last = epoch.acked_seq + 1, self._last_of(epoch)
        upto, seen = epoch.acked_seq, epoch.acked_seq
        try:
            for proven in self._wreck.proven(epoch, first, last):
                self._missing(epoch, seen + 1, proven.seq - 1)
                seen = proven.seq
                self._holds_used.add(proven.row.hold)
                if self._keeps_ids and proven.seq == upto + 1:
                    self._put(proven, after=upto != epoch.acked_seq)
                    self._tell(proven, "sent_on")
                    upto += 1
                else:
                    self._behind(proven)
            self._missing(epoch, seen + 1, last)
        except OutOfTime:
            self._count("unread", last - seen)
        return upto

    def _last_of(self, epoch: WreckEpoch) -> int:
        """The last op of an epoch, as far as table, index and witness tell; a changed key must not send us far."""
        top_epoch, seen = schema.split_id(self._top)
        seen = seen if top_epoch == epoch.epoch else 0
        return max(seen, min(self._wreck.last_seq(epoch.epoch), max(seen, epoch.acked_seq) + BEYOND_LIMIT))

    def _behind(self, proven: Proven) -> None:
        row = proven.row
        there = self._connection.execute(_KNOWN, (row.kind, row.uid)).fetchone()
        if there is not None:
            self._tell_known(proven, there[0], there[1])
        elif row.kind == "grant-release":
            self._tell(proven, "needless")
        elif row.kind in ANEW:
            self._tell(proven, "anew", str(self._new.append(proven)))
        else:
            self._tell(proven, "lost")

    def _tell_known(self, proven: Proven, identity: int, body: bytes) -> None:
        """What is in the journal already came there by an earlier, cut short salvage, or was made once more."""
        epoch, seq = schema.split_id(identity)
        if (epoch, seq) == (proven.epoch, proven.seq):
            self._tell(proven, "sent_on")
        elif bytes(body) == proven.row.body:
            self._tell(proven, "anew", str(OpId(self._till, epoch, seq)))
        else:
            self._tell(proven, "known")

    def _missing(self, epoch: WreckEpoch, first: int, last: int) -> None:
        """Ops that nothing proves. An index may still know what they were, and where they would be known already."""
        if last < first:
            return
        names = self._wreck.names(epoch.epoch, first, last, NAMED_LIMIT)
        for seq in range(first, min(last, first + NAMED_LIMIT - 1) + 1):
            kind, uid = names.get(seq, ("", ""))
            known = kind and self._connection.execute(_KNOWN, (kind, uid)).fetchone() is not None
            self._name(SavedOp(op=_name(epoch, seq), fate="known" if known else "lost", kind=kind, uid=uid))
        self._count("lost", max(0, last - first + 1 - NAMED_LIMIT))

    def _acknowledged(self, epoch: WreckEpoch, last: int) -> None:
        """Rows up to what the cloud acknowledged, in slices from the newest on; and the epoch itself."""
        kept = 0
        top = last if last > epoch.acked_seq else 0
        end = min(epoch.acked_seq, self._last_of(epoch))
        with contextlib.suppress(OutOfTime):
            while end > 0:
                first = max(1, end - SLICE_ROWS + 1)
                before, ids = 0, set()
                found = list(self._wreck.proven(epoch, first, end))
                self._leave_behind(epoch.epoch, set(range(first, end + 1)) - {each.seq for each in found})
                for proven in found:
                    if self._stays_behind(proven):
                        continue
                    if self._connection.execute(_KNOWN, (proven.row.kind, proven.row.uid)).fetchone() is None:
                        self._put(proven, after=proven.seq == before + 1)
                        top, before, kept = max(top, proven.seq), proven.seq, kept + 1
                        ids.add(schema.row_id(proven.epoch, proven.seq))
                verdicts = [each for each in read_verdicts(self._wreck, epoch.epoch, first, end) if each[0] in ids]
                self._connection.executemany(schema.RECORD_VERDICT, verdicts)
                end = first - 1
        self._count("kept", kept)
        if top:
            # An epoch ends with a row that is there; what it had beyond that the cloud has acknowledged.
            values = (epoch.epoch, self._till, epoch.salt, 0, "salvaged")
            self._connection.execute(schema.ADD_EPOCH, values)
            self._connection.execute(schema.MOVE_ACKED, (min(epoch.acked_seq, top), epoch.epoch))

    def _leave_behind(self, epoch: int, gone: set[int]) -> None:
        """Sales that rows were about which are gone: not those that were let go of, for they went after their sale."""
        if not gone:
            return
        if self._about is None:
            self._about = read_about(self._wreck)
        for seq in gone:
            self._left_behind |= self._about.get(schema.row_id(epoch, seq), set())

    def _stays_behind(self, proven: Proven) -> bool:
        """Whether a row is a sale to be left; its mark keeps it from being sold as if it were new."""
        if proven.row.kind != "sale" or proven.row.uid not in self._left_behind:
            return False
        self._connection.execute(schema.CREATE_LINKS)
        self._connection.execute(schema.CREATE_PRUNED)
        self._connection.execute(schema.ADD_PRUNED, (mark_of("sale", proven.row.uid),))
        return True

    def _put(self, proven: Proven, *, after: bool) -> None:
        """A row under its own id; where the row before is not there, its hash."""
        identity = schema.row_id(proven.epoch, proven.seq)
        if not after and proven.seq > 1:
            self._links[identity - 1] = proven.previous
        append_row(self._connection, identity, proven.hash, proven.row)

    def _write_links(self) -> None:
        """What rows are chained to that did not come along."""
        for identity, row_hash_before in self._links.items():
            if self._connection.execute(schema.HASH_OF, (identity,)).fetchone() is None:
                self._connection.execute(schema.CREATE_LINKS)
                self._connection.execute(schema.ADD_LINK, (identity, row_hash_before))

    def _open_holds(self) -> None:
        """Holds that no salvaged op resolves: kept so that their points are given back, not to be spent from."""
        for hold, sale_uid, member_id, points, _state, deadline_mono_ms, boot in self._wreck.open_holds():
            if hold not in self._holds_used:
                with contextlib.suppress(sqlite3.IntegrityError):
                    values = (hold, sale_uid, member_id, points, deadline_mono_ms, boot)
                    self._connection.execute(schema.REMEMBER_HOLD, values)
                    self._count("holds", 1)

    def _tell(self, proven: Proven, fate: Fate, anew: str = "") -> None:
        op = str(OpId(self._till, proven.epoch, proven.seq))
        self._name(SavedOp(op=op, fate=fate, kind=proven.row.kind, uid=proven.row.uid, anew=anew))

    def _name(self, op: SavedOp) -> None:
        self._count(op.fate, 1)
        if len(self._ops) < NAMED_LIMIT:
            self._ops.append(op)

    def _count(self, name: str, number: int) -> None:
        self._counts[name] = self._counts.get(name, 0) + number


_COUNTED = ("sent_on", "anew", "known", "needless", "lost", "unread", "kept", "holds", "marks")
_KNOWN = "SELECT id, body FROM entries WHERE kind = ? AND uid = ?"


def _name(epoch: WreckEpoch, seq: int) -> str:
    return str(OpId(epoch.till, epoch.epoch, seq))


def deadline(mono_ms: Callable[[], int], budget_ms: int) -> Callable[[], bool]:
    """Whether the time is up, asked as often as one likes."""
    end = mono_ms() + budget_ms
    return lambda: mono_ms() > end


def report_path(moved: Path) -> Path:
    """Where the report of a moved file stands."""
    return moved.with_name(moved.name + ".json")

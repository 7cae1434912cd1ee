"""Proof by other means: reads the till's journal and cache and the cloud's ledger with plain SQL and adds up by itself.

Shares no code with what pushed, pulled or applied, so that a defect there can't hide here.
"""

import contextlib
import json
import sqlite3
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from till_installer.demo.people import Person
from till_installer.demo.play import Day

_EPOCH_BITS = 40
"""The journal packs (epoch, seq) into one key; see docs/explanation/journal.md."""


@dataclass
class Verdict:
    """What the comparison found. `points_till` and `points_cloud` are the day's change by journal and by ledger."""

    lost: int = 0
    double_applied: int = 0
    balances_checked: int = 0
    unequal: int = 0
    points_till: int = 0
    points_cloud: int = 0
    adjusted: int = 0
    tier_moves: int = 0
    told: dict[str, tuple[str, list[str]]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    @property
    def balances_equal(self) -> bool:
        return self.unequal == 0

    @property
    def proven(self) -> bool:
        """True when there is nothing to complain of, and something was compared at all."""
        sums = self.points_till == self.points_cloud
        agreed = not (self.lost or self.double_applied or self.unequal or self.adjusted)
        return agreed and sums and self.balances_checked > 0


@dataclass(frozen=True)
class JournalOp:
    """One row of the till's journal: its op id, its stored bytes, and what it says it did to whom."""

    op: tuple[int, int]
    uid: str
    body: bytes
    subject: str
    effect_points: int


def compare(state_dir: Path, cloud_db: Path, day: Day, people: dict[int, Person]) -> Verdict:
    """Hold the player's own record, the journal, the cache and the cloud's ledger against each other."""
    verdict = Verdict()
    with _read(state_dir / "journal.db") as till, _read(cloud_db) as cloud, _read(state_dir / "cache.db") as cache:
        journal = _journal(till)
        _nothing_lost(verdict, day, journal, cloud)
        _nothing_doubled(verdict, cloud)
        _counted_alike(verdict, cloud)
        _balances(verdict, journal, cloud, cache, sum(person.opening_points for person in people.values()))
    return verdict


def _read(path: Path) -> contextlib.closing[sqlite3.Connection]:
    return contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True))


def _effect(body: dict[str, Any]) -> int:
    if "result" in body:
        return int(body["result"].get("earned_points", 0)) - int(body["result"].get("redeemed_points", 0))
    if "reversal" in body:
        return int(body["reversal"]["points_back"]) - int(body["reversal"]["points_taken"])
    return 0


def _journal(till: sqlite3.Connection) -> list[JournalOp]:
    ops = []
    for key, uid, raw in till.execute("SELECT id, uid, body FROM entries ORDER BY id"):
        body = json.loads(raw)
        subject = body.get("subject", {})
        whose = str(subject.get("member_id") or subject.get("tag") or "")
        ops.append(
            JournalOp((key >> _EPOCH_BITS, key & ((1 << _EPOCH_BITS) - 1)), str(uid), bytes(raw), whose, _effect(body))
        )
    return ops


def _nothing_lost(verdict: Verdict, day: Day, journal: list[JournalOp], cloud: sqlite3.Connection) -> None:
    at_till = {f"{epoch}:{seq}": op for op in journal for epoch, seq in [op.op]}
    for uid, op_id in {**day.acknowledged, **day.reversed}.items():
        stored = at_till.get(op_id.split(":", 1)[1])
        # A void goes by the uid of its sale.
        if stored is None or stored.uid != uid:
            verdict.lost += 1
            verdict.problems.append(f"{uid} was acknowledged as {op_id}, but is not in the journal")
    at_cloud = {
        (epoch, seq): (bytes(body), status)
        for epoch, seq, body, status in cloud.execute("SELECT epoch, seq, body, status FROM ops")
    }
    for op in journal:
        body, status = at_cloud.get(op.op, (b"", "missing"))
        if body != op.body or status not in {"applied", "adjusted"}:
            verdict.lost += 1
            verdict.problems.append(f"{op.uid} ({op.op[0]}:{op.op[1]}) stands at the cloud as {status}")


def _nothing_doubled(verdict: Verdict, cloud: sqlite3.Connection) -> None:
    by_op = Counter(cloud.execute("SELECT till, epoch, seq FROM movements WHERE till <> ''"))
    by_uid = Counter(cloud.execute("SELECT till, kind, uid FROM movements WHERE till <> ''"))
    for key, count in [*by_op.items(), *by_uid.items()]:
        if count > 1:
            verdict.double_applied += count - 1
            verdict.problems.append(f"{key} moved points {count} times")


def _counted_alike(verdict: Verdict, cloud: sqlite3.Connection) -> None:
    """The cloud counts every sale again; with one till there is nothing that it could know better."""
    for till, epoch, seq, code in cloud.execute("SELECT till, epoch, seq, code FROM ops WHERE status = 'adjusted'"):
        verdict.adjusted += 1
        verdict.problems.append(f"{till}:{epoch}:{seq} was counted otherwise by the cloud: {code}")
    moves = cloud.execute(
        "SELECT m.name, t.tier_before, t.tier_after, sum(s.spent_minor) FROM tier_moves t"
        " JOIN members m USING (member_id) JOIN member_spend s USING (member_id)"
        " WHERE t.reason = 'spend' GROUP BY t.member_id, t.position ORDER BY t.position"
    ).fetchall()
    verdict.tier_moves = len(moves)
    for name, before, after, spent in moves[:1]:
        words = (
            f"{before} to {after}, with {spent // 100}.{spent % 100:02d} counted in this quarter by the end of the day"
        )
        verdict.told["A tier reached"] = (str(name), [words])


def _balances(
    verdict: Verdict, journal: list[JournalOp], cloud: sqlite3.Connection, cache: sqlite3.Connection, opening: int
) -> None:
    opened = cloud.execute("SELECT member_id, sum(earned) FROM movements WHERE kind = 'opening' GROUP BY member_id")
    expected = Counter(dict(opened))
    if sum(expected.values()) != opening:
        verdict.unequal += 1
        verdict.problems.append(f"opening balances sum to {sum(expected.values())}, not {opening}")
    # What the cloud gives of its own accord, for a birthday or a tier, is in no till's journal.
    expected.update(
        dict(
            cloud.execute(
                "SELECT member_id, sum(earned + given_back - redeemed - reversed - expired) FROM movements"
                " WHERE till = '' AND kind <> 'opening' GROUP BY member_id"
            )
        )
    )
    for op in journal:
        expected[op.subject] += op.effect_points
        verdict.points_till += op.effect_points
    verdict.points_cloud = cloud.execute(
        "SELECT coalesce(sum(earned + given_back - redeemed - reversed - expired), 0) FROM movements WHERE till <> ''"
    ).fetchone()[0]
    lots = dict(cloud.execute("SELECT member_id, sum(left) FROM lots GROUP BY member_id"))
    cached = dict(cache.execute("SELECT member_id, balance FROM balances"))
    for member, balance, debt in cloud.execute("SELECT member_id, balance, debt FROM balances"):
        verdict.balances_checked += 1
        figures = (expected[member], balance - debt, lots.get(member, 0) - debt, cached.get(member, 0))
        if len(set(figures)) != 1:
            verdict.unequal += 1
            verdict.problems.append(f"{member}: journal, balance, lots and cache say {figures}")

"""Proof by other means: journal and ledger read with plain SQL and added up here, apart from the code that pushed.

Each finding is an exception of its own, so that a test of a mutant can say which one it expects.
"""

import json
import shutil
import sqlite3
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

SEQ_BITS = 40
"""The journal packs (epoch, seq) into one key; see docs/explanation."""


class LostError(AssertionError):
    """Something that was acknowledged is not there, or is not what was answered."""


class DoubledError(AssertionError):
    """Something is there more often than it was done."""


class UnequalError(AssertionError):
    """Till and cloud, or two figures of the cloud, do not agree."""


@dataclass(frozen=True)
class Row:
    """One op of a journal."""

    epoch: int
    seq: int
    kind: str
    uid: str
    body: bytes
    answer: bytes


def journal(state_dir: Path) -> list[Row]:
    """All ops of a journal that no agent has open, in order. The files are copied first: nothing of them changes."""
    with TemporaryDirectory() as folder:
        for path in state_dir.glob("journal.db*"):
            shutil.copy2(path, folder)
        with closing(sqlite3.connect(Path(folder) / "journal.db")) as connection:
            rows = connection.execute("SELECT id, kind, uid, body, answer FROM entries ORDER BY id").fetchall()
    return [
        Row(key >> SEQ_BITS, key & ((1 << SEQ_BITS) - 1), kind, uid, bytes(body), bytes(answer))
        for key, kind, uid, body, answer in rows
    ]


def at_cloud(cloud_db: Path, sql: str, *values: object) -> list[Any]:
    """Rows of the cloud's database, which may be in use."""
    with closing(sqlite3.connect(f"file:{cloud_db}?mode=ro", uri=True, timeout=10)) as connection:
        return connection.execute(sql, values).fetchall()


def check_journal(state_dir: Path, answers: Mapping[str, bytes], tried: set[str] | None = None) -> list[Row]:
    """Every acknowledged sale is there once, with the very bytes of its answer; and none that nobody tried to make."""
    rows = journal(state_dir)
    sales = [row for row in rows if row.kind == "sale"]
    count = Counter(row.uid for row in sales)
    lost = [uid for uid in answers if not count[uid]]
    if lost:
        raise LostError(f"acknowledged, and not in the journal: {lost}")
    doubled = [uid for uid, times in count.items() if times > 1 or (tried is not None and uid not in tried)]
    if doubled:
        raise DoubledError(f"in the journal more often than sold: {doubled}")
    changed = [row.uid for row in sales if row.uid in answers and row.answer != answers[row.uid]]
    if changed:
        raise LostError(f"answered with other bytes than the journal has: {changed}")
    return rows


def check_cloud(cloud_db: Path, till: str, rows: list[Row]) -> None:
    """The cloud holds each op of the journal, byte for byte and once, and each moved points once at most."""
    wanted = {(row.epoch, row.seq): (row.kind, row.uid, row.body) for row in rows}
    sql = "SELECT epoch, seq, kind, uid, body FROM ops WHERE till = ?"
    held = [((epoch, seq), (kind, uid, bytes(body))) for epoch, seq, kind, uid, body in at_cloud(cloud_db, sql, till)]
    there = {op for op, _ in held}
    missing = [op for op in wanted if op not in there]
    if missing:
        raise LostError(f"in the journal and not at the cloud: {missing[:10]} of {len(missing)}")
    if len(held) != len(wanted):
        raise DoubledError(f"the cloud holds {len(held)} ops of {till}, the journal {len(wanted)}")
    other = [op for op, content in held if wanted[op] != content]
    if other:
        raise LostError(f"other at the cloud than in the journal: {other[:10]}")
    moved = Counter(at_cloud(cloud_db, "SELECT kind, uid, about_uid FROM movements WHERE till = ?", till))
    twice = [key for key, times in moved.items() if times > 1]
    if twice:
        raise DoubledError(f"moved points more than once: {twice[:10]}")


def check_balances(cloud_db: Path, rows: list[Row], opening: Mapping[str, int]) -> None:
    """Each member's balance is what they began with and what the journals' own figures say; the lots agree.

    What the cloud has counted otherwise than the till, and told it so, goes by the cloud's verdict: a till that is
    always killed or cut off before it hears news sells by an old tier.
    """
    expected = Counter(dict(opening))
    told = "SELECT kind, uid, effect_points FROM ops WHERE status = 'adjusted'"
    adjusted = {(kind, uid): points for kind, uid, points in at_cloud(cloud_db, told)}
    owners = dict(at_cloud(cloud_db, "SELECT tag, member_id FROM identifiers"))
    for row in rows:
        body = json.loads(row.body)
        subject = body.get("subject", {})
        member = subject.get("member_id") or owners.get(subject.get("tag"))
        if member:
            expected[member] += adjusted.get((row.kind, row.uid), _effect(body))
    lots = dict(at_cloud(cloud_db, "SELECT member_id, sum(left) FROM lots GROUP BY member_id"))
    found = at_cloud(cloud_db, "SELECT member_id, balance, debt FROM balances")
    if {member for member, _, _ in found} < set(expected):
        raise UnequalError(f"expected balances of {sorted(expected)}, not only {found}")
    for member, balance, debt in found:
        figures = (balance - debt, lots.get(member, 0) - debt, expected.get(member, balance - debt))
        if len(set(figures)) != 1:
            raise UnequalError(f"{member}: balance, lots and journal say {figures}")


def _effect(body: dict[str, Any]) -> int:
    if "result" in body:
        return int(body["result"].get("earned_points", 0)) - int(body["result"].get("redeemed_points", 0))
    if "reversal" in body:
        return int(body["reversal"]["points_back"]) - int(body["reversal"]["points_taken"])
    return 0

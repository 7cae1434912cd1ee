"""What must hold after each step, and what when all is quiet. Numbers are those of the invariants."""

import json
import sqlite3
from collections.abc import Mapping
from typing import Any

import msgspec

from simulation.centre import SimulatedCloud
from simulation.chain import BUDGET, DAILY_LIMIT, FLOOR, TILLS
from simulation.held import Held, at_rest
from simulation.shop import Cashier
from simulation.swallowed import Swallowed
from simulation.till import SimulatedTill
from till_cloud.verify import verify
from till_cloud.waves import programme_key
from till_cloud.windows import ids_after, scope_of
from till_sync.snapshot_rows import OF_SNAPSHOT


class Broken(Exception):  # noqa: N818 - a verdict on the product
    """Raised when an invariant does not hold; the text begins with its number."""


class Checks:
    """Looks after each step at all that may have changed since the step before; what has not, is as it was found."""

    def __init__(self, cloud: SimulatedCloud, tills: Mapping[str, SimulatedTill], swallowed: Swallowed) -> None:
        self._cloud = cloud
        self._tills = tills
        self._swallowed = swallowed
        self._added_up: tuple[int, int] | None = None
        self._compared: dict[str, tuple[Any, ...]] = {}
        self._held = Held(cloud)

    def check(self) -> None:
        """Invariants 2, 4, 5, 6, 7 at the cloud, and 9 at every till that runs; and that nothing was got over."""
        if self._swallowed.first:
            raise Broken(f"swallowed: {self._swallowed.first}")
        if not self._cloud.up:
            return
        if self._cloud.stumbled:
            raise Broken(f"the cloud stumbled over {self._cloud.stumbled}")
        version = self._cloud.version
        if version != self._added_up:
            self._add_up()
            self._added_up = version
        for till in self._tills.values():
            if till.life.alive:
                self._check_shown(till, version)
                wrong = self._held.look(till)
                if wrong:
                    raise Broken(wrong)
                _check_lent(self._cloud, till)

    def _add_up(self) -> None:
        found = self._cloud.read(verify)
        if not found.holds:
            first = found.breaches[0]
            raise Broken(f"{first.invariant} {first.code}: {first.where} and {found.breach_count - 1} more")

    def _check_shown(self, till: SimulatedTill, version: tuple[int, int]) -> None:
        """9: shown = the cloud's balance at the row's position + own ops that it does not include."""
        incarnation = self._cloud.read(lambda connection: connection.execute(_INCARNATION).fetchone()[0])
        if till.cache._progress.incarnation != incarnation or till.cache.filling:
            return  # the cache is of a former life of the cloud, and is being pulled anew
        reader = till.cache._reader._connection
        if reader is None:
            return
        base = till.cache._progress.base
        rows = [(*row[:3], *(base if row[3] == OF_SNAPSHOT else row[3:])) for row in reader.execute(_CACHED).fetchall()]
        if self._compared.get(till.name) != (version, rows):
            # Of a former life of the cloud are those who were taken along because own operations wait.
            former = {row[0] for row in reader.execute(_LEAVING)} if self._cloud.restored else set()
            compared = [row for row in rows if row[0] not in former]
            self._cloud.read(lambda connection: _check_cached(connection, till.name, compared))
            self._compared[till.name] = (version, rows)
        session = till.journal._writer._session
        if session is None:
            return
        floor = till.cache._progress.floor
        for member_id, balance, _position, epoch, seq in rows:
            # An op that the cloud refused moves no balance: that it is included, only the page says.
            after = max(floor, (epoch, seq))
            own = session.connection.execute(_OWN_EFFECTS, (member_id, (after[0] << 40) | after[1])).fetchone()[0]
            shown = balance + till.effects.effect((member_id,), (epoch, seq))
            if shown != balance + own:
                raise Broken(f"9 {till.name} shows {shown} for {member_id}, whose own ops make it {balance + own}")


def _check_cached(connection: sqlite3.Connection, name: str, rows: list[tuple[Any, ...]]) -> None:
    for member_id, balance, position, epoch, seq in rows:
        then = connection.execute(_BALANCE_AT, (member_id, position)).fetchone()[0]
        missing = connection.execute(_OWN_BEYOND, (name, epoch, seq, member_id, position)).fetchone()[0]
        newer = connection.execute(_OWN_NOT_INCLUDED, (name, member_id, position, epoch, seq)).fetchone()[0]
        if then != balance or missing or newer:
            raise Broken(
                f"9 {name} has {balance} for {member_id} as of {position}, the cloud had {then}; "
                f"{missing} ops said to be included are not, {newer} not said to be are"
            )


def _check_lent(cloud: SimulatedCloud, till: SimulatedTill) -> None:
    """7: what a till would spend without asking, and what it has spent so, the cloud has set aside for it."""
    reader, session = till.cache._reader._connection, till.journal._writer._session
    incarnation = cloud.read(lambda connection: connection.execute(_INCARNATION).fetchone()[0])
    if reader is None or session is None or till.cache._progress.incarnation != incarnation:
        return
    epoch = till.journal.figures.epoch
    rows = {
        row[0]: row[1:] for row in cloud.read(lambda connection: connection.execute(_GRANTS, (till.name,)).fetchall())
    }
    acked = cloud.read(lambda connection: connection.execute(_ACKED, (till.name, epoch)).fetchone()[0])
    spent: dict[str, int] = {}
    risked: dict[str, int] = {}
    for raw in session.connection.execute(_SALES_AFTER, ((epoch << 40) | acked,)):
        body = msgspec.json.decode(raw[0])
        sums = {"grant": spent, "floor": risked}.get(body.get("cover", ""))
        if sums is not None:
            member_id = body["subject"]["member_id"]
            sums[member_id] = sums.get(member_id, 0) + body["result"]["redeemed_points"]
    if max(risked.values(), default=0) > FLOOR.member_points or sum(risked.values()) > FLOOR.till_points:
        raise Broken(f"7 {till.name} risks {risked} since {epoch}:{acked}")
    allowing = till.desk._open.bench.allowing if till.desk._open is not None else None
    members = spent.keys() | {row[0] for row in reader.execute("SELECT member_id FROM grants")}
    for member_id in members if allowing is not None else ():
        left = allowing.grant(member_id)
        of_epoch, points = rows.get(member_id, (epoch, 0))
        if left + spent.get(member_id, 0) > (points if of_epoch == epoch else 0):
            raise Broken(
                f"7 {till.name} has spent {spent.get(member_id, 0)} of {member_id} since {epoch}:{acked} and would"
                f" spend {left} more, the cloud lends it {points} in epoch {of_epoch}"
            )


_GRANTS = "SELECT member_id, epoch, points FROM grants WHERE holder = ?"
_ACKED = "SELECT coalesce(max(seq), 0) FROM ops WHERE till = ? AND epoch = ?"
_SALES_AFTER = "SELECT body FROM entries WHERE kind = 'sale' AND id > ? ORDER BY id"
_OWN_EFFECTS = "SELECT coalesce(sum(effect_points), 0) FROM entries WHERE subject_key = ? AND id > ?"
_CACHED = "SELECT member_id, balance, position, included_epoch, included_seq FROM balances"
_LEAVING = "SELECT member_id FROM leaving"
_INCARNATION = "SELECT value FROM meta WHERE name = 'incarnation'"
_BALANCE_AT = """
SELECT coalesce(sum(earned + given_back - redeemed - reversed - expired), 0)
FROM movements WHERE member_id = ? AND position <= ?
"""
_OWN_BEYOND = """
SELECT count(*) FROM movements WHERE till = ? AND (epoch, seq) <= (?, ?) AND member_id = ? AND position > ?
"""
_OWN_NOT_INCLUDED = """
SELECT count(*) FROM movements WHERE till = ? AND member_id = ? AND position <= ? AND (epoch, seq) > (?, ?)
"""


def check_quiet(cloud: SimulatedCloud, tills: Mapping[str, SimulatedTill], cashiers: Mapping[str, Cashier]) -> None:
    """Invariants 1, 2, 3, 8 and 10, when all faults have ended and time has passed."""
    for name, till in tills.items():
        if till.worker.status.halted:
            raise Broken(f"10 {name} waits for a person: {till.worker.status.last_error}")
        if till.journal.figures.waiting:
            raise Broken(f"10 {name} still has {till.journal.figures.waiting} ops: {till.worker.status.last_error}")
        _check_kept(cloud, till, cashiers[name])
        _check_equal(cloud, till)
        _check_version(cloud, till)
    wrong = at_rest(cloud, tills)
    if wrong:
        raise Broken(wrong)
    cloud.read(_check_undone)
    if not cloud.clock_was_set:  # else the cloud had sales of one day on several
        cloud.read(_check_limits)
    cloud.read(_check_floor)
    cloud.read(_check_grants)
    cloud.read(_check_split)
    if not cloud.restored:
        cloud.read(_check_holds)


def _check_version(cloud: SimulatedCloud, till: SimulatedTill) -> None:
    """8: each till sells by the version of the programme that the waves brought to it."""
    wanted = cloud.read(lambda connection: programme_key(connection, till.name))
    own = till.cache.programme()
    version = None if own is None else (own.programme.id, own.programme.version)
    if version != wanted:
        raise Broken(f"8 {till.name} sells by {version}, and the cloud wants {wanted}")


def _check_undone(connection: sqlite3.Connection) -> None:
    """7: a sale that was cancelled, or of which all came back, has given and taken nothing."""
    effects = dict(connection.execute(_EFFECT_OF_SALE).fetchall())
    for till, uid, _total in connection.execute(_VOIDED):
        if effects.get(f"{till} {uid}", 0):
            raise Broken(f"7 the sale {uid} of {till} was cancelled and left {effects[f'{till} {uid}']} points")


_EFFECT_OF_SALE = """
SELECT till || ' ' || CASE about_uid WHEN '' THEN uid ELSE about_uid END,
    sum(earned + given_back - redeemed - reversed - expired)
FROM movements WHERE kind IN ('sale', 'void', 'return') GROUP BY 1
"""
_VOIDED = "SELECT till, uid, 0 FROM sales WHERE voided = 1"


def _check_limits(connection: sqlite3.Connection) -> None:
    """7: what the cloud let a member have of a limited rule, and all of a budget, is within it."""
    daily: dict[tuple[str, str], int] = {}
    budget = 0
    for member_id, raw, counted in connection.execute(_SALES):
        body = msgspec.json.decode(raw)
        result = body["result"] if counted is None else msgspec.json.decode(counted)
        for accrual in result.get("accruals", ()):
            if accrual["rule"] == "budget":
                budget += accrual["points"]
            elif accrual["rule"] == "daily":
                key = (member_id, body["clock"]["business_date"])
                daily[key] = daily.get(key, 0) + accrual["points"]
    over = {key: points for key, points in daily.items() if points > DAILY_LIMIT}
    if over:
        raise Broken(f"7 more than {DAILY_LIMIT} points a day: {over}")
    if budget > BUDGET:
        raise Broken(f"7 {budget} points of a budget of {BUDGET}")


_SALES = """
SELECT s.member_id, o.body, s.result FROM sales s JOIN ops o USING (till, epoch, seq) WHERE s.member_id <> ''
"""


def _check_holds(connection: sqlite3.Connection) -> None:
    """7: whoever sold within a hold's life, or from a grant, had the points; no sale ever came too late for them."""
    found = connection.execute(
        "SELECT till || ':' || epoch || ':' || seq || ' ' || code FROM ops "
        "WHERE kind = 'sale' AND (code LIKE 'hold%' OR code LIKE 'grant%' OR code LIKE 'floor%')"
    ).fetchone()
    if found:
        raise Broken(f"7 a sale spent what its hold or grant did not keep for it: {found[0]}")


def _check_floor(connection: sqlite3.Connection) -> None:
    """7: of a member, the other tills at most risk their limits each; under a policy without risk, nobody anything."""
    policy = json.loads(connection.execute("SELECT body FROM programmes WHERE active = 1").fetchone()[0])
    risk = FLOOR.member_points * (TILLS - 1) if policy["redemption"].get("offline") == "floor" else 0
    for member_id, points in connection.execute(_ON_CREDIT):
        if points > risk:
            raise Broken(f"7 {member_id} was lent {points} points at once, where at most {risk} are at risk")


def _check_grants(connection: sqlite3.Connection) -> None:
    """10: nothing is lent for ever: not to a journal that is gone, and not what was asked back."""
    for holder, member_id, points, recall, epoch, now in connection.execute(_LENT):
        if epoch != now:
            raise Broken(f"10 {points} points of {member_id} lie with {holder} in epoch {epoch}, which is over")
        if recall:
            raise Broken(f"10 {holder} was asked for {recall} points of {member_id} and has not given them back")


_LENT = """
SELECT g.holder, g.member_id, g.points, g.recall, g.epoch, t.epoch FROM grants g JOIN tills t ON t.till = g.holder
WHERE g.points > 0
"""


def _check_split(connection: sqlite3.Connection) -> None:
    """5: what a sale gave and took is what its lines gave and took."""
    for _member_id, raw, counted in connection.execute(_SALES):
        result = msgspec.json.decode(raw)["result"] if counted is None else msgspec.json.decode(counted)
        for name in ("earned_points", "redeemed_points"):
            lines = sum(line.get(name, 0) for line in result["lines"])
            if lines != result.get(name, 0):
                raise Broken(f"5 {name} of a sale are {result.get(name, 0)}, of its lines {lines}")


_ON_CREDIT = "SELECT member_id, max(points) FROM lot_moves WHERE kind = 'overdraw' GROUP BY member_id"


def _check_kept(cloud: SimulatedCloud, till: SimulatedTill, cashier: Cashier) -> None:
    """1 and 2: every promise stands in the journal and at the cloud, once, byte for byte."""
    promised = {key for key, each in cashier.documents.items() if each.answer is not None}
    session = till.journal._writer._session
    if session is None:
        raise Broken(f"1 {till.name} has no journal")
    rows = session.connection.execute("SELECT kind, uid, id, body, answer FROM entries").fetchall()
    kept = {
        (kind, uid): (identity >> 40, identity & ((1 << 40) - 1), body, answer)
        for kind, uid, identity, body, answer in rows
    }

    def at_cloud(connection: sqlite3.Connection) -> dict[tuple[int, int], tuple[bytes, str, str]]:
        found = connection.execute("SELECT epoch, seq, body, status, code FROM ops WHERE till = ?", (till.name,))
        return {(epoch, seq): (bytes(body), status, code) for epoch, seq, body, status, code in found}

    applied = cloud.read(at_cloud)
    for key in sorted(promised):
        if key not in kept and key in till.may_be_gone:
            identity, body, answer = till.may_be_gone[key]
            kept[key] = (identity >> 40, identity & ((1 << 40) - 1), body, answer)
        if key not in kept:
            raise Broken(f"1 {till.name} promised {key}, and its journal does not have it")
        if kept[key][3] != cashier.documents[key].answer:
            raise Broken(f"3 {till.name} keeps another answer to {key} than it gave")
    for key, (epoch, seq, body, _answer) in kept.items():
        stored = applied.get((epoch, seq))
        is_blanked = (till.name, epoch, seq) in cloud.blanked
        if stored is None or (stored[0] != body and not is_blanked):
            raise Broken(f"2 {key} of {till.name} ({epoch}:{seq}) is not at the cloud as it was written")
        if stored[1] == "rejected" and stored[2] not in LOST_WITH_A_DISK:
            raise Broken(f"2 {key} of {till.name} was rejected: {stored[2]}")


LOST_WITH_A_DISK = frozenset({"sale_unknown", "sale_repeated", "return_repeated", "sale_returned", "sale_voided"})
"""What the cloud says of documents about a sale that it or a till lost with its disk."""


def _check_equal(cloud: SimulatedCloud, till: SimulatedTill) -> None:
    """8: the cache and the cloud say the same of everybody."""

    def balances(connection: sqlite3.Connection) -> dict[str, tuple[Any, ...]]:
        rows = connection.execute(
            "SELECT b.member_id, b.balance - b.debt, b.held + CASE WHEN b.debt > 0 THEN b.granted ELSE"
            " (SELECT coalesce(sum(v.points), 0) FROM vouchers v"
            " WHERE v.member_id = b.member_id AND v.state = 'open') END FROM balances b"
            " JOIN members m USING (member_id) LEFT JOIN grants g ON g.member_id = b.member_id AND g.holder = ?"
            " WHERE m.status <> 'removed'",
            (till.name,),
        )
        return {member_id: figures for member_id, *figures in rows}

    there = cloud.read(balances)
    scope = cloud.read(lambda connection: scope_of(connection, till.identity.store, asked=True))
    if scope:
        held = cloud.read(lambda connection: ids_after(connection, scope, "", -1)[0])
        there = {member_id: there[member_id] for member_id in held if member_id in there}
    reader = till.cache._reader._connection
    here = (
        {}
        if reader is None
        else {row[0]: list(row[1:]) for row in reader.execute("SELECT member_id, balance, held FROM balances")}
    )
    if here != there:
        differing = sorted(set(here) ^ set(there)) or sorted(key for key in here if here[key] != there[key])
        first = differing[0]
        raise Broken(f"8 {till.name} says {here.get(first)} of {first}, the cloud {there.get(first)}")
    for member_id, (balance, _held) in there.items():
        found = till.cache.by_id(member_id)
        if found is None or balance != found.row.balance + till.effects.effect((member_id,), found.included):
            raise Broken(f"9 {till.name} shows another balance of {member_id} than {balance}")

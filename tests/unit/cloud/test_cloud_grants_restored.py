"""A cloud put back from a backup does not know what it lent since. Its tills send again what it lacks: no point is lost
or spent twice, nobody owes, staff hear of every figure that differs, and what it does not know is spent no more."""

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from till_cloud.backup import back_up
from till_cloud.centre import Centre
from till_cloud.exceptions import CursorError, RefusedError
from till_cloud.store import meta
from till_sync.wire import GrantRow, OpResult
from unit.cloud.cloud_kit import Till
from unit.cloud.grants_kit import LendingChain, covered, release


class Mortal(LendingChain):
    """A cloud that can be set back."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "c.db")
        self._folder = folder
        self._copies = 0

    def back_up(self) -> Path:
        self._copies += 1
        target = self._folder / f"backup-{self._copies}.db"
        self.centre.read(lambda connection: back_up(connection, target))
        return target

    def restore(self, copy: Path) -> None:
        """As `cloud init --restored` leaves it."""
        self.centre.close()
        self.centre = Centre(copy, wall_ms=self.wall, new_id=self._new_id)
        self.centre.write(lambda c: meta.set_incarnation(c, meta.new_incarnation())).result()

    def sends_again(self, till: Till) -> list[OpResult]:
        """All that the cloud lacks of the till's operations, as its hello says."""
        acked, head = self.rows("SELECT acked_seq, head_hash FROM tills WHERE till = ?", till.name)[0]
        assert head == till.heads[acked]
        return list(till.push(acked + 1).results) if acked < len(till.ops) else []

    def told(self, code: str) -> list[tuple]:
        """What staff are told: operation, points of the till, and of the cloud."""
        return self.rows("SELECT till || ':' || seq, till_points, cloud_points FROM flags WHERE code = ?", code)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Mortal]:
    made = Mortal(tmp_path)
    made.member("m-1", points=10_000)
    yield made
    made.centre.close()


def test_a_sale_from_a_grant_that_is_forgotten_spends_nothing_and_is_told(world: Mortal) -> None:
    """It earned its points, the money stays paid, the member keeps what the till took; staff see both figures."""
    till = world.taker()
    copy = world.back_up()
    world.give(till, "m-1", 4_000)
    sale = covered(till, "a", "m-1", 3_000, "grant")
    [first] = world.sends_again(till)
    assert (first.status, first.effect_points) == ("applied", -3_000 + 300)
    world.restore(copy)
    [again] = world.sends_again(till)
    assert (again.status, again.code, again.effect_points) == ("adjusted", "grant_missing", 300)
    assert (world.balances("m-1"), world.granted("m-1")) == ((10_300, 0, 0), 0)
    assert world.told("grant_missing") == [(f"{sale.till}:{sale.seq}", -2_700, 300)]
    assert till.push(sale.seq).results[0].status == "duplicate"
    assert world.balances("m-1") == (10_300, 0, 0)
    world.sound()


def test_what_was_topped_up_since_is_not_there(world: Mortal) -> None:
    """The backup knows of 1,000, the till has spent 2,500: none of it is spent, and the 1,000 can be given back."""
    till = world.taker()
    world.give(till, "m-1", 1_000)
    copy = world.back_up()
    world.give(till, "m-1", 2_000)
    covered(till, "a", "m-1", 2_500, "grant")
    release(till, "m-1", 500)
    assert [each.status for each in world.sends_again(till)] == ["applied", "applied"]
    world.restore(copy)
    sale, given = world.sends_again(till)
    assert (sale.status, sale.code) == ("adjusted", "grant_exceeded")
    assert (given.status, given.code) == ("applied", "")
    assert (world.balances("m-1"), world.granted("m-1")) == ((10_250, 0, 0), 500)
    assert world.grant_of(till, "m-1").points == 500
    world.sound()


def test_what_the_backup_knows_is_spent_as_it_was(world: Mortal) -> None:
    """Lent before the backup, spent and given back after it: the same verdicts, the same figures."""
    till = world.taker()
    world.give(till, "m-1", 3_000)
    copy = world.back_up()
    covered(till, "a", "m-1", 1_000, "grant")
    release(till, "m-1", 500)
    covered(till, "b", "m-1", 1_500, "grant")
    before = [(each.status, each.code, each.effect_points) for each in world.sends_again(till)]
    after = world.balances("m-1"), world.granted("m-1")
    world.restore(copy)
    assert [(each.status, each.code, each.effect_points) for each in world.sends_again(till)] == before
    assert (world.balances("m-1"), world.granted("m-1")) == after == ((7_750, 0, 0), 0)
    assert world.flags() == []
    world.sound()


def test_releases_of_forgotten_grants_free_nothing_twice(world: Mortal) -> None:
    till = world.taker()
    copy = world.back_up()
    world.give(till, "m-1", 4_000)
    release(till, "m-1", 4_000)
    world.sends_again(till)
    world.restore(copy)
    [given] = world.sends_again(till)
    assert (given.status, given.code, given.effect_points) == ("applied", "grant_missing", 0)
    assert (world.balances("m-1"), world.granted("m-1")) == ((10_000, 0, 0), 0)
    world.sound()


def test_a_till_hears_at_its_next_page_that_it_has_nothing(world: Mortal) -> None:
    """Its cursor is of a former life; pulled anew there is no row of the grant, and no one waits for its recall."""
    till, other = world.taker("k1"), world.taker("k2")
    copy = world.back_up()
    world.give(till, "m-1", 10_000)
    page = world.pull(till)
    assert [row.points for row in page.rows if isinstance(row, GrantRow)] == [10_000]
    refused = world.hold(other, "h-k2-refused", "m-1", 5_000)
    assert isinstance(refused, RefusedError)
    assert refused.code == "points_lent"
    assert world.row(till, "m-1").recall > 0
    world.restore(copy)
    with pytest.raises(CursorError) as gone:
        world.pull(till, page.next)
    assert gone.value.stale
    assert [row for row in world.pull(till).rows if isinstance(row, GrantRow)] == []
    assert world.hold(other, "h-k2-given", "m-1", 5_000).points == 5_000
    world.sound()


def test_points_lent_anew_are_spent_once(world: Mortal) -> None:
    """Restored, the cloud lends them to another till; the first, cut off, has spent them too. Only one moves points."""
    one, two = world.taker("k1"), world.taker("k2")
    copy = world.back_up()
    world.give(one, "m-1", 10_000)
    covered(one, "a", "m-1", 10_000, "grant")
    world.restore(copy)
    world.give(two, "m-1", 10_000)
    covered(two, "b", "m-1", 10_000, "grant")
    assert [each.status for each in world.sends_again(two)] == ["applied"]
    assert [each.code for each in world.sends_again(one)] == ["grant_missing"]
    balance, held, debt = world.balances("m-1")
    assert (balance, held, debt) == (2_000, 0, 0)
    world.sound()


@pytest.mark.parametrize("undo", ["void", "return"])
def test_what_was_not_spent_is_not_given_back(undo: str, world: Mortal) -> None:
    """A sale that spends nothing at the restored cloud gives no points back when it is undone, and leaves none owed."""
    till = world.taker()
    copy = world.back_up()
    world.give(till, "m-1", 4_000)
    covered(till, "a", "m-1", 3_000, "grant")
    if undo == "void":
        till.void("a")
    else:
        till.take_return("back", "a")
    world.sends_again(till)
    assert world.balances("m-1") == (10_000, 0, 0)
    world.restore(copy)
    world.sends_again(till)
    assert world.balances("m-1") == (10_000, 0, 0)
    assert [row[0] for row in world.told("grant_missing")] == ["k1:2"]
    world.sound()


def test_a_voucher_that_was_made_since_is_unknown(world: Mortal) -> None:
    """The text is good by its signature, so the till takes it; the cloud spends nothing for it, and says so."""
    till = world.taker()
    copy = world.back_up()
    covered(till, "a", "m-1", 3_000, "voucher", voucher="v-forgotten")
    world.restore(copy)
    [sale] = world.sends_again(till)
    assert (sale.status, sale.code) == ("adjusted", "voucher_missing")
    assert world.balances("m-1") == (10_300, 0, 0)
    assert [row[1:] for row in world.told("voucher_missing")] == [(-2_700, 300)]
    world.sound()


def test_a_new_journal_since_the_backup_closes_what_the_backup_lends(world: Mortal) -> None:
    till = world.taker()
    world.give(till, "m-1", 4_000)
    copy = world.back_up()
    till.new_journal()
    till.sale("b", "m-1", 1_000)
    till.push()
    assert world.granted("m-1") == 0
    world.restore(copy)
    assert world.granted("m-1") == 4_000
    till.push()
    assert (world.granted("m-1"), world.balances("m-1")) == (0, (10_100, 0, 0))
    world.sound()


@pytest.mark.parametrize("seed", range(8))
def test_random_days_around_a_restore_add_up(seed: int, tmp_path: Path) -> None:
    """Tills are lent points, spend, give back and push as it comes; the cloud is set back in between. In the end every
    sale counts once, each redemption is spent as claimed or told as unspent, and no member owes."""
    day = Day(Mortal(tmp_path), Random(seed))
    try:
        for step in range(60):
            day.step(step)
            day.world.sound()
        for till in day.tills:
            day.world.sends_again(till)
        day.check()
    finally:
        day.world.centre.close()


class Day:
    """Three tills, two members, and what each till believes it was lent, whatever became of the cloud."""

    def __init__(self, world: Mortal, random: Random) -> None:
        self.world, self.random = world, random
        self.members = [world.member(f"m-{n}", points=5_000) for n in (1, 2)]
        self.tills = [world.taker(f"k{n}") for n in (1, 2, 3)]
        self.lent: dict[tuple[str, str], int] = {}
        self.claims: dict[str, int] = {}
        self.copy = world.back_up()

    def step(self, number: int) -> None:
        till, member = self.random.choice(self.tills), self.random.choice(self.members)
        key = (till.name, member)
        has = self.lent.get(key, 0)
        match self.random.randrange(8):
            case 0 | 1 if self._free(member) > 900 and not self.world.row(till, member):
                self.lent[key] = self.world.give(till, member, 800).points
            case 2 | 3 if has >= 200:
                points = self.random.randrange(100, has, 100)
                sale = covered(till, f"s{number}", member, points, "grant")
                self.claims[f"{sale.till}:{sale.seq}"] = points
                self.lent[key] -= points
            case 4 if has:
                release(till, member, self.lent.pop(key))
            case 5:
                till.sale(f"p{number}", member, 1_000)
            case 6:
                self.world.sends_again(till)
            case 7 if number < 20:
                self.copy = self.world.back_up()
            case 7 if self.random.random() < 0.3:
                self.world.restore(self.copy)

    def check(self) -> None:
        rows = self.world.rows
        self.world.sound()
        assert rows("SELECT count(*) FROM balances WHERE debt <> 0") == [(0,)]
        assert rows("SELECT count(*) FROM ops") == [(sum(len(till.ops) for till in self.tills),)]
        assert rows("SELECT count(*) FROM ops WHERE status = 'rejected'") == [(0,)]
        unspent = {row[0] for code in ("grant_missing", "grant_exceeded") for row in self.world.told(code)}
        assert unspent == {row[0] for row in rows("SELECT till || ':' || seq FROM ops WHERE status = 'adjusted'")}
        spent = sum(points for op, points in self.claims.items() if op not in unspent)
        assert rows("SELECT sum(redeemed) FROM movements") == [(spent,)]

    def _free(self, member: str) -> int:
        sql = "SELECT balance - held - granted FROM balances WHERE member_id = ?"
        return int(self.world.rows(sql, member)[0][0])

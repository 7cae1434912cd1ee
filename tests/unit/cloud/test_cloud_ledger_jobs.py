"""What the cloud does as time goes by: in blocks, once, by its own clock, whatever that clock and the process do."""

import contextlib
import sqlite3
from pathlib import Path

import pytest

from till_cloud.jobs import JobsDone, lots, run_jobs
from till_cloud.store import tiers, usage
from till_loyalty.programme import Event, Tier
from till_loyalty.receipt import Usage
from till_loyalty.rule_parts import Funding, Life
from unit.cloud.cloud_ledger_kit import DAY_MS, Shop, aged, shop

NOTHING = JobsDone()


@pytest.fixture
def world(tmp_path):
    with shop(tmp_path / "c.db") as made:
        made.member("m-1")
        yield made


def sold(world: Shop, *, sweets: bool = False):
    till = world.till()
    world.sell(till, "a", "m-1", sweets=sweets)
    till.push()
    return till


def test_points_expire_after_their_last_day_and_once(world: Shop) -> None:
    sold(world)
    world.days(30)
    assert world.jobs() == NOTHING
    world.days(1)
    assert world.jobs() == JobsDone(expired_members=1, expired_points=1000)
    assert world.jobs() == NOTHING
    assert world.rows("SELECT expired, balance, till FROM movements WHERE kind = 'expiry'") == [(1000, 0, "")]


def test_tills_hear_of_expired_and_awoken_points(world: Shop) -> None:
    sold(world, sweets=True)
    before = world.member_row()
    world.days(3)
    assert world.jobs() == JobsDone(awoken_members=1)
    awake = world.member_row()
    assert (before.inactive, awake.inactive, awake.position > before.position) == (500, 0, True)
    world.days(11)
    world.jobs()
    expired = world.member_row()
    assert (expired.balance, expired.position > awake.position) == (1000, True)


def test_what_a_hold_keeps_does_not_expire(world: Shop) -> None:
    """The sale may be committed already, without a line; what it leaves expires after it."""
    till = sold(world)
    world.hold(till, "h", "m-1", 400)
    world.days(31)
    assert world.jobs() == JobsDone(expired_members=1, expired_points=600)
    assert world.jobs() == NOTHING
    world.sell(till, "b", "m-1", 50_000, redeem=300, hold="h")
    assert till.push_last().status == "applied"
    assert world.jobs() == JobsDone(expired_members=1, expired_points=100)


def test_points_due_can_not_be_promised_before_the_job_has_come(world: Shop) -> None:
    till = sold(world)
    world.days(31)
    with pytest.raises(Exception, match="expected at most 0 points"):
        world.hold(till, "h", "m-1", 1)


def test_a_hold_covers_what_is_due_first(world: Shop) -> None:
    """1,000 due of which 400 are held, and 500 that live: 600 expire at the next hold, and 500 may be promised."""
    till = sold(world)
    world.hold(till, "h", "m-1", 400)
    world.days(31)
    world.sell(till, "b", "m-1", 5_000)
    till.push_last()
    world.hold(till, "h2", "m-1", 500)
    with pytest.raises(Exception, match="expected at most 0 points"):
        world.hold(till, "h3", "m-1", 1)
    assert world.rows("SELECT expired FROM movements WHERE kind = 'expiry'") == [(600,)]
    assert world.jobs() == NOTHING


def test_a_clock_that_jumps_back_revives_nothing(world: Shop) -> None:
    """Ten years ahead and back: what expired stays expired, what awoke stays awake, nothing expires twice."""
    till = sold(world, sweets=True)
    world.days(3)
    world.jobs()
    world.hold(till, "h", "m-1", 1500)
    world.days(-3)
    assert world.jobs() == NOTHING
    assert world.member_row().inactive == 0
    world.must_hold()
    till.release("h")
    till.push_last()
    world.days(3650)
    assert world.jobs().expired_points == 1500
    world.days(-3650)
    assert world.jobs() == JobsDone(window_back=1)  # by that clock they were seen of late
    assert world.balances("m-1") == (0, 0, 0)


def test_points_that_awake_and_end_meanwhile_expire(world: Shop) -> None:
    sold(world, sweets=True)
    world.days(100)
    assert world.jobs() == JobsDone(expired_members=1, expired_points=1500, awoken_members=1, window_left=1)


class Killed(Exception):  # noqa: N818 - the process's end, not an error
    """Raised where a process is killed."""


def contents(world: Shop) -> list[list[tuple]]:
    """The ledger but for positions and lot numbers, which tell only the order of the work."""
    return [
        world.rows("SELECT member_id, balance, held, debt, earned, expired FROM balances ORDER BY member_id"),
        world.rows("SELECT member_id, issued, left, expired, active_at_ms, expires_at_ms FROM lots ORDER BY 1, 2, 6"),
        world.rows("SELECT member_id, kind, earned, expired FROM movements ORDER BY 1, 2, 3, 4"),
        world.rows("SELECT member_id, tier FROM members ORDER BY 1"),
        world.rows("SELECT member_id, event, key FROM events_given ORDER BY 1, 2, 3"),
        world.rows("SELECT job, done_to FROM jobs ORDER BY job"),
    ]


def busy_world(path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """Seven members, each with points that awake, points that expire, and a birthday; blocks of two."""
    for name in ("lots.BLOCK_LOTS", "birthdays.BLOCK_MEMBERS", "tiers.BLOCK_MEMBERS", "usage.BLOCK_ROWS"):
        monkeypatch.setattr(f"till_cloud.jobs.{name}", 2)
    rules = aged(events=(Event(id="cake", on="birthday", points=100),), tier_period="month", tiers=TIERS)
    world = Shop(path, rules=rules)
    till = world.till()
    for number in range(7):
        world.member(f"m-{number}", tier="gold")
        world.sell(till, f"s{number}", f"m-{number}", sweets=True)
        born = "UPDATE members SET birth_date = '1990-02-20', tier = 'gold' WHERE member_id = ?"
        world.centre.write(lambda c, n=number, sql=born: c.execute(sql, (f"m-{n}",))).result()
    till.push()
    world.jobs()
    world.centre.write(lambda c: c.execute("UPDATE members SET tier = 'gold'")).result()
    world.centre.write(lambda c: c.execute("DELETE FROM tier_moves")).result()
    world.centre.write(lambda c: c.execute("DELETE FROM member_spend")).result()
    world.days(36)
    return world


TIERS = (Tier(id="standard"), Tier(id="gold", from_spend_minor=100_000))


@pytest.mark.parametrize("killed_after", [0, 1, 3, 4, 6, 9, 12])
def test_a_run_that_was_killed_between_blocks_ends_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed_after: int
) -> None:
    """A run is cut after so many blocks, twice, and then again from the start: as if it had run through."""
    whole = busy_world(tmp_path / "whole.db", monkeypatch)
    whole.jobs()
    cut = busy_world(tmp_path / "cut.db", monkeypatch)
    for _ in range(2):
        blocks = 0

        def transact(block, world: Shop = cut) -> bool:
            nonlocal blocks
            blocks += 1
            if blocks > killed_after:
                raise Killed
            return world.centre.write(block).result()

        with contextlib.suppress(Killed):
            run_jobs(transact, registry=cut.centre.registry, wall_ms=cut.wall)
        cut.must_hold()
    cut.jobs()
    assert contents(cut) == contents(whole)
    assert {tier for _, tier in contents(whole)[3]} == {"standard"}
    assert len(contents(whole)[4]) == 7
    for world in (cut, whole):
        world.must_hold()
        world.centre.close()


def test_a_block_that_fails_is_undone_and_may_come_again(world: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The transaction is lost after the work: nothing is kept, and the next run does it."""
    sold(world)
    world.days(31)
    lost = [True]

    def transact(block) -> bool:
        def work(connection: sqlite3.Connection) -> bool:
            more = block(connection)
            if lost and connection.total_changes:
                lost.clear()
                raise Killed
            return more

        return world.centre.write(work).result()

    with pytest.raises(Killed):
        run_jobs(transact, registry=world.centre.registry, wall_ms=world.wall)
    assert world.balances("m-1") == (1000, 0, 0)
    assert world.jobs().expired_points == 1000


def test_members_with_held_points_do_not_stop_the_blocks(world: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """More due lots that holds keep than a block takes: those behind them expire all the same."""
    monkeypatch.setattr(lots, "BLOCK_LOTS", 1)
    till = sold(world)
    world.hold(till, "h", "m-1", 1000)
    world.member("m-2")
    world.sell(till, "b", "m-2")
    till.push_last()
    world.days(31)
    assert world.jobs() == JobsDone(expired_members=1, expired_points=1000)
    assert world.balances("m-2") == (0, 0, 0)


def born(world: Shop, member: str, text: str) -> None:
    world.member(member)
    world.centre.write(
        lambda c: c.execute("UPDATE members SET birth_date = ? WHERE member_id = ?", (text, member))
    ).result()


CAKE = Event(
    id="cake",
    on="birthday",
    points=700,
    days_before=2,
    life=Life(expires_after_days=9),
    funded_by=Funding(supplier="Bakery", share_basis_points=5000),
)


def test_a_birthday_gives_once_a_year_from_the_days_before(tmp_path: Path) -> None:
    """Today is 15 January; two days before the 18th nothing else comes of it for a year."""
    with shop(tmp_path / "c.db", rules=aged(events=(CAKE,))) as world:
        born(world, "m-1", "1990-01-18")
        born(world, "m-2", "2000-06-01")
        born(world, "m-3", "01-16")
        assert world.jobs() == JobsDone(birthday_members=1, birthday_points=700)
        world.days(1)
        assert world.jobs() == JobsDone(birthday_members=1, birthday_points=700)
        for _ in range(4):
            world.days(1)
            assert world.jobs() == NOTHING
        assert world.rows("SELECT uid, earned FROM movements WHERE kind = 'event'") == [("cake", 700)] * 2
        assert world.rows("SELECT supplier, sum(points), sum(points_share) FROM funded") == [("Bakery", 1400, 700)]
        world.days(6)
        assert world.jobs().expired_points == 1400
        world.days(356)
        assert world.jobs().birthday_members == 2


def test_days_without_a_run_lose_no_birthday(tmp_path: Path) -> None:
    with shop(tmp_path / "c.db", rules=aged(events=(CAKE,))) as world:
        born(world, "m-1", "1990-01-25")
        born(world, "m-2", "1990-03-30")
        world.jobs()
        world.days(30)
        assert world.jobs().birthday_members == 1


def test_29_february_is_28_february_in_other_years(tmp_path: Path) -> None:
    with shop(tmp_path / "c.db", rules=aged(events=(CAKE,))) as world:
        born(world, "m-1", "1996-02-29")
        world.jobs()
        world.days(41)
        assert world.today == "2027-02-25"
        assert world.jobs() == NOTHING
        world.days(1)
        assert world.jobs().birthday_members == 1


def test_a_clock_that_jumps_gives_no_birthday_twice(tmp_path: Path) -> None:
    with shop(tmp_path / "c.db", rules=aged(events=(CAKE,))) as world:
        born(world, "m-1", "1990-01-16")
        assert world.jobs().birthday_members == 1
        world.days(200)
        world.jobs()
        world.days(-200)
        assert world.jobs().birthday_members == 0
        world.days(1)
        assert world.jobs().birthday_members == 0


def test_only_members_who_are_known_have_birthdays(tmp_path: Path) -> None:
    with shop(tmp_path / "c.db", rules=aged(events=(CAKE,))) as world:
        for number, status in enumerate(("provisional", "blocked", "removed")):
            born(world, f"m-{number}", "1990-01-16")
            world.centre.write(
                lambda c, n=number, s=status: c.execute(
                    "UPDATE members SET status = ? WHERE member_id = ?", (s, f"m-{n}")
                )
            ).result()
        assert world.jobs() == NOTHING


def test_a_tier_lasts_to_the_end_of_the_next_period(tmp_path: Path) -> None:
    """Gold in January, nothing in February: standard on 1 March, and tills hear of it."""
    with shop(tmp_path / "c.db", rules=aged(tier_period="month", tiers=TIERS)) as world:
        world.member("m-1", tier="gold")
        world.centre.write(lambda c: tiers.spend(c, "m-1", "2027-01", 150_000)).result()
        world.jobs()
        world.days(20)
        assert (world.today, world.jobs()) == ("2027-02-04", NOTHING)
        before = world.member_row()
        world.days(25)
        assert (world.today, world.jobs().tier_moves) == ("2027-03-01", 1)
        after = world.member_row()
        assert (after.tier, after.position > before.position) == ("standard", True)
        assert world.rows("SELECT tier_before, tier_after, reason FROM tier_moves") == [("gold", "standard", "period")]
        assert world.jobs() == NOTHING
        world.days(-60)
        assert world.jobs() == NOTHING


def test_a_tier_given_by_hand_is_not_moved(tmp_path: Path) -> None:
    by_hand = (*TIERS, Tier(id="friends", by_hand=True))
    with shop(tmp_path / "c.db", rules=aged(tier_period="month", tiers=by_hand)) as world:
        world.member("m-1", tier="friends")
        world.jobs()
        world.days(60)
        assert world.jobs() == NOTHING


def test_a_period_ends_when_its_last_store_has_left_it(tmp_path: Path) -> None:
    """Moscow is in February while Kaliningrad still sells in January."""
    from till_cloud.store import tills

    with shop(tmp_path / "c.db", rules=aged(tier_period="month", tiers=TIERS)) as world:
        west = tills.StoreRow("s2", "West", "Europe/Kaliningrad")
        world.centre.write(lambda c: tills.put_store(c, west, 0)).result()
        world.member("m-1", tier="gold")
        world.jobs()
        world.days(16.55)
        assert world.today == "2027-02-01"
        assert world.jobs().tier_moves == 0
        world.days(0.05)
        assert world.jobs().tier_moves == 1


def test_old_uses_are_removed_and_the_rest_is_kept(world: Shop) -> None:
    """Two months back: a till that sold so long without a line would be counted by them."""
    rows = [
        Usage(rule="r", per=per, key=key, amount=1, uses=1)
        for per, key in (
            *(("day", "2026-11-13"), ("day", "2026-11-14")),
            *(("week", "2026-W45"), ("week", "2026-W46")),
            *(("month", "2026-10"), ("month", "2026-11"), ("life", "")),
        )
    ]
    world.centre.write(lambda c: usage.add(c, "m-1", rows)).result()
    assert world.jobs() == JobsDone(usage_removed=3)
    kept = {key for (key,) in world.rows("SELECT key FROM member_usage")}
    assert kept == {"2026-11-14", "2026-W46", "2026-11", ""}
    assert world.jobs() == NOTHING


def test_jobs_may_be_asked_to_work_up_to_a_day(world: Shop) -> None:
    """What is due by then is done; movements bear the time of today."""
    sold(world)
    world.jobs(to_ms=world.wall.ms + 31 * DAY_MS)
    assert world.rows("SELECT at_ms FROM movements WHERE kind = 'expiry'") == [(world.wall.ms,)]


def test_a_run_stops_when_it_is_told(world: Shop) -> None:
    sold(world)
    world.days(31)
    done = run_jobs(
        lambda block: world.centre.write(block).result(),
        registry=world.centre.registry,
        wall_ms=world.wall,
        stopping=lambda: True,
    )
    assert done == NOTHING
    assert world.balances("m-1") == (1000, 0, 0)

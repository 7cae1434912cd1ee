"""A tier that staff or a members file gives lasts as long as one that was reached by spending."""

from pathlib import Path

import pytest

from till_cloud import staff
from till_cloud.csv_members import LineReader, rows
from till_cloud.importing import Importer
from till_cloud.jobs.running import run_jobs
from till_cloud.registry import Registry
from till_cloud.store import meta
from till_loyalty.programme import Tier
from unit.cloud.cloud_kit import NOON_MS, Chain, chain, programme

DAY_MS = 86_400_000
RULES = programme(
    tiers=(Tier(id="standard"), Tier(id="gold", from_spend_minor=500_000), Tier(id="staff", by_hand=True)),
    rules=(),
    tier_period="quarter",
)
LASTS = [(1, "gold"), (80, "gold"), (160, "gold"), (175, "standard")]
"""Days after 15 January 2027: the period ends with March, the next with June."""


def settle(world: Chain, days: int) -> None:
    """The cloud's jobs run now and then until that day."""
    for day in (*range(0, days, 40), days):
        world.wall.ms = NOON_MS + day * DAY_MS
        run_jobs(lambda block: world.centre.write(block).result(), registry=Registry(), wall_ms=world.wall)


def tier_of(world: Chain) -> str:
    (found,) = world.rows("SELECT tier FROM members")
    return str(found[0])


@pytest.mark.parametrize(("days", "tier"), LASTS)
def test_a_tier_given_by_hand_lasts_to_the_end_of_the_next_period(tmp_path: Path, days: int, tier: str) -> None:
    with chain(tmp_path / "c.db", rules=RULES) as world:
        world.member("m-1", tier="standard")
        settle(world, 0)
        assert world.centre.write(lambda c: staff.set_tier(c, "m-1", "gold", world.wall())).result()
        settle(world, days)
        assert tier_of(world) == tier


@pytest.mark.parametrize(("days", "tier"), LASTS)
def test_a_tier_of_a_members_file_lasts_as_long(tmp_path: Path, days: int, tier: str) -> None:
    with chain(tmp_path / "c.db", rules=RULES) as world:
        settle(world, 0)
        take(world, "member_id,tier\nm-1,gold\n")
        settle(world, days)
        assert tier_of(world) == tier


def test_the_same_file_again_makes_it_last_no_longer(tmp_path: Path) -> None:
    with chain(tmp_path / "c.db", rules=RULES) as world:
        take(world, "member_id,tier\nm-1,gold\n")
        settle(world, 100)
        take(world, "member_id,tier\nm-1,gold\n")
        settle(world, 175)
        assert tier_of(world) == "standard"


def test_a_tier_that_only_staff_gives_lasts_until_they_take_it(tmp_path: Path) -> None:
    with chain(tmp_path / "c.db", rules=RULES) as world:
        take(world, "member_id,tier\nm-1,staff\n")
        settle(world, 400)
        assert tier_of(world) == "staff"


def take(world: Chain, text: str) -> None:
    importer = Importer(
        LineReader(world.programme, world.centre.quick(meta.identifier_key)),
        transact=lambda work: world.centre.write(work).result(),
        wall_ms=world.wall,
        new_id=world._new_id,
        report=lambda fault: pytest.fail(str(fault)),
    )
    importer.take(rows(text.splitlines(keepends=True)))

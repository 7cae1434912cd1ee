"""Facts that people bring: a members file with birthdays, segments, referrers and coupons, and staff by hand."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from till_cloud import referral
from till_cloud.exceptions import AdminError
from till_cloud.facts import open_keys
from till_cloud.staff import change_segment, give_coupon, set_tier
from till_cloud.store import members
from till_cloud.verify import verify
from till_loyalty.rule_parts import Coupon
from unit.cloud.cloud_desk import Desk
from unit.cloud.cloud_kit import NOON_MS, Chain, programme
from unit.cloud.test_cloud_import import Import

RULES = programme(coupons=(Coupon(id="spring", codes=("S",)), Coupon(id="own", codes=("O",), assigned=True)))
BOUGHT = "SELECT purchases, last_purchase FROM members"
FACTS = "birth_date, sex, member_since, segments, referrer"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Chain]:
    made = Chain(tmp_path / "c.db", rules=RULES)
    try:
        yield made
        assert made.centre.read(verify).holds
    finally:
        made.centre.close()


def test_a_file_brings_the_facts_of_a_member(world: Chain) -> None:
    done = Import(
        world,
        "member_id;birth_date;sex;member_since;segments;coupons;referrer;referral_code\n"
        "m-1;1990-02-28;female;2020-01-31;vip|sleepers;own;;ABCD2345\n"
        "m-2;;;;;;abcd-2345;\n",
    )
    assert (done.faults, done.done.added) == ([], 2)
    assert world.rows(f"SELECT {FACTS} FROM members ORDER BY member_id") == [
        ("1990-02-28", "female", "2020-01-31", '["sleepers","vip"]', ""),
        ("", "", "", "[]", "m-1"),
    ]
    desk = Desk(world)
    desk.pull()
    assert desk.rows["m-1"].facts.coupons == ("own",)


def test_every_member_gets_a_referral_code_that_can_be_said_aloud(world: Chain) -> None:
    Import(world, "member_id\n" + "".join(f"m-{number}\n" for number in range(300)))
    codes = [code for (code,) in world.rows("SELECT referral_code FROM members")]
    assert len(set(codes)) == 300
    assert all(re.fullmatch(r"[A-HJ-NP-Z2-9]{8}", code) for code in codes)


def test_the_same_file_again_changes_nothing(world: Chain) -> None:
    text = "member_id,segments,coupons\nm-1,vip,own\n"
    Import(world, text)
    again = Import(world, text).done
    assert (again.unchanged, again.updated) == (1, 0)


def test_a_later_file_fills_in_and_a_referrer_stays(world: Chain) -> None:
    Import(world, "member_id,referrer\nm-1,\nm-2,m-1\n")
    Import(world, "member_id,referrer,birth_date\nm-3,,\nm-2,m-3,1999-12-31\n")
    assert world.rows(f"SELECT {FACTS} FROM members WHERE member_id = 'm-2'") == [("1999-12-31", "", "", "[]", "m-1")]


def test_purchases_made_elsewhere_count(world: Chain) -> None:
    """Whoever bought before is no new member: tills hear of it, and a day alone is one purchase."""
    Import(world, "member_id,purchases,last_purchase\nm-1,12,2026-12-31\nm-2,,2026-12-30\nm-3,,\n")
    desk = Desk(world)
    desk.pull()
    facts = [desk.rows[member].facts for member in ("m-1", "m-2", "m-3")]
    assert [(each.purchases, each.last_purchase) for each in facts] == [(12, "2026-12-31"), (1, "2026-12-30"), (0, "")]


def test_a_file_raises_purchases_and_never_lowers_them(world: Chain) -> None:
    text = "member_id,purchases,last_purchase\nm-1,2,2026-12-31\n"
    Import(world, text)
    desk = Desk(world)
    desk.pull()
    desk.sold("a", "m-1")
    again = Import(world, text).done
    assert (again.unchanged, world.rows(BOUGHT)) == (1, [(3, "2027-01-15")])
    Import(world, "member_id,purchases\nm-1,9\n")
    assert world.rows(BOUGHT) == [(9, "2027-01-15")]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("birth_date", "31.12.1990"),
        ("birth_date", "1990-02-30"),
        ("member_since", "2020"),
        ("sex", "f"),
        ("purchases", "-1"),
        ("purchases", "1000001"),
        ("last_purchase", "yesterday"),
        ("segments", "x" * 61),
        ("coupons", "unknown"),
        ("referral_code", "O0I1O0I1"),
        ("referrer", "m-nobody"),
        ("referrer", "ABCD2346"),
        ("referrer", "m-1"),
    ],
)
def test_a_fact_that_is_none_is_told_with_its_place(world: Chain, column: str, value: str) -> None:
    found = Import(world, f"member_id,{column}\nm-1,{value}\n")
    assert (found.places, found.done.added) == ([(2, column)], 0)


def test_two_members_can_not_have_one_referral_code(world: Chain) -> None:
    found = Import(world, "member_id,referral_code\nm-1,ABCD2345\nm-2,ABCD2345\n")
    assert found.places == [(3, "referral_code")]


def test_staff_give_coupons_segments_and_tiers_and_tills_hear_of_it(world: Chain) -> None:
    world.member("m-1", tier="standard")
    write = world.centre.write
    assert write(lambda c: give_coupon(c, "m-1", "own", 1)).result()
    assert not write(lambda c: give_coupon(c, "m-1", "own", 1)).result()
    assert write(lambda c: change_segment(c, "m-1", "vip", 1, member=True)).result()
    assert write(lambda c: set_tier(c, "m-1", "gold", 1)).result()
    desk = Desk(world)
    desk.pull()
    row = desk.rows["m-1"]
    assert (row.tier, row.facts.segments, row.facts.coupons) == ("gold", ("vip",), ("own",))
    assert write(lambda c: change_segment(c, "m-1", "vip", 1, member=False)).result()
    assert world.rows("SELECT reason FROM tier_moves") == [("hand",)]


@pytest.mark.parametrize(
    "work",
    [
        lambda c: give_coupon(c, "m-1", "none", 1),
        lambda c: give_coupon(c, "m-none", "own", 1),
        lambda c: change_segment(c, "m-1", "a|b", 1, member=True),
        lambda c: set_tier(c, "m-1", "platinum", 1),
        lambda c: set_tier(c, "card:00000000", "gold", 1),
    ],
)
def test_what_staff_can_not_do_is_said(world: Chain, work) -> None:
    world.member("m-1", tier="standard")
    with pytest.raises(AdminError, match="expected"):
        world.centre.write(work).result()


@pytest.mark.parametrize(
    ("text", "code"), [("abcd 2345", "ABCD2345"), ("ABCD-2345", "ABCD2345"), ("ABC", ""), ("OOOO1111", ""), ("", "")]
)
def test_codes_are_read_as_people_write_them(text: str, code: str) -> None:
    assert referral.normalise(text) == code


def test_open_periods_are_those_of_every_time_zone() -> None:
    """Noon in London of 15 January 2027, a Friday: Kiribati has the 16th already, and Samoa at night had the 14th."""
    keys = open_keys(NOON_MS)
    assert {"2027-01-14", "2027-01-15", "2027-01-16", "2027-W02", "2027-01", ""} == set(keys)


def test_the_largest_page_reads_a_number_of_statements_that_does_not_grow(world: Chain) -> None:
    """Members, tags, and uses with coupons: three, however many members there are."""
    Import(world, "member_id,coupons\n" + "".join(f"m-{number},own\n" for number in range(500)))
    said: list[str] = []

    def read(connection) -> int:
        connection.set_trace_callback(said.append)
        try:
            return len(members.page(connection, 0, 10_000, open_keys(NOON_MS)))
        finally:
            connection.set_trace_callback(None)

    assert (world.centre.read(read), len(said)) == (500, 3)

"""The changes feed: every change once in the end, cursors that can't be abused, programmes first."""

import base64
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from till_cloud.changes import decode_cursor, encode_cursor
from till_cloud.exceptions import CursorError
from till_cloud.store import meta, tills
from till_sync.wire import MemberRow, ProgrammeRow
from unit.cloud.cloud_kit import Chain, Till, chain, programme


@pytest.fixture
def world(tmp_path):
    with chain(tmp_path / "c.db") as made:
        yield made


def page(world: Chain, till: Till, since: str = "", limit: int = 100):
    row = world.centre.quick(lambda c: tills.till(c, till.name))
    return world.centre.changes(row, since=since, limit=limit)


def everything(world: Chain, till: Till, since: str = "", limit: int = 100) -> tuple[list, str]:
    rows: list = []
    while True:
        answer = page(world, till, since, limit)
        rows += answer.rows
        since = answer.next
        if not answer.more:
            return rows, since


def test_the_first_page_brings_the_programme_and_members_with_all_their_tags(world: Chain) -> None:
    world.member("m-1", points=70, tags=("card:0000000a", "phone:0000000b"), tier="gold")
    till = world.till()
    first, *rest = page(world, till).rows
    assert isinstance(first, ProgrammeRow)
    assert (first.version, first.active) == (1, True)
    member = next(row for row in rest if isinstance(row, MemberRow))
    assert (member.member_id, member.tier, member.balance, member.tags) == (
        "m-1",
        "gold",
        70,
        ("card:0000000a", "phone:0000000b"),
    )


def test_a_page_says_which_of_the_tills_own_ops_it_includes(world: Chain) -> None:
    world.member("m-1")
    till = world.till()
    till.sale("a", "m-1", 10_000)
    till.push()
    answer = page(world, till)
    assert (answer.epoch, answer.acked_seq) == (1, 1)
    assert [row.balance for row in answer.rows if isinstance(row, MemberRow)] == [1000]


@pytest.mark.parametrize("limit", [1, 2, 3, 1000])
def test_pages_of_any_size_bring_every_member_once(world: Chain, limit: int) -> None:
    for number in range(7):
        world.member(f"m-{number}")
    till = world.till()
    rows, cursor = everything(world, till, limit=limit)
    assert sorted(row.member_id for row in rows if isinstance(row, MemberRow)) == [f"m-{n}" for n in range(7)]
    assert page(world, till, cursor).rows == ()


def test_after_a_cursor_only_what_changed_comes(world: Chain) -> None:
    """A sale, a hold, its release and a new programme: each is a change; the retired version comes as inactive."""
    world.member("m-1", points=100)
    world.member("m-2", points=100)
    till = world.till()
    _, cursor = everything(world, till)
    world.hold(till, "h", "m-2", 30)
    rows, cursor = everything(world, till, cursor)
    assert [(row.member_id, row.held) for row in rows] == [("m-2", 30)]
    till.release("h")
    till.sale("a", "m-1", 10_000)
    till.push()
    rows, cursor = everything(world, till, cursor)
    assert {(row.member_id, row.balance, row.held) for row in rows} == {("m-1", 1100, 0), ("m-2", 100, 0)}
    world.upload(programme(2))
    rows, cursor = everything(world, till, cursor)
    assert [(row.version, row.active) for row in rows] == [(1, False), (2, True)]


def test_a_cursor_of_another_life_is_stale(world: Chain) -> None:
    world.member("m-1")
    till = world.till()
    cursor = page(world, till).next
    world.centre.write(lambda c: meta.set_incarnation(c, "another")).result()
    with pytest.raises(CursorError) as caught:
        page(world, till, cursor)
    assert caught.value.stale


def test_a_cursor_beyond_the_newest_change_is_stale(world: Chain) -> None:
    """A database that was put back without saying so must not leave its tills without changes for ever."""
    incarnation = world.centre.quick(meta.incarnation)
    with pytest.raises(CursorError) as caught:
        page(world, world.till(), encode_cursor(incarnation, 10**9))
    assert caught.value.stale


def made(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor", ["1", "!!", "AA", made("x"), made("x:-1"), made("x:1.5"), made("x:" + "9" * 40), "é", "A" * 300]
)
def test_garbage_is_no_cursor(cursor: str) -> None:
    with pytest.raises(CursorError) as caught:
        decode_cursor(cursor, incarnation="x", newest=10)
    assert not caught.value.stale


@given(st.text())
def test_any_text_is_a_cursor_or_an_error_of_ours(cursor: str) -> None:
    with contextlib.suppress(CursorError):
        assert 0 <= decode_cursor(cursor, incarnation="x", newest=10) <= 10


@given(st.integers(min_value=0, max_value=2**62))
def test_a_cursor_reads_back(position: int) -> None:
    assert decode_cursor(encode_cursor("abc", position), incarnation="abc", newest=2**62) == position

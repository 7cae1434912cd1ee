"""Slow tags of phones at the cloud: they take the place of the fast ones, each phone stays one member's, and whoever
still names it by the fast tag is understood."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from till_cloud.exceptions import RefusedError
from till_cloud.jobs import slow_phones
from till_cloud.jobs.service import JobsService
from till_cloud.meeting import meet
from till_cloud.store import members, slow_tags
from till_cloud.verify import verify
from till_loyalty.identifiers import slow_tag
from till_sync.asking import ConfirmationRequest, MemberQuestion
from till_sync.ops import Subject
from unit.cloud.cloud_kit import Chain, chain
from unit.cloud.test_registration_cloud import CARD, OTHER_PHONE, PHONE, RULES, phone_tag, proven, register
from unit.privacy.test_privacy_erase import erase

COST = 2
"""Any power of two will do; a chain's own takes 54 ms each."""


def begin(made: Chain) -> None:
    made.centre.write(lambda c: slow_tags.begin(c, COST)).result()


def make(made: Chain, pause: Callable[[], bool] = lambda: False) -> int:
    return slow_phones.run(
        made.centre.read,
        lambda work: made.centre.write(work).result(),
        cost=COST,
        registry=made.centre.registry,
        wall_ms=made.wall,
        pause=pause,
    )


def slow(made: Chain, phone: str = PHONE) -> str:
    return slow_tag(phone_tag(made, phone), COST)


def tags(made: Chain) -> dict[str, str]:
    return dict(made.rows("SELECT tag, member_id FROM identifiers ORDER BY tag"))


def owner(made: Chain, tag: str) -> str | None:
    return made.centre.read(lambda c: members.owner(c, tag))


def progress(made: Chain) -> slow_phones.SlowPhones:
    return made.centre.read(slow_phones.progress)


def test_slow_tags_take_the_place_of_fast_ones_and_either_finds_the_member(tmp_path: Path) -> None:
    with chain(tmp_path / "c.db") as made:
        made.member("m-1", tags=(phone_tag(made), CARD))
        made.member("m-2", tags=(phone_tag(made, OTHER_PHONE),))
        before = made.centre.position()
        assert not made.centre.read(slow_phones.is_due)
        begin(made)
        assert progress(made) == slow_phones.SlowPhones(cost=COST, slow=0, waiting=2)
        assert make(made) == 2
        assert tags(made) == {CARD: "m-1", slow(made): "m-1", slow(made, OTHER_PHONE): "m-2"}
        assert progress(made) == slow_phones.SlowPhones(cost=COST, only=True, slow=2)
        assert not made.centre.read(slow_phones.is_due)
        assert owner(made, phone_tag(made)) == owner(made, slow(made)) == "m-1"
        # Each of them comes to tills as after any other change.
        rows = made.centre.read(lambda c: members.page(c, before, 10, ()))
        assert {row.member_id: row.tags for row in rows} == {
            "m-1": (CARD, slow(made)),
            "m-2": (slow(made, OTHER_PHONE),),
        }
        assert make(made) == 0


def test_it_goes_on_after_a_stop_and_tells_tills_to_record_no_others_once_all_are_made(tmp_path: Path) -> None:
    with chain(tmp_path / "c.db") as made:
        till = made.till()
        row = made.centre.authenticate(till.name, f"Bearer {till.token}")
        for number in range(slow_phones.BLOCK_TAGS + 1):
            made.member(f"m-{number}", tags=(phone_tag(made, f"+7916000{number:04}"),))
        begin(made)
        assert make(made, pause=lambda: True) == slow_phones.BLOCK_TAGS

        def told() -> set[tuple[int, bool]]:
            question = MemberQuestion(tags=(phone_tag(made, "+79160000000"),))
            met = made.centre.write(lambda c: meet(c, row, question, made.wall())).result()
            assert met.member is not None
            answers = (made.centre.hello(row), made.centre.changes(row, since="", limit=10), met)
            return {(each.phone_cost, each.phone_slow_only) for each in answers}

        assert told() == {(COST, False)}
        assert make(made) == 1
        assert told() == {(COST, True)}


def test_the_running_cloud_makes_them_by_itself_and_ends_within_a_pause(tmp_path: Path) -> None:
    """Once somebody has asked for them; whatever failed is tried again, and a stop waits for no block to come."""

    async def case(made: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
        jobs = JobsService(made.centre, lending_period_s=0.01)
        failed: list[str] = []

        def fails_once(tag: str, cost: int) -> str:
            if not failed:
                failed.append(tag)
                raise OSError("no memory for it now")
            return slow_tag(tag, cost)

        monkeypatch.setattr(slow_phones, "slow_tag", fails_once)
        jobs.start()
        try:
            await asyncio.to_thread(begin, made)
            async with asyncio.timeout(60):
                while not (await asyncio.to_thread(progress, made)).only:
                    await asyncio.sleep(0.02)
        finally:
            await jobs.stop()
        assert failed == [phone_tag(made)]

    with chain(tmp_path / "c.db") as made, pytest.MonkeyPatch.context() as monkeypatch:
        made.member("m-1", tags=(phone_tag(made),))
        asyncio.run(case(made, monkeypatch))
        assert tags(made) == {slow(made): "m-1"}
        begun_in_between = JobsService(made.centre, lending_period_s=600.0)
        asyncio.run(started_and_stopped(begun_in_between))


async def started_and_stopped(jobs: JobsService) -> None:
    jobs.start()
    await asyncio.sleep(0)
    async with asyncio.timeout(60):
        await jobs.stop()


def test_a_till_of_a_former_release_and_a_queue_from_before_name_the_same_members(tmp_path: Path) -> None:
    """By fast tags in the middle of which the chain switched: each is counted once, for whom it always was."""
    with chain(tmp_path / "c.db", rules=RULES) as made:
        till = made.till()
        made.member("m-1", points=100, tags=(phone_tag(made),))
        till.sale("s-1", phone_tag(made), 10_000)
        assert till.push_last().member_id == "m-1"
        begin(made)
        make(made)
        till.sale("s-2", phone_tag(made), 10_000)
        till.sale("s-3", slow(made), 10_000)
        assert [each.member_id for each in till.push(1).results] == ["m-1"] * 3
        assert [each.member_id for each in till.push(1).results] == ["m-1"] * 3
        assert made.balances("m-1") == (3100, 0, 0)
        register(made, till, "r-1", confirmation=proven(made, till))
        assert till.push_last().member_id == "m-1"
        assert tags(made) == {slow(made): "m-1"}
        assert made.centre.read(verify).holds


def test_one_stranger_met_by_both_kinds_of_tags_is_one_member_soon(tmp_path: Path) -> None:
    with chain(tmp_path / "c.db", rules=RULES) as made:
        till = made.till()
        begin(made)
        assert make(made) == 0
        till.sale("s-1", slow(made), 10_000)
        first = till.push_last().member_id
        till.sale("s-2", phone_tag(made), 20_000)
        second = till.push_last().member_id
        assert first != second
        assert make(made) == 1
        kept = owner(made, slow(made))
        assert tags(made) == {slow(made): kept}
        assert kept is not None
        assert made.balances(kept) == (3000, 0, 0)
        till.sale("s-3", phone_tag(made), 10_000)
        assert till.push_last().member_id == kept
        assert made.centre.read(verify).holds


@pytest.mark.parametrize("by", ["fast", "slow"])
def test_whoever_registered_is_kept_of_the_two(tmp_path: Path, by: str) -> None:
    with chain(tmp_path / "c.db", rules=RULES) as made:
        till = made.till()
        begin(made)
        make(made)
        body = register(made, till, "r-1", name="Anna")
        if by == "slow":
            till.ops.pop(), till.heads.pop()
            till.add(replace(body, subject=Subject(tag=slow(made))))
        registered = till.push_last().member_id
        till.sale("s-1", slow(made) if by == "fast" else phone_tag(made), 10_000)
        stranger = till.push_last().member_id
        assert make(made) == 1
        assert owner(made, slow(made)) == owner(made, phone_tag(made)) == registered
        assert made.rows("SELECT merged_into FROM members WHERE member_id = ?", stranger) == [(registered,)]


def test_two_registered_members_are_left_to_people(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with chain(tmp_path / "c.db", rules=RULES) as made:
        begin(made)
        make(made)
        made.member("m-old", tags=(phone_tag(made), CARD))
        made.member("m-new", tags=(slow(made),))
        assert make(made) == 1
        assert tags(made) == {CARD: "m-old", slow(made): "m-new"}
        assert "cloud member merge m-old m-new" in caplog.text
        assert not made.centre.read(slow_phones.is_due)


def test_a_member_with_points_held_comes_by_once_more(tmp_path: Path) -> None:
    with chain(tmp_path / "c.db", rules=RULES) as made:
        till = made.till()
        begin(made)
        made.member("m-1", points=500, tags=(phone_tag(made),))
        made.member("m-2", points=500, tags=(slow(made),))
        made.hold(till, "h-1", "m-1", 100)
        made.centre.write(
            lambda c: c.execute("UPDATE members SET status = 'provisional' WHERE member_id = 'm-1'")
        ).result()
        assert make(made) == 0
        assert (progress(made).only, progress(made).waiting) == (False, 1)
        till.release("h-1")
        till.push_last()
        assert make(made) == 1
        assert (owner(made, phone_tag(made)), made.balances("m-2")) == ("m-2", (1000, 0, 0))


@pytest.mark.parametrize("before", [False, True])
def test_who_was_erased_is_found_by_neither_tag_and_nobody_begins_anew(tmp_path: Path, *, before: bool) -> None:
    """Erased `before` the slow tag was made, or after."""
    with chain(tmp_path / "c.db", rules=RULES) as made:
        till = made.till()
        made.member("m-1", tags=(phone_tag(made),))
        till.sale("s-1", phone_tag(made), 10_000)
        till.push_last()
        begin(made)
        if not before:
            make(made)
        assert erase(made, "m-1").operations == 1
        if before:
            make(made)
        assert made.rows("SELECT * FROM slow_tags") == []
        for uid, tag in (("s-2", phone_tag(made)), ("s-3", slow(made))):
            till.sale(uid, tag, 10_000)
            assert till.push_last().member_id in ("m-1", "")
        assert made.rows("SELECT count(*) FROM members") == [(1,)]
        assert make(made) == 0
        assert made.centre.read(verify).holds


def test_a_one_time_code_goes_to_the_phone_of_a_slow_tag_only(tmp_path: Path) -> None:
    with chain(tmp_path / "c.db", rules=RULES) as made:
        till = made.till()
        begin(made)
        wish = ConfirmationRequest(confirmation="c-123456789", purpose="register", tag=slow(made), phone=PHONE)
        assert made.centre.start_confirmation(till.name, wish).result().code is not None
        other = replace(wish, confirmation="c-987654321", phone=OTHER_PHONE)
        with pytest.raises(RefusedError) as caught:
            made.centre.start_confirmation(till.name, other).result()
        assert caught.value.code == "tag_mismatch"

"""Who asks for the whole base: a till of a former release, or whoever has the token of a stolen till."""

from pathlib import Path

import pytest

from till_cloud import enrolment, former, windows
from till_cloud.exceptions import AdminError, RefusedError
from till_cloud.jobs.windows import judge
from till_cloud.store import meta, tills
from till_cloud.store import windows as rows
from till_sync.wire import EnrolmentRequest, MemberRow
from unit.cloud.cloud_kit import Chain

DAY_MS = rows.DAY_MS
KEPT_MS = former.KEPT_DAYS * DAY_MS


@pytest.fixture
def world(tmp_path: Path) -> Chain:
    """Two members, one of whom the store has seen; tills are to hold their store's."""
    made = Chain(tmp_path / "cloud.db")
    made.till("k1")
    for name in ("m-1", "m-2"):
        made.member(name)
    made.centre.write(lambda c: rows.put(c, "s1", "m-1", made.wall(), 1)).result()
    made.centre.write(lambda c: meta.tell(c, rows.JUDGED, "on")).result()
    yield made
    made.centre.close()


def row_of(world: Chain) -> tills.TillRow:
    return world.centre.read(lambda c: tills.till(c, "k1"))


def asks(world: Chain, *, windowed: bool) -> int:
    """How many members come."""
    page = world.centre.changes(row_of(world), since="", limit=1000, windowed=windowed)
    return len([each for each in page.rows if isinstance(each, MemberRow)])


def refused(world: Chain) -> None:
    """In each way of asking, and told why."""
    for ask in (
        lambda: asks(world, windowed=False),
        lambda: world.centre.stretch(row_of(world), since="", after="", last=""),
        lambda: world.centre.note_window("k1", asks=False),
    ):
        with pytest.raises(RefusedError, match="upgrade it") as told:
            ask()
        assert (told.value.problem.status, told.value.code, told.value.problem.retryable) == (
            409,
            "window_needed",
            False,
        )


def choose(world: Chain, mode: str) -> None:
    world.centre.write(lambda c: former.choose(c, mode)).result()


def test_a_till_that_kept_its_window_for_long_does_not_get_the_whole_base(
    world: Chain, caplog: pytest.LogCaptureFixture
) -> None:
    """Its own members come as before; the refusal is told to the staff once, and does not begin its time anew."""
    assert asks(world, windowed=True) == 1
    world.wall.ms += KEPT_MS
    refused(world)
    world.wall.ms += DAY_MS
    refused(world)
    assert asks(world, windowed=True) == 1
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [
        "Till k1 asks for the whole base and is refused: is it stolen, or an old release?"
    ]


def test_an_upgrade_can_be_taken_back_for_a_while(world: Chain) -> None:
    """Then its time begins anew with the next upgrade; a till that never kept a window is not refused."""
    assert asks(world, windowed=False) == 2
    world.wall.ms += KEPT_MS
    assert asks(world, windowed=False) == 2
    assert asks(world, windowed=True) == 1
    world.wall.ms += KEPT_MS - 1
    assert asks(world, windowed=False) == 2
    assert asks(world, windowed=True) == 1
    world.wall.ms += KEPT_MS - 1
    assert asks(world, windowed=False) == 2


def test_the_chain_chooses(world: Chain) -> None:
    """Closed for all at once, though none ever kept a window; open though they do."""
    choose(world, "closed")
    refused(world)
    assert asks(world, windowed=True) == 1
    world.wall.ms += 2 * KEPT_MS
    choose(world, "open")
    assert asks(world, windowed=False) == 2
    with pytest.raises(AdminError, match="auto, open, closed"):
        choose(world, "often")


@pytest.mark.parametrize("why", ["not judged yet", "the whole base by choice"])
def test_nobody_is_refused_what_all_get(world: Chain, why: str) -> None:
    choose(world, "closed")
    if why == "not judged yet":
        world.centre.write(lambda c: meta.tell(c, rows.JUDGED, "off")).result()
    else:
        world.centre.write(lambda c: windows.choose(c, "", 0, world.wall())).result()
    assert asks(world, windowed=False) == asks(world, windowed=True) == 2


def test_a_till_that_is_enrolled_anew_begins_anew(world: Chain) -> None:
    """Its machine may have an older release."""
    assert asks(world, windowed=True) == 1
    world.wall.ms += KEPT_MS
    refused(world)

    def enrol(connection) -> None:
        code = enrolment.issue_code(connection, "k1", world.wall())
        enrolment.redeem_code(connection, EnrolmentRequest(code=code, salt="y"), world.wall())

    world.centre.write(enrol).result()
    assert asks(world, windowed=False) == 2
    assert asks(world, windowed=True) == 1
    world.wall.ms += KEPT_MS
    refused(world)


def test_what_a_refused_till_has_sold_is_taken(world: Chain) -> None:
    till = world.till("k2")
    choose(world, "closed")
    till.sale("a", "m-1", 10_000)
    assert till.push().results[0].status == "applied"
    assert world.centre.hello(world.centre.read(lambda c: tills.till(c, "k2"))).acked_seq == 1


def test_members_of_an_import_leave_a_store_of_a_whole_base_chain_that_was_given_days(world: Chain) -> None:
    """Nobody else looks at who counts everywhere."""

    def everywhere(*stores: tuple[str, int | None]) -> int:
        for store, days in stores:
            world.centre.write(lambda c, store=store, days=days: windows.choose(c, store, days, 0)).result()
        return world.centre.read(rows.days_everywhere)

    assert everywhere() == 90
    assert everywhere(("", 0)) == rows.WHOLE_BASE
    assert everywhere(("s1", 30)) == 30
    assert everywhere(("", 14)) == 14
    world.centre.write(judge).result()

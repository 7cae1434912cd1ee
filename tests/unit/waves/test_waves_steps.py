"""Waves of programs and config: which tills, in which order, and what halts them."""

import pytest

from till_cloud import waves
from till_cloud.exceptions import AdminError
from till_cloud.waves.moving import start
from till_sync.heartbeat import UpdateState
from unit.waves.waves_kit import Fleet, quick_chain


@pytest.fixture
def fleet(tmp_path):
    with quick_chain(tmp_path / "c.db") as made:
        yield Fleet(made, 12)


def test_a_wave_reaches_as_many_tills_as_its_step_has(fleet):
    """3, then 6 of which the 3 are some, then all."""
    fleet.start(soak_ms=0)
    first = set(fleet.reached())
    fleet.next()
    second = set(fleet.reached())
    fleet.next()
    assert (len(first), len(second), fleet.reached()) == (3, 6, fleet.names)
    assert first < second


def test_the_canary_stores_come_first(fleet):
    """Whatever the lot says."""
    fleet.start(stores=("shop2",))
    assert set(fleet.reached()) == {"k002", "k006", "k010"}


def test_the_same_tills_are_chosen_again_and_others_by_the_next_version(tmp_path):
    """The choice is stable, and no till is always the first."""
    found = []
    for number, version in enumerate(("1.1.0", "1.1.0", "1.2.0")):
        with quick_chain(tmp_path / f"{number}.db") as made:
            one = Fleet(made, 12)
            one.start(version=version, sizes=(4, 0))
            found.append(one.reached(value=version))
    assert found[0] == found[1] != found[2]


def test_a_step_has_to_soak(fleet):
    """`next` before the soak is over is refused, unless it is said to be wanted."""
    fleet.start()
    with pytest.raises(AdminError, match="1440 minutes more"):
        fleet.next()
    fleet.wait(23.99)
    with pytest.raises(AdminError):
        fleet.next()
    fleet.wait(0.02)
    assert fleet.next().step == 2
    assert fleet.next(without_soak=True).step == 3


def test_after_the_last_step_the_version_is_every_tills_also_of_later_ones(fleet):
    """A till that is enrolled a month later gets what the others have."""
    fleet.start(soak_ms=0, sizes=(0,))
    assert fleet.next().state == "done"
    fleet.names.append("k-new")
    assert "k-new" in fleet.reached()


def test_a_till_with_cameras_has_the_same_version_in_its_own_variant(fleet):
    """Its rollback counts, and so does its success."""
    fleet.start(halt_after=1)
    one, two, _ = fleet.reached()
    fleet.versions[one] = "1.1.0+camera"
    fleet.beat(one)
    assert fleet.chain.rows("SELECT till FROM wave_tills WHERE outcome = 'taken'") == [(one,)]
    assert fleet.rolled_back(two, "1.1.0+camera").paused


def test_two_rollbacks_halt_the_wave_at_once(fleet):
    """The answer to the second one's own heartbeat is that nothing goes on; nobody else begins."""
    fleet.start(soak_ms=0)
    one, two, three = fleet.reached()
    assert not fleet.rolled_back(one).paused
    assert fleet.open().state == "running"
    assert fleet.rolled_back(two).paused
    assert (fleet.open().state, fleet.open().reason) == (
        "halted",
        "2 tills failed, most of them: rolled_back:unhealthy",
    )
    assert fleet.beat(three).paused
    assert fleet.reached() == []
    with pytest.raises(AdminError, match="halted"):
        fleet.next()


def test_one_till_that_says_the_same_again_is_no_second_one(fleet):
    """A heartbeat comes every five minutes and tells of the same rollback each time."""
    fleet.start()
    one = fleet.reached()[0]
    for _ in range(5):
        fleet.rolled_back(one)
    assert fleet.open().state == "running"


def test_a_rollback_of_another_version_is_not_this_waves(fleet):
    """Tills tell of their last update for ever."""
    fleet.start()
    for name in fleet.reached():
        fleet.rolled_back(name, "1.0.9")
    assert fleet.open().state == "running"


def test_a_till_that_was_stopped_in_time_by_a_halt_speaks_not_against_the_version(fleet):
    """It waited for a quiet moment while the wave was halted; when it is resumed, it is no failure of its."""
    fleet.start(sizes=(12, 0))
    for name in fleet.reached():
        fleet.beat(name, update=UpdateState(stage="refused", to_version="1.1.0", code="halted", at_ms=fleet.now()))
    assert fleet.open().state == "running"
    assert fleet.chain.rows("SELECT count(*) FROM wave_tills WHERE outcome = 'failed'") == [(0,)]


def test_a_resumed_wave_counts_anew(fleet):
    """What was pardoned halts it no more, a new failure does."""
    fleet.start(halt_after=1)
    one, two, _ = fleet.reached()
    fleet.rolled_back(one)
    fleet.wait(1)
    fleet.write(lambda c: waves.resume(c, "code", fleet.now()))
    fleet.wait(1)
    assert not fleet.rolled_back(one).paused
    fleet.wait(1)
    assert fleet.rolled_back(two).paused


def test_tills_that_have_it_are_counted_and_an_empty_wave_says_so(fleet):
    """`have it` is by the version that runs, not by what was wanted."""
    from till_cloud.waves.showing import view

    row = fleet.start()
    one, *_ = fleet.reached()
    fleet.beat(one)
    fleet.versions[one] = "1.1.0"
    fleet.beat(one)
    shown = fleet.chain.centre.read(lambda c: view(c, row, fleet.now()))
    assert [(step.tills, step.taken, step.failed, step.waiting) for step in shown.steps] == [(3, 1, 0, 2)]


def test_the_same_new_problem_at_three_tills_halts(fleet):
    """A problem that was there before is not laid to the version; nor is one scanner that was unplugged."""
    fleet.start(sizes=(5, 0))
    tills = fleet.reached()
    for name in tills:
        fleet.beat(name, problems=("clock",))
        fleet.versions[name] = "1.1.0"
        fleet.beat(name, problems=("clock",))
    assert fleet.open().state == "running"
    for name in tills[:2]:
        fleet.beat(name, problems=("clock", "printer_offline"))
    assert fleet.open().state == "running"
    fleet.beat(tills[2], problems=("clock", "printer_offline"))
    assert fleet.open().reason == "3 tills have a problem since, most of them: printer_offline"


def test_config_that_two_tills_refuse_halts_and_is_wanted_no_more(fleet):
    """The tills that took it are told to keep it back as well."""
    fleet.start(kind="config", version="7", sizes=(3, 0))
    reached = fleet.reached("policy_version", 7)
    outside = next(name for name in fleet.names if name not in reached)
    assert len(reached) == 3
    assert fleet.chain.centre.read(lambda c: [waves.held_back(c, outside), waves.held_back(c, reached[0])]) == [7, 0]
    for name in reached[:2]:
        fleet.beat(name, policy_refused=7)
    assert fleet.open("config").reason == "2 tills failed, most of them: policy_refused"
    assert fleet.reached("policy_version", 7) == []
    assert fleet.chain.centre.read(lambda c: waves.held_back(c, reached[2])) == 7


@pytest.mark.parametrize(
    ("order", "said"),
    [
        ({"sizes": (5, 3)}, "grow"),
        ({"sizes": (0, 3)}, "grow"),
        ({"sizes": ()}, "1 to 20"),
        ({"stores": ("nowhere",)}, "store"),
        ({"kind": "config", "version": "x"}, "number"),
        ({"kind": "programme", "version": "2"}, "staged"),
    ],
)
def test_an_order_that_can_not_be_carried_out_is_refused(fleet, order, said):
    """Nothing is begun by it."""
    with pytest.raises(AdminError, match=said):
        fleet.start(**order)
    assert fleet.chain.rows("SELECT count(*) FROM waves") == [(0,)]


def test_one_wave_of_a_kind_at_a_time(fleet):
    """Programs, programme and config each have their own."""
    fleet.start()
    with pytest.raises(AdminError, match="at a time"):
        fleet.start(version="1.2.0")
    fleet.start(kind="config", version="3")
    fleet.write(lambda c: waves.withdraw(c, "code", fleet.now()))
    fleet.start(version="1.2.0")


def test_tills_in_quarantine_or_never_enrolled_take_no_place(fleet):
    """Thirty tills are thirty that can take it."""
    from till_cloud.store import tills

    def prepare(connection):
        for name in fleet.names[:6]:
            tills.quarantine(connection, name, "two_machines", 1)
        tills.add_till(connection, "fresh", "shop0", 0)
        order = waves.StartOrder(kind="code", version="1.1.0", sizes=(6, 0))
        return start(connection, order, fleet.now())

    fleet.write(prepare)
    assert fleet.reached() == fleet.names[6:]

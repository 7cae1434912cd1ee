"""A wave of a programme: each till sells by the version that reached it, and the ledger judges by the same."""

import pytest

from till_cloud import registry, waves
from till_cloud.exceptions import AdminError
from till_cloud.verify import verify
from unit.cloud.cloud_kit import programme
from unit.waves.waves_kit import Fleet, quick_chain


@pytest.fixture
def fleet(tmp_path):
    with quick_chain(tmp_path / "c.db") as made:
        yield Fleet(made, 8)


def _rolling(fleet):
    """A staged version 2 in a wave of three; a till inside, one outside."""
    fleet.stage()
    fleet.start(kind="programme", version="2", sizes=(3, 0), soak_ms=0)
    inside = [name for name in fleet.names if fleet.selling(name) == 2]
    outside = [name for name in fleet.names if fleet.selling(name) == 1]
    assert (len(inside), len(outside)) == (3, 5)
    return inside, outside


def test_a_staged_programme_is_nobodys_until_a_wave_brings_it(fleet):
    """Tills get its text beforehand, and sell on by the one they have."""
    before, _ = fleet.feed("k000", "")
    fleet.stage()
    assert fleet.feed("k000", before)[1] == {2: False}
    assert fleet.selling("k000") == 1


@pytest.mark.parametrize("points", [0, 500], ids=["nobody yet", "somebody"])
def test_a_wave_never_brings_other_decimal_places(fleet, points, monkeypatch):
    """Where there was no till yet the version was no fault to add; but within a wave tills sell by both at once."""
    monkeypatch.setattr(registry, "must_count_as_before", lambda *_: None)
    other = programme(2, points_exponent=0)
    fleet.write(lambda c: registry.upload(c, other, fleet.now(), staged=True))
    fleet.chain.member("m-1", points=points)
    with pytest.raises(AdminError, match="points_exponent = 2, not 0: members have points"):
        fleet.start(kind="programme", version="2", sizes=(3, 0))
    assert fleet.open("programme") is None


def test_the_feed_says_to_each_till_which_version_is_its_own(fleet):
    """Also to one that begins anew, and to one that had read everything before."""
    fleet.stage()
    read = {name: fleet.feed(name, "")[0] for name in fleet.names}
    fleet.start(kind="programme", version="2", sizes=(3, 0), soak_ms=0)
    for name in fleet.names:
        own = fleet.selling(name)
        for since in ("", read[name]):
            rows = fleet.feed(name, since)[1]
            assert rows[own], (name, since, rows)
            assert [version for version, active in rows.items() if active] == [own]


def test_a_till_with_a_snapshot_is_told_its_own_version_first(fleet):
    """The snapshot is everybody's, and says the chain's version."""
    from till_cloud.changes import encode_places
    from till_cloud.store import meta

    inside, outside = _rolling(fleet)
    place = fleet.chain.centre.read(lambda c: encode_places(meta.incarnation(c), meta.position(c), 0))
    assert fleet.feed(inside[0], place)[1] == {2: True}
    assert fleet.feed(outside[0], place)[1] == {1: True}


def test_a_halt_gives_every_till_the_former_version_back(fleet):
    """And its rows come before those that say that the new one is over: no till is without a programme between."""
    inside, outside = _rolling(fleet)
    cursors = {name: fleet.feed(name, "")[0] for name in fleet.names}
    fleet.write(lambda c: waves.halt(c, "programme", "by hand", fleet.now()))
    for name in (inside[0], outside[0]):
        rows = fleet.feed(name, cursors[name])[1]
        assert list(rows.items()) == [(1, True), (2, False)]


def test_after_the_last_step_the_chain_sells_by_it(fleet):
    """Another upload is possible again, and the former row says that it is over."""
    _rolling(fleet)
    fleet.next("programme")
    fleet.next("programme")
    assert [fleet.selling(name) for name in fleet.names] == [2] * 8
    assert fleet.chain.rows("SELECT version FROM programmes WHERE active = 1") == [(2,)]
    fleet.write(lambda c: registry.upload(c, programme(3), fleet.now()))
    assert fleet.selling("k000") == 3


def test_no_version_is_uploaded_over_a_wave(fleet):
    """It would become every till's while the wave is still asked whether another one may."""
    _rolling(fleet)
    with pytest.raises(AdminError, match="wave"):
        fleet.write(lambda c: registry.upload(c, programme(3), fleet.now()))
    fleet.stage(3)


def test_two_tills_whose_slips_fail_halt_it(fleet):
    """A till whose slips failed before is not one of them."""
    inside, _ = _rolling(fleet)
    fleet.beat(inside[0], problems=("slip_template_failed",))
    for name in inside:
        fleet.programmes[name] = 2
        fleet.beat(name, problems=("slip_template_failed",))
    row = fleet.open("programme")
    assert (row.state, row.reason) == ("halted", "2 tills failed, most of them: slip_template_failed")
    assert fleet.selling(inside[0]) == 1


def test_more_rejected_operations_with_the_new_version_halt_it(fleet):
    """Those from before are not counted."""
    inside, _ = _rolling(fleet)
    for name in inside[:2]:
        fleet.beat(name, rejected=5)
        fleet.programmes[name] = 2
        fleet.beat(name, rejected=5)
    assert fleet.open("programme").state == "running"
    for name in inside[:2]:
        fleet.beat(name, rejected=7)
    assert fleet.open("programme").reason == "2 tills failed, most of them: rejected_rise"


def test_each_sale_is_judged_by_the_version_that_its_till_used(tmp_path):
    """Inside and outside of the wave, and of a till that still has the new version after a halt: applied, and whole."""
    with quick_chain(tmp_path / "c.db") as made:
        tills = [made.till(name) for name in ("k1", "k2")]
        made.member("m-1", points=0)
        old, new = made.programme, programme(2, base=2000)
        made.centre.write(lambda c: registry.upload(c, new, made.wall(), staged=True)).result()
        order = waves.StartOrder(kind="programme", version="2", sizes=(1, 0), soak_ms=0)
        made.centre.write(lambda c: waves.start(c, order, made.wall())).result()
        keys = {till.name: made.centre.read(lambda c, n=till.name: waves.programme_key(c, n)) for till in tills}
        assert sorted(version for _, version in keys.values()) == [1, 2]
        by_version = {keys[till.name][1]: till for till in tills}
        by_version[1].sale("a", "m-1", 100_00, rules=old)
        by_version[2].sale("b", "m-1", 100_00, rules=new)
        made.centre.write(lambda c: waves.halt(c, "programme", "by hand", made.wall())).result()
        by_version[2].sale("c", "m-1", 100_00, rules=new)
        for till in tills:
            assert {result.status for result in till.push().results} == {"applied"}
        assert made.balances("m-1")[0] == 10_00 + 20_00 + 20_00
        assert made.centre.read(verify).holds

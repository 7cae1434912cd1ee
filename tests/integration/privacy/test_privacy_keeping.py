"""Whom tills hold, and members without activity: chosen and erased by commands, beside a running cloud."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from till_cloud import retention, windows
from till_cloud.cli import cloud
from till_cloud.store import windows as rows
from unit.cloud.cloud_kit import Chain, Wall, chain, programme

DAY_MS = 86_400_000
NOW_MS = 1_900_000_000_000
OLD_MS = NOW_MS - 800 * DAY_MS


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is that day in March 2030 for every command."""
    monkeypatch.setattr("till_cloud.cli.keeping.now_ms", lambda: NOW_MS)


def command(db: Path, *words: str, status: int = 0) -> Any:
    done = CliRunner().invoke(cloud, ["privacy", *words, "--db", str(db)])
    assert done.exit_code == status, done.output
    return json.loads(done.stdout) if "--json" in words else done.output


def base(path: Path) -> None:
    """m-old bought long ago, m-new lately, m-seen was asked for lately, m-came was imported lately, m-held pays now."""
    with chain(path, wall=Wall(OLD_MS)) as made:
        till = made.till()
        for name in ("m-old", "m-new", "m-seen", "m-held"):
            made.member(name, points=500, tags=(f"card:{name[2:].encode().hex():0<32}",))
        till.sale("s-1", "m-old", 10_000)
        till.push()
        made.wall.ms = NOW_MS - 10 * DAY_MS
        made.member("m-came")
        till.sale("s-2", "m-new", 10_000)
        till.push()
        seen(made, "m-seen")
        made.wall.ms = NOW_MS
        made.hold(till, "h-1", "m-held", 100)


def seen(made: Chain, member_id: str) -> None:
    made.centre.write(lambda c: rows.put(c, "s1", member_id, made.wall(), 0)).result()


def test_who_was_not_there_for_long_is_listed_and_then_erased(tmp_path: Path) -> None:
    """The dry run changes nothing; points held for a receipt keep their member; a second run finds nobody."""
    db = tmp_path / "cloud.db"
    base(db)
    listed = command(db, "retention", "--months", "24", "--json")
    assert (listed["members"], listed["erased"], listed["before"]) == (["m-old"], 0, "2028-03-17")
    assert "--erase" in command(db, "retention", "--months", "24")
    assert command(db, "retention", "--months", "24", "--erase", "--yes", "--json")["erased"] == 1
    with chain(db, wall=Wall(NOW_MS), rules=programme(2)) as made:
        assert made.rows("SELECT member_id FROM members WHERE status = 'removed'") == [("m-old",)]
        assert made.rows("SELECT member_id, at_ms FROM erasures") == [("m-old", NOW_MS)]
        assert made.rows("SELECT why FROM erasures") == [("no activity in 24 months, since 2028-03-17",)]
        assert made.rows("SELECT count(*) FROM identifiers WHERE member_id = 'm-old' AND tag NOT LIKE 'erased:%'") == [
            (0,)
        ]
        assert b"m-old" in made.rows("SELECT body FROM ops WHERE uid = 's-1'")[0][0]
    assert command(db, "retention", "--months", "24", "--json")["members"] == []
    assert CliRunner().invoke(cloud, ["verify", "--db", str(db)]).exit_code == 0


def test_the_months_are_remembered_and_have_a_range(tmp_path: Path) -> None:
    db = tmp_path / "cloud.db"
    base(db)
    assert "--months" in command(db, "retention", status=1)
    assert "6 to 240" in command(db, "retention", "--months", "5", status=1)
    assert "1 members" in command(db, "retention", "--months", "24", "--set")
    assert command(db, "retention", "--json")["months"] == 24
    command(db, "retention", "--months", "0", "--set")
    command(db, "retention", status=1)


def test_one_who_comes_back_meanwhile_is_left_alone(tmp_path: Path) -> None:
    """And a run that was stopped half-way leaves the rest for the next."""
    db = tmp_path / "cloud.db"
    base(db)
    with chain(db, wall=Wall(NOW_MS), rules=programme(2)) as made:
        day = retention.day_before(NOW_MS, 24)
        ops = made.centre.read(lambda c: retention.operations_of(c, ["m-old"]))
        seen(made, "m-old")

        def erase(connection: Any) -> bool:
            return retention.erase_idle(
                connection, member_id="m-old", ops=ops["m-old"], day=day, months=24, now_ms=NOW_MS
            )

        assert made.centre.write(erase).result() is False
        assert made.rows("SELECT status FROM members WHERE member_id = 'm-old'") == [("active",)]


def test_operations_of_many_are_those_of_each(tmp_path: Path) -> None:
    """One reading of all operations gives what `member erase` finds for one: by id, by tag, and in a refused body."""
    from till_cloud import erasing

    db = tmp_path / "cloud.db"
    base(db)
    with chain(db, wall=Wall(NOW_MS), rules=programme(2)) as made:
        names = ["m-old", "m-new", "m-held"]
        many = made.centre.read(lambda c: retention.operations_of(c, names))
        for name in names:
            one = made.centre.read(lambda c, name=name: erasing.operations_of(c, name))
            assert sorted(one) == many[name]
        assert many["m-old"]


def test_a_refused_operation_that_names_a_phone_by_its_former_tag_is_found_too(tmp_path: Path) -> None:
    """It came before the chain had slow tags, or from a till of a former release, and says whose it is in its body."""
    from till_cloud import erasing
    from till_cloud.store import slow_tags

    fast, slow = f"phone:{1:032x}", f"phone2:{1:032x}"
    with chain(tmp_path / "cloud.db", wall=Wall(OLD_MS)) as made:
        till = made.till()
        made.member("m-old", tags=(slow,))
        till.sale("s-1", fast, 10_000)
        till.push()

        def refused(connection: Any) -> None:
            connection.execute("UPDATE ops SET status = 'rejected', member_id = '', tag = ''")
            slow_tags.note(connection, fast, slow)

        made.centre.write(refused).result()
        (one,) = made.centre.read(lambda c: erasing.operations_of(c, "m-old"))
        assert made.centre.read(lambda c: retention.operations_of(c, ["m-old"])) == {"m-old": [one]}


def test_a_refused_operation_counts_for_each_whom_it_names_however_a_till_wrote_it(tmp_path: Path) -> None:
    """Two people in one body, and a name that is no tag of ours; others' bodies are read and left alone."""
    from till_cloud import erasing

    ours, odd = f"card:{7:032x}", "CARD/ 7"
    with chain(tmp_path / "cloud.db", wall=Wall(OLD_MS)) as made:
        till = made.till()
        for name, tag in (("m-old", ours), ("m-odd", odd), ("m-no", f"card:{8:032x}")):
            made.member(name, tags=(tag,))
        till.sale("s-1", "m-no", 10_000)
        till.push()

        def refused(connection: Any) -> None:
            # Megabytes of one letter, and what the letters before a tag could be taken for.
            body = f'{{"subject": {{"tag": "x{ours}"}}, "card": "{"a" * 500_000}", "note": "{odd}"}}'.encode()
            connection.execute("UPDATE ops SET status = 'rejected', member_id = '', tag = '', body = ?", (body,))

        made.centre.write(refused).result()
        names = ["m-old", "m-odd", "m-no"]
        many = made.centre.read(lambda c: retention.operations_of(c, names))
        assert [len(many[name]) for name in names] == [1, 1, 0]
        for name in names:
            assert made.centre.read(lambda c, name=name: erasing.operations_of(c, name)) == many[name]


@pytest.mark.parametrize(
    ("date", "months", "day"), [(1_900_000_000_000, 1, "2030-02-17"), (1_743_379_200_000, 1, "2025-02-28")]
)
def test_months_are_those_of_the_calendar(date: int, months: int, day: str) -> None:
    assert retention.day_before(date, months).isoformat() == day


def test_whom_tills_hold_is_chosen_by_chain_and_store(tmp_path: Path) -> None:
    db = tmp_path / "cloud.db"
    base(db)
    assert command(db, "window", "--json")["chain_days"] == rows.DEFAULT_DAYS
    assert "3650" in command(db, "window", "--days", "3", status=1)
    assert "store list" in command(db, "window", "--days", "30", "--store", "s9", status=1)
    command(db, "window", "--days", "30", "--whole-base", status=2)
    assert command(db, "window", "--days", "30", "--json")["stores"][0]["days"] == 30
    assert command(db, "window", "--whole-base", "--store", "s1", "--json")["stores"][0]["days"] == 0
    shown = command(db, "window", "--default", "--store", "s1", "--json")
    assert (shown["stores"][0]["days"], shown["chain_days"], shown["in_force"]) == (30, 30, False)
    assert "whole base for now" in command(db, "window")
    with chain(db, wall=Wall(NOW_MS), rules=programme(2)) as made:
        assert made.centre.read(lambda c: windows.scope_of(c, "s1", asked=True)) == windows.WHOLE


def test_whether_tills_of_former_releases_get_the_whole_base_is_chosen(tmp_path: Path) -> None:
    """It is told which tills still ask for it."""
    db = tmp_path / "cloud.db"
    base(db)
    shown = command(db, "window", "--json")
    assert (shown["former"], shown["whole_base_tills"]) == ("auto", ["k1"])
    for mode, told in (("closed", "each is refused"), ("open", "none is refused"), ("auto", "for 14 days is refused")):
        assert f"1 tills ask for the whole base: k1; {told}" in command(db, "window", "--former", mode).replace(
            "one that has not ", ""
        )
        assert command(db, "window", "--json")["former"] == mode
    command(db, "window", "--former", "never", status=2)

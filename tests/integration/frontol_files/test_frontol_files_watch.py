"""Reports as they lie on a till: growing, half written, replaced, of several tills, unreadable, shared."""

import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from fakes.frontol_report import FrontolTill
from integration.bridge.agent_kit import ANNA_CARD, enrol_by_hand, fill_cache, live_agent, settings_for
from integration.frontol_files.reports_kit import SINCE, watched
from till_agent.cli.frontol_report import report as report_commands
from till_agent.frontol_files import report as report_module
from till_agent.frontol_files.store import Store
from till_agent.frontol_files.watching import paths_of
from till_config.settings_frontol import FrontolSettings, ReportSettings


def _till(**fields: object) -> FrontolTill:
    day = (datetime.now().astimezone() - timedelta(days=1)).strftime("%d.%m.%Y")
    return FrontolTill(day=day, **fields)  # type: ignore[arg-type]  # its own fields


def test_a_report_that_grows_is_read_on(tmp_path: Path) -> None:
    """Cut at any place, a document may be half there: it is judged once its close is."""
    till = _till()
    till.sale(ANNA_CARD)
    till.sale(ANNA_CARD)
    raw = till.text().encode("cp1251")
    with watched(tmp_path) as shop:
        for cut in (0, 3, 10, 200, len(raw) // 2, len(raw) - 40, len(raw) - 1, len(raw)):
            shop.path.write_bytes(raw[:cut])
            shop.look(1)
            assert cut == len(raw) or shop.path.read_bytes() == raw[:cut], "a report that is being written was marked"
        shop.look(2)
        assert shop.states() == [("accrued", "unseen_sale")] * 2
        (file,) = shop.store.files()
        assert (file.state, file.mark, file.rows, file.known, file.refused) == ("read", "@", len(till.rows), 0, 0)


def test_a_report_replaced_while_it_was_read_is_read_from_its_beginning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the same name and another content: every document of both is known once."""
    monkeypatch.setattr(report_module, "SLICE_BYTES", 600)
    first, second = _till(), _till(report="467", number=5000, document=200)
    for _ in range(4):
        first.sale(ANNA_CARD)
        second.sale(ANNA_CARD)
    with watched(tmp_path) as shop:
        raw = first.text().encode("cp1251")
        shop.path.write_bytes(raw[: len(raw) * 2 // 3])
        shop.look(1)
        second.write(shop.path)
        shop.look(3)
        assert {each.number for each in shop.documents()} >= {"201", "202", "203", "204"}
        first.write(shop.path)
        shop.look(3)
        assert sorted(each.number for each in shop.documents()) == [
            str(n) for n in (*range(101, 105), *range(201, 205))
        ]
        assert len(shop.ops()) == 8


def test_a_document_may_begin_in_one_report_and_end_in_the_next(tmp_path: Path) -> None:
    """What is open is kept, without its card's number."""
    till = _till()
    till.sale(ANNA_CARD)
    rows = list(till.rows)
    with watched(tmp_path) as shop:
        till.rows = rows[:3]
        till.write(shop.path)
        shop.look(2)
        assert shop.documents() == []
        assert ANNA_CARD.encode() not in b"".join(
            each.read_bytes() for each in (tmp_path / "state").glob("frontol.db*")
        )
        till.rows, till.report = rows[3:], "467"
        till.write(shop.path)
        shop.look(2)
        assert shop.states() == [("accrued", "unseen_sale")]


def test_documents_of_another_till_are_not_ours(tmp_path: Path) -> None:
    """Their sales are in that till's journal: the first till of a database is ours, the other is told of."""
    till = _till()
    till.sale(ANNA_CARD)
    till.workplace = 2
    till.sale(ANNA_CARD)
    with watched(tmp_path) as shop:
        till.write(shop.path)
        shop.look()
        assert [each.till for each in shop.documents()] == ["1"]
        assert [(each.code, each.detail) for each in shop.watch.troubles] == [
            ("several_tills", "tills 1, 2 in one report")
        ]
    with watched(tmp_path / "b", workplaces=(2,)) as shop:
        till.write(shop.path)
        shop.look()
        assert [each.till for each in shop.documents()] == ["2"]
        assert shop.watch.troubles == ()


def test_a_shared_report_is_left_alone(tmp_path: Path) -> None:
    """With mark_read off nothing is ever written to it, and it is not opened again until it changes."""
    till = _till()
    till.sale(ANNA_CARD)
    with watched(tmp_path, mark_read=False) as shop:
        till.write(shop.path)
        shop.path.chmod(0o444)
        before = shop.path.stat()
        shop.look(3)
        assert shop.states() == [("accrued", "unseen_sale")]
        assert shop.path.read_bytes()[:1] == b"#"
        assert (shop.path.stat().st_mtime_ns, shop.path.stat().st_ino) == (before.st_mtime_ns, before.st_ino)


def test_a_report_that_another_program_has_marked_is_read_too(tmp_path: Path) -> None:
    till = _till()
    till.sale(ANNA_CARD)
    with watched(tmp_path) as shop:
        till.write(shop.path, mark="@")
        shop.look()
        assert shop.states() == [("accrued", "unseen_sale")]


def test_what_is_no_report_is_a_trouble_until_it_is_one(tmp_path: Path) -> None:
    till = _till()
    till.sale(ANNA_CARD)
    with watched(tmp_path) as shop:
        shop.path.write_bytes(b"##@@&&\r\n#\r\n$$$ADDCLIENTDISCS\r\n")
        shop.look()
        assert [each.code for each in shop.watch.troubles] == ["unreadable"]
        till.write(shop.path)
        shop.look()
        assert shop.watch.troubles == ()
        assert len(shop.ops()) == 1


def test_what_is_no_report_is_not_written_down_with_every_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other files lie in the folder, year in, year out; and a trouble is over when its file is gone."""
    written: list[object] = []
    put = Store.put_file
    monkeypatch.setattr(Store, "put_file", lambda store, record: written.append(record) or put(store, record))
    with watched(tmp_path, pattern="*.txt") as shop:
        shop.path.write_bytes(b"a letter\r\n")
        (tmp_path / "begun.txt").write_bytes(b"#")
        shop.look(5)
        assert len(written) == 2
        assert [each.code for each in shop.watch.troubles] == ["unreadable"]
        shop.path.unlink()
        shop.look(1)
        assert shop.watch.troubles == ()


def test_zeros_of_a_power_cut_at_the_end_are_left_out(tmp_path: Path) -> None:
    """As many as make no row: the report is read to its end all the same, and not again with every look."""
    till = _till()
    till.sale(ANNA_CARD)
    with watched(tmp_path) as shop:
        shop.path.write_bytes(till.text().encode("cp1251") + bytes(report_module.ROW_BYTES + 1))
        shop.look(3)
        (file,) = shop.store.files()
        assert (file.state, file.mark, file.offset) == ("read", "@", file.size)
        assert [each.code for each in shop.store.refused(file.path)] == ["row_too_long"]
        assert shop.states() == [("accrued", "unseen_sale")]


def test_reports_by_a_pattern_are_each_read(tmp_path: Path) -> None:
    """A document that is in two of them counts once."""
    till = _till()
    till.sale(ANNA_CARD)
    with watched(tmp_path, pattern="sales-*.txt") as shop:
        till.write(tmp_path / "sales-1.txt")
        till.write(tmp_path / "sales-2.txt", encoding="utf-8-sig")
        (tmp_path / "other.txt").write_bytes(b"x")
        shop.look()
        assert len(shop.store.files()) == 2
        assert len(shop.ops()) == 1
        assert [each.name for each in paths_of(str(tmp_path / "sales-*.txt"))] == ["sales-1.txt", "sales-2.txt"]


def test_sales_before_the_first_day_are_passed_by(tmp_path: Path) -> None:
    """A report of months must not earn points of months."""
    old = FrontolTill(day="31.12.2025")
    old.sale(ANNA_CARD)
    with watched(tmp_path) as shop:
        old.write(shop.path)
        shop.look()
        assert [(each.state, each.detail) for each in shop.documents()] == [("ignored", "before")]
        assert shop.ops() == []


def test_another_document_under_a_known_number_is_told_of(tmp_path: Path) -> None:
    """Frontol's database began anew: nothing of it is lost silently."""
    first, second = _till(), _till(document=900, minute=30)
    first.sale(ANNA_CARD)
    second.sale(ANNA_CARD)
    with watched(tmp_path) as shop:
        first.write(shop.path)
        shop.look()
        second.write(shop.path)
        shop.look(3)
        assert shop.states() == [("accrued", "unseen_sale"), ("found", "numbers_reused")]


def test_a_new_database_of_the_same_id_is_read_on(tmp_path: Path) -> None:
    """Frontol was set up anew, and counts from the beginning: weeks apart, a number is another document's."""
    old = FrontolTill(day=(datetime.now().astimezone() - timedelta(days=9)).strftime("%d.%m.%Y"), shift=9)
    new = _till(shift=1)
    old.sale(ANNA_CARD)
    new.sale(ANNA_CARD)
    with watched(tmp_path) as shop:
        for till in (old, new):
            till.write(shop.path)
            shop.look(3)
        assert shop.states() == [("accrued", "unseen_sale")] * 2


def test_the_agent_watches_what_its_settings_name(tmp_path: Path) -> None:
    """By itself: the report is read and marked, the finding is in the status, and the bridge decides it."""
    till = _till()
    till.sale(ANNA_CARD)
    report = till.write(tmp_path / "report.txt")
    state_dir = tmp_path / "state"
    enrol_by_hand(state_dir)
    fill_cache(state_dir)
    frontol = FrontolSettings(reports=(ReportSettings(path=str(report), since=SINCE),))
    config = tmp_path / "till.toml"
    config.write_text(
        f'[agent]\nstate_dir = "{state_dir}"\n[[frontol.reports]]\npath = "{report}"\nsince = "{SINCE}"\n', "utf-8"
    )

    def command(*words: str) -> str:
        done = CliRunner().invoke(report_commands, [*words, "--config", str(config)])
        assert done.exit_code == 0, done.output
        return done.stdout

    with live_agent(settings_for(state_dir, frontol=frontol)) as agent:
        whole = agent.running.agent
        assert whole.reports is not None
        watch = whole.reports
        agent.on_loop(watch.look)
        agent.on_loop(watch.look)
        # Two minutes of grace are for the bridge's own call.
        assert watch.tally.waiting == 1
        watch._grace_ms = 0
        agent.on_loop(lambda: _ready_now(watch))
        agent.on_loop(watch.look)
        assert report.read_bytes()[:1] == b"@"
        status = agent.call("GET", "/v1/status", client="admin").json
        assert [each["code"] for each in status["problems"]].count("frontol_findings") == 1
        assert "unseen_sale" in command("findings")
        (found,) = json.loads(command("findings", "--json"))["findings"]
        assert (found["document"], found["acceptable"], found["total_minor"]) == ("1/466/101", True, 10_000)
        assert ANNA_CARD not in json.dumps(found)
        assert command("accept", str(found["id"])) == f"{found['id']}: accrued, 5 points\n"
        again = agent.call("POST", f"/v1/frontol/findings/{found['id']}/accept", client="admin")
        assert (again.status, again.code) == (404, "finding_unknown")
        assert agent.call("GET", "/v1/frontol/findings").status == 403
        assert "1 journalled from reports, 0 findings" in command("status")
    assert "1 journalled from reports, 0 findings" in command("status")
    assert "accrued" in command("findings", "--all")


async def _ready_now(watch: object) -> None:
    store = watch.store  # type: ignore[attr-defined]  # a ReportWatch
    with store.writing() as db:
        db.execute("UPDATE documents SET ready_ms = 0")

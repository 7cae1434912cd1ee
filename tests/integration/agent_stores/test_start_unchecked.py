"""A start has no time to check all rows of a long queue. What is bad among the others is met when it is read what own
ops did: the till sells all the same."""

import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from integration.agent_stores.test_registrations_anew import CARD, core_of
from integration.bridge.agent_kit import body_of, enrol_by_hand, fill_cache, live_agent, receipt, settings_for
from till_agent import root
from till_agent.exceptions import JournalUnavailable
from till_agent.journal import carry, verify
from till_agent.journal.rebuilding import Rebuilding

SALES = 20
PAGE_BYTES = 4096


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of a till that sold with no line, and gave a card; of its rows a start checks the first and the last one."""
    enrol_by_hand(tmp_path)
    fill_cache(tmp_path)
    with live_agent(settings_for(tmp_path)) as agent:
        for number in range(2 * SALES):
            body_of(agent.call("PUT", f"/v1/sales/s-{number}", receipt(10_000)))
            if number == SALES:
                body_of(agent.call("POST", "/v1/members/m-anna/cards", {"uid": "c-1", "card": CARD}))
    monkeypatch.setattr(verify, "TAIL_ROWS", 1)
    monkeypatch.setattr(verify, "HEAD_ROWS", 1)
    monkeypatch.setattr(verify, "START_BUDGET_MS", -1)
    monkeypatch.setattr(root, "TRY_AGAIN_S", 0.05)
    return tmp_path


def change_a_row(path: Path) -> None:
    """The card is somebody else's."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("DROP TRIGGER entries_never_change")
        connection.execute("UPDATE entries SET body = CAST(replace(body, 'anna', 'anne') AS BLOB) WHERE uid = 'c-1'")


def spoil_a_page(path: Path) -> None:
    """With some sales on it."""
    content = bytearray(path.read_bytes())
    first = content.index(b'"s-10"') // PAGE_BYTES * PAGE_BYTES
    content[first : first + PAGE_BYTES] = b"\xa5" * PAGE_BYTES
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [change_a_row, spoil_a_page])
def test_a_till_starts_with_bad_rows_that_nobody_looked_at(folder: Path, damage: Callable[[Path], None]) -> None:
    """The file is put aside as if the opening had found it, and what the chain proves goes on."""
    damage(folder / "journal.db")
    with live_agent(settings_for(folder)) as agent:
        assert body_of(agent.call("PUT", "/v1/sales/after", receipt(10_000)))["kept"] is True
        assert body_of(agent.call("PUT", "/v1/sales/s-0", receipt(10_000)))["op"] == "t1:1:1"
        report = core_of(agent).journal.report
        assert report.reason == "chain"
        assert report.damage is not None
        assert report.damage.salvage is not None
        assert report.damage.salvage.lost < SALES
        agent.on_loop(core_of(agent).journal.verify)


@pytest.mark.parametrize("damage", [change_a_row, spoil_a_page])
def test_an_agent_that_may_put_no_more_files_aside_today_is_up(
    folder: Path, monkeypatch: pytest.MonkeyPatch, damage: Callable[[Path], None]
) -> None:
    """It says what is wrong, and leaves the file to a person; the next day it begins anew by itself."""
    damage(folder / "journal.db")
    monkeypatch.setattr(carry, "REPLACED_A_DAY_LIMIT", 0)
    with live_agent(settings_for(folder)) as agent:
        assert body_of(agent.call("PUT", "/v1/sales/plain", receipt(10_000)))["kept"] is False
        assert list(folder.glob("journal.db.damaged-*")) == []
        monkeypatch.setattr(carry, "REPLACED_A_DAY_LIMIT", 3)
        agent.wait_for(lambda: agent.running.agent.open_core is not None)
        assert body_of(agent.call("PUT", "/v1/sales/after", receipt(10_000)))["kept"] is True


def test_a_disk_that_fails_after_the_opening_does_not_lock_the_till_out(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file was open by then, and the next try must not find it so."""
    load = Rebuilding.load
    tries: list[object] = []

    async def fails_once(self: Rebuilding, floor: tuple[int, int] | None) -> None:
        tries.append(floor)
        if len(tries) == 1:
            raise JournalUnavailable("the disk fails")
        await load(self, floor)

    monkeypatch.setattr(Rebuilding, "load", fails_once)
    with live_agent(settings_for(folder)) as agent:
        agent.wait_for(lambda: agent.running.agent.open_core is not None)
        assert body_of(agent.call("PUT", "/v1/sales/after", receipt(10_000)))["kept"] is True

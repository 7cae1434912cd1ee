"""Thirty days and a hundred thousand ops: warned of from 80 % on, an error past it, and never an op dropped."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from kit.loops import run
from till_agent import metrics
from till_agent.journal import DiskJournal, schema
from till_agent.journal.aside import DamageReport, write_report
from till_agent.journal.figures import DAY_MS, Figures, LimitWatch
from till_agent.journal.session import Session
from till_agent.status import Facts, problems
from till_config.main import main
from till_sync.exceptions import HistoryConflict
from till_sync.wire import OpResult
from unit.agent_stores.stores_kit import StepClock, draft, journal_in, once

LIMIT = 50


@pytest.fixture
def limit(monkeypatch: pytest.MonkeyPatch) -> int:
    """A till that may have fifty ops waiting."""
    monkeypatch.setattr(schema, "WAITING_OPS_LIMIT", LIMIT)
    monkeypatch.setattr(metrics, "WAITING_OPS_LIMIT", LIMIT)
    return LIMIT


async def sell(journal: DiskJournal, first: int, last: int) -> None:
    for number in range(first, last + 1):
        await journal.commit(once(draft(f"s-{number}")))


def facts_of(journal: DiskJournal, clock: StepClock) -> Facts:
    """Of a till that is well but for its queue."""
    return Facts(
        not_ready="",
        detail="",
        now_wall_ms=clock.wall,
        has_cloud_url=True,
        figures=journal.figures,
        report=None,
        worker=None,
        has_programme=True,
        devices=(),
    )


def told(journal: DiskJournal, clock: StepClock) -> list[tuple[str, str]]:
    """What status says of the queue: code and level."""
    return [(each.code, each.level) for each in problems(facts_of(journal, clock)) if each.code.startswith("queue")]


def test_it_warns_from_80_percent_on_and_goes_on_selling_past_the_limit(
    tmp_path: Path, limit: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Each level is said once in the log; all ops are there, in order, and go out when the line is back."""
    clock = StepClock()
    caplog.set_level(logging.INFO, logger="till_agent.journal.figures")

    async def work() -> None:
        async with journal_in(tmp_path, clock=clock) as journal:
            await sell(journal, 1, 39)
            assert told(journal, clock) == []
            await sell(journal, 40, 40)
            assert told(journal, clock) == [("queue_near_limit", "warning")]
            await sell(journal, 41, 49)
            assert told(journal, clock) == [("queue_near_limit", "warning")]
            await sell(journal, 50, 2 * limit)
            assert told(journal, clock) == [("queue_over_limit", "error")]
            assert journal.figures.waiting == 2 * limit
            batch = await journal.next_batch(max_ops=1000, max_bytes=10**7, incarnation="i")
            assert batch is not None
            assert [op.seq for op in batch.ops] == list(range(1, 2 * limit + 1))
            uids = [f'"uid":"s-{number}"'.encode() for number in range(1, 2 * limit + 1)]
            assert all(uid in bytes(op.body) for uid, op in zip(uids, batch.ops, strict=True))
            results = tuple(OpResult(seq=op.seq, status="applied") for op in batch.ops)
            await journal.record(1, 2 * limit, results)
            assert told(journal, clock) == []

    run(work())
    said = [(record.levelname, record.getMessage()) for record in caplog.records]
    assert [level for level, _ in said] == ["WARNING", "ERROR", "INFO"]
    assert "40 operations wait for the cloud (limit 50)" in said[0][1]
    assert "none is dropped" in said[1][1]


def test_age_is_a_limit_too(tmp_path: Path) -> None:
    """24 of 30 days warn, 30 are an error; one op is enough."""
    clock = StepClock()

    async def work() -> None:
        async with journal_in(tmp_path, clock=clock) as journal:
            await sell(journal, 1, 1)
            made = clock.wall
            for days, expected in ((23, []), (24, ["queue_near_limit"]), (30, ["queue_over_limit"])):
                clock.wall = made + days * DAY_MS
                assert [code for code, _ in told(journal, clock)] == expected
            await sell(journal, 2, 2)
            assert journal.figures.waiting == 2

    run(work())


def test_status_says_how_much_for_how_long_and_one_thing_to_do(tmp_path: Path, limit: int) -> None:
    """A number without its limit says nothing to whoever reads it at night."""
    clock = StepClock()

    async def work() -> str:
        async with journal_in(tmp_path, clock=clock) as journal:
            await sell(journal, 1, 45)
            clock.wall += 3 * DAY_MS
            return next(each.text for each in problems(facts_of(journal, clock)) if each.code == "queue_near_limit")

    assert asyncio.run(work()) == (
        "45 operations wait for the cloud (limit 50), the oldest for 3 days (limit 30): mend the line, "
        "`tillside sync status` says what is wrong with it"
    )


def test_the_command_says_it_too(tmp_path: Path, limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """`tillside queue list` of a till whose agent is down: how much, the limit, the fix; and what was refused."""
    from till_agent.cli import asking

    found = {"waiting": 60, "ops": [{"at_wall_ms": 1}]}
    rejected = {
        "waiting": 0,
        "ops": [
            {
                "op": "t-7:1:7",
                "kind": "sale",
                "uid": "s-7",
                "at_wall_ms": 1_700_000_000_000,
                "status": "rejected",
                "code": "parked",
                "bytes": 900,
            }
        ],
    }
    found["ops"] = [rejected["ops"][0] | {"status": "waiting", "code": ""}]
    asked: list[str] = []

    def answer(_state_dir: Path, path: str, _read: object) -> object:
        asked.append(path)
        return rejected if "rejected" in path else found

    monkeypatch.setattr(asking, "ask_or_read", answer)
    config = tmp_path / "till.toml"
    config.write_text(f'[agent]\nstate_dir = "{tmp_path.as_posix()}"\n', encoding="utf-8")
    told = CliRunner().invoke(main, ["queue", "list", "--config", str(config)])
    assert told.exit_code == 0, told.output
    assert "past the limit: 60 operations wait for the cloud (limit 50)" in told.output
    assert "tillside sync status" in told.output
    told = CliRunner().invoke(main, ["queue", "list", "--rejected", "--config", str(config)])
    assert "rejected (parked)" in told.output
    assert "parked: the cloud could not take it" in told.output
    assert "limit" not in told.output
    assert asked[-1].startswith("/v1/queue?which=rejected")
    rejected["ops"] = []
    told = CliRunner().invoke(main, ["queue", "list", "--rejected", "--config", str(config)])
    assert told.output.splitlines()[1:] == ["None was rejected or parked."]
    left = DamageReport(
        found_wall_ms=1, code="foreign", detail="", moved_to="journal.db.damaged-x", till="t-8", waiting=1
    )
    write_report(tmp_path, left)
    for words in (["queue", "list"], ["queue", "list", "--rejected"]):
        told = CliRunner().invoke(main, [*words, "--config", str(config)])
        assert "journal.db.damaged-x: 1 operations of till t-8 are left there" in told.output


def _drops_past_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest op is given up for each one that comes past the limit."""
    known = Session.commit

    def commit(self: Session, decide: object) -> object:
        done = known(self, decide)  # type: ignore[arg-type]  # as it came
        state = self.epochs[-1]
        if state.waiting > schema.WAITING_OPS_LIMIT:
            self.move_acked(state.epoch, state.acked_seq + 1)
        return done

    monkeypatch.setattr(Session, "commit", commit)


def _says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Figures, "level", lambda *_: "ok")


def _warns_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "WARN_AT_PERCENT", 95)


def _says_it_with_each_sale(monkeypatch: pytest.MonkeyPatch) -> None:
    known = LimitWatch.note

    def note(self: LimitWatch, *args: object) -> None:
        self._level = "ok"
        known(self, *args)  # type: ignore[arg-type]  # as they came

    monkeypatch.setattr(LimitWatch, "note", note)


@pytest.mark.parametrize(
    "mutant",
    [_drops_past_the_limit, _says_nothing, _warns_late, _says_it_with_each_sale],
    ids=lambda each: each.__name__,
)
def test_a_till_that_breaks_a_limit_s_rule_is_found_out(
    tmp_path: Path,
    limit: int,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    mutant: Callable[[pytest.MonkeyPatch], None],
) -> None:
    """Each of these builds fails the test above."""
    mutant(monkeypatch)
    with pytest.raises((AssertionError, HistoryConflict)):
        test_it_warns_from_80_percent_on_and_goes_on_selling_past_the_limit(tmp_path, limit, caplog)

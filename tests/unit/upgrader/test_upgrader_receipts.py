"""A till is switched when nobody is at a receipt, and in the hours that were named."""

from pathlib import Path

import pytest

from till_agent.desk.open_receipts import KEPT_LIMIT, PROBE_UID, OpenReceipts
from till_installer.update.running import is_wanted
from till_installer.upgrade import receipts
from till_installer.upgrade.exceptions import RefusedError, UpgradeError
from till_installer.upgrade.receipts import Waiting, is_within, parse_window, wait_for_quiet
from till_sync.heartbeat import Wanted


class Now:
    """Milliseconds that a test moves on."""

    def __init__(self) -> None:
        self.ms = 1_000

    def __call__(self) -> int:
        return self.ms


def test_a_receipt_is_open_from_its_quote_to_its_sale() -> None:
    """And says how long nothing was asked about it."""
    now = Now()
    open_receipts = OpenReceipts(now)
    assert open_receipts.silent_ms == 0
    open_receipts.touched("a")
    now.ms += 500
    assert open_receipts.silent_ms == 500
    open_receipts.touched("a")
    assert open_receipts.silent_ms == 1
    open_receipts.finished("a")
    assert open_receipts.silent_ms == 0


def test_a_quote_without_a_uid_is_over_with_any_sale_and_another_registers_receipt_is_not() -> None:
    """Cash software that names its receipts is told apart."""
    open_receipts = OpenReceipts(Now())
    open_receipts.touched(None)
    open_receipts.touched("b")
    open_receipts.finished("a")
    assert open_receipts.silent_ms == 1
    open_receipts.finished("b")
    assert open_receipts.silent_ms == 0


def test_the_upgraders_own_probe_is_nobody_at_the_till() -> None:
    """Else each look would keep the next change waiting."""
    open_receipts = OpenReceipts(Now())
    open_receipts.touched(PROBE_UID)
    assert open_receipts.silent_ms == 0


def test_receipts_that_are_never_finished_take_no_room() -> None:
    """The oldest is forgotten."""
    open_receipts = OpenReceipts(Now())
    for number in range(1000):
        open_receipts.touched(str(number))
    assert len(open_receipts._touched) == KEPT_LIMIT


@pytest.mark.parametrize(
    ("text", "minute", "is_in"),
    [
        ("02:00-05:00", 119, False),
        ("02:00-05:00", 120, True),
        ("02:00-05:00", 299, True),
        ("02:00-05:00", 300, False),
        ("23:00-04:30", 1400, True),
        ("23:00-04:30", 0, True),
        ("23:00-04:30", 270, False),
        ("00:00-00:00", 700, True),
    ],
)
def test_hours_may_go_over_midnight(text: str, minute: int, is_in: bool) -> None:
    """From the first minute to before the last."""
    assert is_within(parse_window(text), minute) == is_in


@pytest.mark.parametrize("text", ["", "2-5", "02:00", "02:00-25:00", "02:00-05:00-06:00"])
def test_hours_that_are_none_are_refused(text: str) -> None:
    """With an example."""
    with pytest.raises(UpgradeError, match="02:00-05:00"):
        parse_window(text)


def test_an_open_receipt_is_waited_for_and_an_abandoned_one_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten minutes without a question: the customer has gone."""
    answers = iter([{"receipt_open_ms": 1}, {"receipt_open_ms": 20}, {"receipt_open_ms": 0}])
    monkeypatch.setattr(receipts, "status_of", lambda _: next(answers))
    said: list[str] = []
    wait_for_quiet(tmp_path, Waiting(poll_s=0), said.append)
    assert said == ["waiting for an open receipt"]
    monkeypatch.setattr(receipts, "status_of", lambda _: {"receipt_open_ms": 600_000})
    wait_for_quiet(tmp_path, Waiting(poll_s=0), said.append)
    assert len(said) == 1


def test_a_till_whose_receipts_never_end_is_told_to_the_operator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And is not switched."""
    monkeypatch.setattr(receipts, "status_of", lambda _: {"receipt_open_ms": 5})
    with pytest.raises(RefusedError) as caught:
        wait_for_quiet(tmp_path, Waiting(poll_s=0, patience_s=0), lambda _: None)
    assert caught.value.code == "receipt_open"


@pytest.mark.parametrize("status", [{}, {"receipt_open_ms": "x"}, {"version": "0.1.0"}])
def test_an_agent_that_says_nothing_of_receipts_keeps_nobody_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: dict[str, object]
) -> None:
    """One that is down, and one of before: asked once, nobody is told to wait, and nothing is refused."""
    asked: list[Path] = []
    said: list[str] = []

    def status_of(state_dir: Path) -> dict[str, object]:
        asked.append(state_dir)
        return status

    monkeypatch.setattr(receipts, "status_of", status_of)
    wait_for_quiet(tmp_path, Waiting(poll_s=0, patience_s=0), said.append)
    assert (asked, said) == ([tmp_path], [])


def test_a_change_that_is_wanted_no_more_waits_no_longer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wave that is halted while a till waits for its receipt reaches it no more, also in the moment of quiet."""
    answers = iter([{"receipt_open_ms": 1}, {"receipt_open_ms": 0}])
    wanted = iter([True, False])
    monkeypatch.setattr(receipts, "status_of", lambda _: next(answers))
    with pytest.raises(RefusedError) as caught:
        wait_for_quiet(tmp_path, Waiting(poll_s=0, wanted=lambda: next(wanted)), lambda _: None)
    assert caught.value.code == "halted"


@pytest.mark.parametrize(
    ("wanted", "version", "stands"),
    [
        (Wanted(release="1.1.0"), "1.1.0", True),
        (Wanted(release="1.1.0"), "1.1.0+camera", True),
        (Wanted(release="1.1.0", paused=True), "1.1.0", False),
        (Wanted(release="1.2.0"), "1.1.0", False),
        (Wanted(), "1.1.0", False),
    ],
)
def test_a_wish_stands_for_its_version_in_every_variant(wanted: Wanted, version: str, stands: bool) -> None:
    """Until it is halted, taken away, or another one."""
    assert is_wanted(wanted, version) == stands

"""A bank card under any scanner leaves no trace: not in the events, the log, the metrics, the status or a file."""

import logging
import os
import queue
import re
import sys
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

import pytest

from fakes.till import ANNA_CARD
from integration.bridge.agent_kit import body_of, enrol_by_hand, fill_cache, live_agent, settings_for
from integration.bridge.test_bridge_agent import _listen
from till_agent.devices import Resolved
from till_config.settings import ScannerSettings
from till_drivers.scanners import keyboard
from till_drivers.scanners.dedupe import Deduper
from till_drivers.simulators.scanner import ScannerSimulator
from unit.drivers_scanners.hid_kit import Bus, entry, reports
from unit.drivers_scanners.keys_kit import typed

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals and FIFOs are POSIX")

CARD = "4111111111111111"
FORMS = (
    CARD,
    f"]C0{CARD}",
    f"]C199{CARD}",
    f"]Z0{CARD}",
    f"(99){CARD}",
    f"%B{CARD}^IVANOV/IVAN^2912101?",
    f";{CARD}=29121010000000000?",
    f"B{CARD}^IVANOV/IVAN^2912101?",
    f"%B{CARD}^" + "IVANOV/IVAN" * 5 + f"^2912101?;{CARD}=29121010000000000?",
)


class Counter:
    """A till with a scanner of each kind, and a way to scan with each."""

    def __init__(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.serial = ScannerSimulator(tmp_path / "serial")
        self.serial.plug()
        self.node = tmp_path / "node"
        os.mkfifo(self.node)
        self._keys = os.open(self.node, os.O_RDWR)
        self._reports: queue.Queue[bytes] = queue.Queue()
        bus = Bus(self._wait)
        bus.plugged.append(entry("0c2e:0b61"))
        bus.__spec__ = ModuleSpec("hid", None)  # type: ignore[attr-defined]  # by which an import tells that it is there
        for name in ("hid", "hidraw"):
            monkeypatch.setitem(sys.modules, name, bus)
        # Seven cards within a second and a half would be one that is held still.
        monkeypatch.setattr(Deduper, "is_repeat", lambda *_args, **_options: False)
        monkeypatch.setattr("fcntl.ioctl", _taking_keyboards(keyboard.GRAB))
        self.scanners = (
            ScannerSettings(name="serial", port=str(tmp_path / "serial")),
            ScannerSettings(name="typing", driver="keyboard", port=str(self.node)),
            ScannerSettings(name="hid", driver="hidpos", match="0c2e:0b61"),
        )

    def _wait(self, timeout_ms: float) -> bytes:
        try:
            return self._reports.get(timeout=timeout_ms / 1000)
        except queue.Empty:
            return b""

    def scan(self, device: str, code: str) -> None:
        if device == "serial":
            self.serial.scan(code)
        elif device == "typing":
            os.write(self._keys, typed(f"{code}\r"))
        else:
            for piece in reports(code.encode()):
                self._reports.put(piece)

    def close(self) -> None:
        self.serial.unplug()
        os.close(self._keys)


def _taking_keyboards(grab: int) -> Any:
    """The kernel's answers, but for the grab: a FIFO stands in for the keyboard."""
    import fcntl

    real = fcntl.ioctl

    def ioctl(descriptor: int, request: int, *values: Any) -> Any:
        return 0 if request == grab else real(descriptor, request, *values)

    return ioctl


@pytest.fixture
def counter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter]:
    made = Counter(tmp_path, monkeypatch)
    yield made
    made.close()


def leave_no_trace(counter: Counter, state_dir: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Every form through every scanner; then everything that the agent told or kept is looked through."""
    caplog.set_level(logging.DEBUG)
    told: list[str] = []
    with live_agent(settings_for(state_dir, scanners=counter.scanners)) as agent, _listen(agent) as stream:
        board = agent.running.agent.board
        agent.wait_for(lambda: {health.state for health in board.health()} == {"ready"})
        for device in ("serial", "typing", "hid"):
            refused = 0
            for form in FORMS:
                counter.scan(device, form)
            # A card in hand behind them ends the round: what comes before it in the stream is theirs.
            counter.scan(device, ANNA_CARD)
            while True:
                _, name, data = stream.event()
                told.append(f"{name} {data}")
                if name == "alert" and data["code"] == "bank_card":
                    refused += 1
                if name == "scan" and data["device"] == device and data["kind"] == "card":
                    break
                assert name != "scan" or data["text"] == ""
            assert refused == len(FORMS)
        told += [
            str(body_of(agent.call("GET", "/v1/status"))),
            agent.call("GET", "/metrics", client="admin").body.decode(),
        ]
    written = [record.getMessage() + str(vars(record)) for record in caplog.records]
    kept = [path.read_bytes().decode("latin-1") for path in state_dir.rglob("*") if path.is_file()]
    for text in [*told, *written, *kept]:
        assert CARD[:8] not in text.replace(" ", "")


def test_no_trace_of_a_bank_card(counter: Counter, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Serial, typing and HID-POS alike."""
    state_dir = tmp_path / "state"
    enrol_by_hand(state_dir)
    fill_cache(state_dir)
    leave_no_trace(counter, state_dir, caplog)


@pytest.mark.parametrize(
    ("place", "mutant"),
    [
        ("till_agent.bank_cards._forms", lambda scan: iter((scan.text,))),
        ("till_agent.bank_cards._TRACK", re.compile("never")),
        ("till_agent.scanned.Scanned._refused", lambda _self: Resolved(kind="unknown", text=CARD)),
    ],
)
def test_an_agent_that_leaves_a_trace_is_found_out(
    counter: Counter,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    place: str,
    mutant: Any,
) -> None:
    """Mutants: the text alone is looked at, no tracks, and what is refused is told all the same."""
    monkeypatch.setattr(place, mutant)
    state_dir = tmp_path / "state"
    enrol_by_hand(state_dir)
    fill_cache(state_dir)
    with pytest.raises(AssertionError):
        leave_no_trace(counter, state_dir, caplog)

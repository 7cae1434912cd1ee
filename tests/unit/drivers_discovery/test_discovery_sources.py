"""Sources that fail or hang, print queues, and printers that are asked over the network."""

import asyncio
import threading
from pathlib import Path

import pytest

from kit.loops import run
from till_drivers.discovery import DEADLINE_S, Found, System, discover
from till_drivers.discovery.network import ask_address
from till_drivers.discovery.queues import print_queues
from till_drivers.discovery.sources import read_all
from till_drivers.simulators.printer import PrinterSimulator
from unit.drivers_discovery.discovery_kit import Tree

PORT = Found(kind="serial", place="/dev/ttyACM0")


def test_a_source_that_fails_or_hangs_keeps_no_other_from_being_read() -> None:
    """It says so in its own name; nobody waits past the deadline."""
    held = threading.Event()

    def hangs() -> list[Found]:
        held.wait(30)
        return [PORT]

    def fails() -> list[Found]:
        raise OSError(5, "Input/output error")

    done = read_all({"slow": hangs, "broken": fails, "good": lambda: [PORT], "none": list}, deadline_s=0.2)
    held.set()
    assert done.found == (PORT,)
    assert [(fault.source, fault.message) for fault in done.faults] == [
        ("slow", "no answer within 0.2 s"),
        ("broken", "[Errno 5] Input/output error"),
    ]


def test_everything_is_read_from_one_root(tmp_path: Path) -> None:
    """And the machine's own devices are not among it."""
    tree = Tree(tmp_path)
    tree.tty("ttyS0", uart="4")
    tree.camera(0, "Camera")
    tree.file("dev/usb/lp0")
    done = discover(tree.system)
    assert [found.place for found in done.found if found.kind != "queue"] == [
        "/dev/ttyS0",
        "/dev/video0",
        "/dev/usb/lp0",
    ]


def test_a_folder_that_is_no_folder_is_a_fault_of_its_source_only(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    tree.tty("ttyS0", uart="4")
    (tmp_path / "sys/class/hidraw").symlink_to(tmp_path / "sys/class/hidraw")
    done = discover(tree.system)
    assert [fault.source for fault in done.faults if fault.source != "print queues"] == ["HID scanners"]
    assert done.found[0].place == "/dev/ttyS0"


class Lpstat(System):
    """A system whose `lpstat -v` says what the test has it say."""

    def __init__(self, said: str | OSError | None) -> None:
        super().__init__(platform="linux")
        self._said = said

    def run(self, *command: str) -> str | None:
        assert command == ("lpstat", "-v")
        if isinstance(self._said, OSError):
            raise self._said
        return self._said


def test_queues_of_cups_are_listed_with_where_they_lead() -> None:
    said = "device for POS-80: usb://EPSON/TM-T20?serial=1\ndevice for office: ipp://host/ipp/print\nnoise\n"
    found = [(each.place, each.name, each.fits[0].keys, each.fits[0].sure) for each in print_queues(Lpstat(said))]
    assert found == [
        ("POS-80", "usb://EPSON/TM-T20", {"queue": "POS-80"}, True),
        ("office", "ipp://host/ipp/print", {"queue": "office"}, False),
    ]


@pytest.mark.parametrize("said", [None, "", OSError("lpstat: No destinations added.")])
def test_a_machine_without_queues_has_none(said: str | OSError | None) -> None:
    """Without CUPS, and with a CUPS that has none."""
    assert print_queues(Lpstat(said)) == []


def test_a_cups_that_fails_is_said() -> None:
    with pytest.raises(OSError, match="Scheduler"):
        print_queues(Lpstat(OSError("lpstat: Scheduler is not running.")))


def test_commands_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("till_drivers.discovery.system.COMMAND_TIMEOUT_S", 0.1)
    system = System()
    assert system.run("there-is-no-such-command") is None
    with pytest.raises(TimeoutError, match="sleep 20"):
        system.run("sleep", "20")
    with pytest.raises(OSError, match="ended with 1"):
        system.run("false")


def asked(behaviour: str) -> Found:
    async def ask() -> Found:
        simulator = PrinterSimulator()
        port = await simulator.start_tcp()
        await simulator.behave(behaviour)
        try:
            return await asyncio.to_thread(ask_address, ("127.0.0.1", port))
        finally:
            await simulator.stop()

    return run(ask())


def test_a_printer_on_the_network_says_how_it_is() -> None:
    found = asked("normal")
    assert (found.is_present, found.trouble) == (True, "")
    assert found.fits[0].keys == {"host": "127.0.0.1", "port": int(found.place.rpartition(":")[2])}


def test_its_own_word_for_what_is_wrong_is_passed_on() -> None:
    assert asked("paper-out").trouble == "paper out"


def test_one_that_never_answers_gets_a_section_that_does_not_ask() -> None:
    found = asked("silent")
    assert found.fits[0].keys["status"] is False
    assert "answers no status request" in found.trouble


def test_an_address_where_nothing_is_says_so() -> None:
    found = ask_address(("127.0.0.1", 9))
    assert not found.is_present
    assert found.trouble


def test_the_slowest_answer_fits_into_the_deadline() -> None:
    """Else a slow printer would be called one that gave no answer."""
    from till_drivers.discovery import network, system

    slowest = network.OPEN_TIMEOUT_MS / 1000 + network.ASK_TIMEOUT_S + network.CLOSE_TIMEOUT_MS / 1000
    assert max(slowest, system.COMMAND_TIMEOUT_S) < DEADLINE_S

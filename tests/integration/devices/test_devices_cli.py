"""`tillside devices` and `devices test` as store IT types them: with the agent running, and with it stopped."""

import asyncio
import contextlib
import json
import threading
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from integration.bridge.agent_kit import LiveAgent, enrol_by_hand, fill_cache, live_agent
from till_config import load
from till_config.main import main
from till_drivers.simulators.printer import PrinterSimulator
from till_drivers.simulators.scanner import ScannerSimulator

WAIT_S = 30


class Shop:
    """Simulated devices on a loop of their own, so that commands of the test's thread find them alive."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.printer = PrinterSimulator()
        self.port = self.do(self.printer.start_tcp())
        self.scanner = ScannerSimulator(folder / "scanner")
        self.scanner.plug()
        self.config = folder / "till.toml"
        self.write("")

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(WAIT_S)

    def write(self, more: str) -> None:
        """The till's configuration: both devices, and what the test adds."""
        self.config.write_text(
            f'[agent]\nstate_dir = "{self.folder}/state"\nlanguage = "en"\n[bridge]\nport = 0\n'
            f'[[scanners]]\nname = "front"\nport = "{self.folder}/scanner"\n'
            f'[[printers]]\nname = "receipt"\ndriver = "tcp"\nhost = "127.0.0.1"\nport = {self.port}\n{more}',
            encoding="utf-8",
        )

    def print_into(self, folder: Path) -> None:
        """From now on the printer's paper is drawn as pictures in `folder`."""
        self.do(self.printer.stop())
        self.printer = PrinterSimulator(out=folder, png="all")
        self.port = self.do(self.printer.start_tcp())
        self.write("")

    def call(self, *words: str) -> Result:
        """A command on this till's configuration."""
        return CliRunner().invoke(main, [*words, "--config", str(self.config)], catch_exceptions=False)

    def scanning(self, code: str, when: Callable[[], bool]) -> "contextlib.AbstractContextManager[None]":
        """Scan `code` again and again, a second apart, from when the condition holds, until the context ends."""
        return _scanning(self, code, when)

    def close(self) -> None:
        self.scanner.unplug()
        self.do(self.printer.stop())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(WAIT_S)
        self.loop.close()


@contextlib.contextmanager
def _scanning(shop: Shop, code: str, when: Callable[[], bool]) -> Iterator[None]:
    ended = threading.Event()

    def scan() -> None:
        while not ended.wait(0.2):
            if when():
                shop.scanner.scan(code)

    thread = threading.Thread(target=scan, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(WAIT_S)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    made = Shop(tmp_path)
    yield made
    made.close()


@pytest.fixture
def agent(shop: Shop) -> Iterator[LiveAgent]:
    enrol_by_hand(shop.folder / "state")
    fill_cache(shop.folder / "state")
    with live_agent(load(shop.config)) as running:
        board = running.running.agent.board
        running.wait_for(lambda: {each.state for each in board.health() if each.device != "eye"} == {"ready"})
        yield running


def always() -> bool:
    return True


def test_devices_are_listed_as_the_agent_finds_them(shop: Shop, agent: LiveAgent) -> None:
    told = json.loads(shop.call("devices", "--json").stdout)
    assert [(each["role"], each["device"], each["state"], each["fix"]) for each in told["devices"]] == [
        ("scanner", "front", "ready", ""),
        ("printer", "receipt", "ready", ""),
    ]
    assert all(each["section"].startswith("[[") for thing in told["found"] for each in thing["fits"])
    assert "network" not in {each["kind"] for each in told["found"]}, "the agent's printer was asked by another"


def test_a_stopped_agents_printer_is_asked_from_outside(shop: Shop) -> None:
    self_said = shop.call("devices")
    assert self_said.exit_code == 0
    assert "answers as an ESC/POS printer" in self_said.stdout
    assert "configured as receipt" in self_said.stdout
    assert "no agent is running" in self_said.stderr


def test_an_address_is_asked_and_gets_its_section(shop: Shop) -> None:
    said = CliRunner().invoke(main, ["devices", "--ask", f"127.0.0.1:{shop.port}"], catch_exceptions=False)
    assert f'[[printers]]\nname = "receipt"\ndriver = "tcp"\nhost = "127.0.0.1"\nport = {shop.port}' in said.stdout


@pytest.mark.parametrize("wrong", ["", ":9100", "host:0", "host:99999", "host:x"])
def test_what_is_no_address_is_a_usage_error(wrong: str) -> None:
    assert CliRunner().invoke(main, ["devices", "--ask", wrong]).exit_code == 2


def test_a_scan_with_the_agent_running_is_shown_in_part(shop: Shop, agent: LiveAgent) -> None:
    with shop.scanning("2900000000018", lambda: bool(agent.running.agent.events.listener_count)):
        done = shop.call("devices", "test", "scanner")
    assert done.exit_code == 0, done.output
    assert "by the running agent: ready" in done.stdout
    assert "read       13 characters" in done.stdout
    assert "2900000000018" not in done.stdout


def test_a_scan_with_the_agent_stopped_opens_the_scanner_itself(shop: Shop) -> None:
    with shop.scanning("]E04600000000015", always):
        done = shop.call("devices", "test", "scanner", "front", "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert (told["outcome"], told["length"], told["aim"], told["kind"], told["text"]) == (
        *("read", 13, "E0", "goods", "4600000000015"),
    )


@pytest.mark.parametrize("is_running", [True, False])
def test_a_bank_card_is_refused_and_shown_nowhere(shop: Shop, is_running: bool, request: pytest.FixtureRequest) -> None:
    agent: LiveAgent | None = request.getfixturevalue("agent") if is_running else None
    when = (lambda: bool(agent.running.agent.events.listener_count)) if agent else always
    with shop.scanning("4111111111111111", when):
        done = shop.call("devices", "test", "scanner", "--show")
    assert "bank card: refused" in done.stdout
    assert "4111" not in done.output
    assert "1111" not in done.output


def test_no_scan_ends_with_1_and_says_how_the_scanner_is(shop: Shop) -> None:
    shop.scanner.unplug()
    done = shop.call("devices", "test", "scanner", "--wait", "0.5")
    assert done.exit_code == 1
    assert "Nothing was read. The scanner is: absent" in done.stdout


@pytest.mark.parametrize("is_running", [True, False])
def test_a_slip_is_printed_and_proved(shop: Shop, is_running: bool, request: pytest.FixtureRequest) -> None:
    if is_running:
        request.getfixturevalue("agent")
    done = shop.call("devices", "test", "printer")
    assert done.exit_code == 0, done.output
    assert "Printed: the printer says that all of it is on paper." in done.stdout
    (slip,) = shop.printer.slips
    assert "Printer test" in slip.text()


def test_a_printer_that_stops_before_the_slip_is_named_with_its_fix(shop: Shop) -> None:
    shop.do(shop.printer.behave("paper-out"))
    done = shop.call("devices", "test", "printer", "--json")
    assert done.exit_code == 1
    told = json.loads(done.stdout)
    assert (told["outcome"], told["detail"], told["fix"]) == ("none", "paper out", "put in a new roll of paper")
    assert not shop.printer.slips


def test_a_printer_that_never_confirms_leaves_doubt(shop: Shop) -> None:
    shop.do(shop.printer.behave("silent"))
    done = shop.call("devices", "test", "printer", "--wait", "1")
    assert done.exit_code == 3
    assert "In doubt" in done.stdout
    assert "set `status = false`" in done.stdout


def test_names_that_are_not_configured_are_usage_errors(shop: Shop) -> None:
    for words in (("scanner", "back"), ("printer", "kitchen"), ("printer", "--camera", "x", "--no-camera")):
        assert shop.call("devices", "test", *words).exit_code == 2


def test_a_driver_that_is_not_installed_is_named(shop: Shop) -> None:
    shop.write('[[scanners]]\nname = "odd"\ndriver = "acme"\n')
    done = shop.call("devices", "test", "scanner", "odd")
    assert done.exit_code == 1
    assert "expected driver to be one of" in done.stdout
    assert "install the package" in done.stdout


@pytest.mark.parametrize("is_running", [True, False])
def test_the_slips_code_is_read_back_from_the_paper(
    shop: Shop, is_running: bool, request: pytest.FixtureRequest
) -> None:
    """The camera looks at a folder into which the printer's paper is drawn; another slip lies there too."""
    pytest.importorskip("cv2")
    paper = shop.folder / "paper"
    shop.print_into(paper)
    words = ["--camera", str(paper)]
    if is_running:
        shop.write(f'[[scanners]]\nname = "eye"\ndriver = "camera"\nport = "{paper}"\n')
        paper.mkdir(exist_ok=True)
        request.getfixturevalue("agent")
        words = []
    done = shop.call("devices", "test", "printer", "--json", "--wait", "60", *words)
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert (told["outcome"], told["same"], told["read_back"]) == ("printed", True, told["code"])


def test_another_slips_code_is_told_from_it(shop: Shop) -> None:
    pytest.importorskip("cv2")
    old = shop.folder / "old"
    shop.print_into(old)
    assert shop.call("devices", "test", "printer", "--no-camera").exit_code == 0
    shop.print_into(shop.folder / "new")
    done = shop.call("devices", "test", "printer", "--wait", "4", "--camera", str(old))
    assert done.exit_code == 1, done.output
    assert "another code" in done.stdout

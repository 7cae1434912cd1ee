"""The serial scanner driver over real pseudo-terminals: unplugging, other names, codes in pieces."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from till_config.settings import ScannerSettings
from till_drivers.exceptions import SettingsError, SimulatorError, TransportAbsent
from till_drivers.ports import DeviceHealth, Scan
from till_drivers.scanners.serial_scanner import SerialScanner
from till_drivers.simulators.cli import simulate
from till_drivers.simulators.scanner import ScannerSimulator
from till_drivers.transports.serial import SerialTransport

PATIENCE_S = 10.0


class Shop:
    """A driver under test with what it told."""

    def __init__(self, link: Path, **settings: object) -> None:
        self.simulator = ScannerSimulator(link)
        self.driver = SerialScanner(ScannerSettings(name="s1", port=str(link), **settings))  # type: ignore[arg-type]  # settings by keyword, as each test needs them
        self.scans: list[Scan] = []
        self.states: list[str] = []
        self._changed = asyncio.Event()

    def emit(self, scan: Scan) -> None:
        self.scans.append(scan)
        self._changed.set()

    def health(self, health: DeviceHealth) -> None:
        self.states.append(health.state)
        self._changed.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    @property
    def texts(self) -> list[str]:
        return [scan.text for scan in self.scans]


@asynccontextmanager
async def running(shop: Shop) -> AsyncIterator[Shop]:
    task = asyncio.create_task(shop.driver.run(shop.emit, shop.health))
    try:
        yield shop
    finally:
        async with asyncio.timeout(PATIENCE_S):
            await shop.driver.stop()
            await task
        shop.simulator.unplug()


def test_codes_come_through_in_any_pieces(tmp_path: Path) -> None:
    """Two codes in one read, one code in three, CR LF split: each code once, in order."""

    async def day() -> None:
        shop = Shop(tmp_path / "port")
        shop.simulator.plug()
        async with running(shop):
            await shop.until(lambda: "ready" in shop.states)
            for piece in (b"A1\rB2\r", b"C3", b"C3", b"C3\r", b"\nD4\r", b"\n"):
                shop.simulator.send(piece)
                await asyncio.sleep(0.01)
            await shop.until(lambda: len(shop.scans) == 4)
        assert shop.texts == ["A1", "B2", "C3C3C3", "D4"]
        assert [scan.seq for scan in shop.scans] == [1, 2, 3, 4]
        assert shop.states[-1] == "disabled"

    asyncio.run(day())


def test_starts_without_its_device_and_finds_it_later(tmp_path: Path) -> None:
    """No device at start is a state, not an error."""

    async def day() -> None:
        shop = Shop(tmp_path / "port")
        async with running(shop):
            await shop.until(lambda: "absent" in shop.states)
            shop.simulator.plug()
            await shop.until(lambda: "ready" in shop.states)
            shop.simulator.scan("2900000000001")
            await shop.until(lambda: bool(shop.scans))
        assert shop.texts == ["2900000000001"]

    asyncio.run(day())


def test_unplugged_in_mid_code_and_back_under_another_name(tmp_path: Path) -> None:
    """Half a code is never told nor joined to the next; the same link leads to the new terminal."""

    async def day() -> None:
        shop = Shop(tmp_path / "port")
        first = shop.simulator.plug()
        async with running(shop):
            await shop.until(lambda: "ready" in shop.states)
            shop.simulator.scan("WHOLE")
            await shop.until(lambda: shop.texts == ["WHOLE"])
            shop.simulator.send(b"29000")
            shop.simulator.unplug()
            await shop.until(lambda: "lost" in shop.states)
            # Another program takes the old name meanwhile, so that the scanner must come back under a new one.
            squatter = ScannerSimulator(tmp_path / "squatter")
            squatter.plug()
            second = shop.simulator.plug()
            await shop.until(lambda: shop.states.count("ready") == 2)
            shop.simulator.scan("NEXT")
            await shop.until(lambda: len(shop.scans) == 2)
            squatter.unplug()
        assert shop.texts == ["WHOLE", "NEXT"]
        assert first != second

    asyncio.run(day())


def test_the_same_scanner_is_found_by_what_it_is_under_another_name(tmp_path: Path) -> None:
    """`match` names the device; the port's name is asked for at each opening."""
    named = {"usb:0c2e:0b61": tmp_path / "ttyACM0"}

    def locate(device: str) -> str:
        if not named[device].is_symlink():
            raise TransportAbsent(f"{device}: not plugged in")
        return str(named[device])

    async def day() -> None:
        shop = Shop(tmp_path / "ttyACM0")
        shop.driver = SerialScanner(
            ScannerSettings(name="s1", match="0c2e:0b61"), transport=SerialTransport("usb:0c2e:0b61", locate=locate)
        )
        shop.simulator.plug()
        async with running(shop):
            await shop.until(lambda: "ready" in shop.states)
            shop.simulator.send(b"WHOLE\r29000")
            await shop.until(lambda: shop.texts == ["WHOLE"])
            shop.simulator.unplug()
            await shop.until(lambda: "lost" in shop.states)
            shop.simulator = ScannerSimulator(tmp_path / "ttyACM1")
            shop.simulator.plug()
            named["usb:0c2e:0b61"] = tmp_path / "ttyACM1"
            await shop.until(lambda: shop.states.count("ready") == 2)
            shop.simulator.scan("00001")
            await shop.until(lambda: len(shop.scans) == 2)
        assert shop.texts == ["WHOLE", "00001"]

    asyncio.run(day())


def test_symbology_and_element_strings_come_with_the_code(tmp_path: Path) -> None:
    """A GS1 code cut in its separator; the identifier says what it is, and is no part of the text."""

    async def day() -> None:
        shop = Shop(tmp_path / "port")
        shop.simulator.plug()
        async with running(shop):
            await shop.until(lambda: "ready" in shop.states)
            for piece in (b"]C1010460000000001510AB\x1d", b"21X\r\n]E04600000000015\r\n]", b"Q1\xff\r"):
                shop.simulator.send(piece)
                await asyncio.sleep(0.01)
            await shop.until(lambda: len(shop.scans) == 3)
        assert shop.texts == ["010460000000001510AB\x1d21X", "4600000000015", "\ufffd"]
        assert [scan.symbology for scan in shop.scans] == ["code128", "ean-upc", "qr"]
        assert shop.scans[0].gs1 == {"01": "04600000000015", "10": "AB", "21": "X"}
        assert shop.scans[2].raw == b"]Q1\xff"

    asyncio.run(day())


def test_what_lay_in_the_port_before_connecting_is_not_a_scan(tmp_path: Path) -> None:
    """Codes from before the agent started are stale: they are flushed on connect."""

    async def day() -> None:
        shop = Shop(tmp_path / "port")
        shop.simulator.plug()
        shop.simulator.scan("STALE")
        async with running(shop):
            await shop.until(lambda: "ready" in shop.states)
            shop.simulator.scan("FRESH")
            await shop.until(lambda: bool(shop.scans))
        assert shop.texts == ["FRESH"]

    asyncio.run(day())


def test_the_same_code_twice_is_told_twice(tmp_path: Path) -> None:
    """Two equal goods in a row are two goods; what a code means, and whether it was held still, others decide."""

    async def day() -> None:
        shop = Shop(tmp_path / "port")
        shop.simulator.plug()
        async with running(shop):
            await shop.until(lambda: "ready" in shop.states)
            for code in ("4600000000015", "4600000000015", "END"):
                shop.simulator.scan(code)
            await shop.until(lambda: "END" in shop.texts)
        assert shop.texts == ["4600000000015", "4600000000015", "END"]

    asyncio.run(day())


def test_silence_ends_a_code_only_when_configured(tmp_path: Path) -> None:
    """With gap_ms a scanner that sends no end works too."""

    async def day() -> None:
        shop = Shop(tmp_path / "port", gap_ms=50)
        shop.simulator.plug()
        async with running(shop):
            await shop.until(lambda: "ready" in shop.states)
            shop.simulator.send(b"NOEND")
            await shop.until(lambda: bool(shop.scans))
        assert shop.texts == ["NOEND"]

    asyncio.run(day())


def test_each_health_change_is_told_once(tmp_path: Path) -> None:
    """A device that stays away makes one event, however often it is tried."""

    async def day() -> None:
        shop = Shop(tmp_path / "port")
        async with running(shop):
            await shop.until(lambda: "absent" in shop.states)
            await asyncio.sleep(0.8)
        assert shop.states == ["absent", "disabled"]

    asyncio.run(day())


def test_settings_without_a_port_are_refused() -> None:
    """The error names what is missing."""
    with pytest.raises(SettingsError, match="expected port or match"):
        SerialScanner(ScannerSettings(name="s1"))


def test_the_simulator_tells_when_it_is_unplugged(tmp_path: Path) -> None:
    """A scan into nowhere is an error of the test or demo, not silence."""
    simulator = ScannerSimulator(tmp_path / "port")
    with pytest.raises(SimulatorError, match="not plugged in"):
        simulator.scan("X")


def test_the_simulator_never_takes_the_place_of_a_file(tmp_path: Path) -> None:
    """A slip of the keyboard after `--link` costs nobody a file; a folder that is missing is said in words."""
    (tmp_path / "notes.txt").write_text("precious", encoding="utf-8")
    with pytest.raises(SimulatorError, match="something else is there"):
        ScannerSimulator(tmp_path / "notes.txt").plug()
    assert (tmp_path / "notes.txt").read_text(encoding="utf-8") == "precious"
    nowhere = ScannerSimulator(tmp_path / "no-folder" / "port")
    with pytest.raises(SimulatorError, match="can't appear at"):
        nowhere.plug()
    assert not nowhere.is_plugged


def test_the_simulators_command_says_in_one_line_why_it_can_not_start(tmp_path: Path) -> None:
    """Not by a traceback."""
    done = CliRunner().invoke(simulate, ["scanner", "--link", str(tmp_path / "no-folder" / "port")])
    assert (done.exit_code, done.output.count("\n")) == (1, 1)

"""The HID-POS driver over a bus that stands in for hidapi's, and over the real hidapi where nothing is plugged in."""

import asyncio
import queue
import sys

import pytest

from integration.drivers_scanners.scanner_kit import Counter, running
from till_config.settings import ScannerSettings
from till_drivers.exceptions import SettingsError, TransportAbsent
from till_drivers.scanners import hidpos
from till_drivers.scanners.hidpos import HidPosScanner, list_hid_scanners, load_hidapi
from unit.drivers_scanners.hid_kit import Bus, entry, padded, report, reports

GONE = b"\xff"


class Cable:
    """What waits to be read; GONE is the device pulled out."""

    def __init__(self) -> None:
        self.waiting: queue.Queue[bytes] = queue.Queue()
        self.bus = Bus(self._wait)

    def _wait(self, timeout_ms: float) -> bytes:
        try:
            piece = self.waiting.get(timeout=timeout_ms / 1000) if timeout_ms else self.waiting.get_nowait()
        except queue.Empty:
            return b""
        if piece == GONE:
            raise OSError("read error")
        return piece

    def plug(self, match: str = "0c2e:0b61:S1", *, page: int = 0x8C, path: bytes = b"1-1:1.0") -> None:
        self.bus.plugged.append(entry(match, page=page, path=path))

    def unplug(self) -> None:
        self.bus.plugged.clear()
        self.waiting.put(GONE)

    def send(self, data: bytes, aim: str = "") -> None:
        for piece in reports(data, aim):
            self.waiting.put(piece)

    def scanner(self, **settings: object) -> HidPosScanner:
        values = {"name": "s1", "driver": "hidpos", "match": "0c2e:0b61", **settings}
        return HidPosScanner(ScannerSettings(**values), load=lambda: self.bus)  # type: ignore[arg-type]  # by keyword


def test_reported_codes_come_through_with_their_symbology() -> None:
    """Short ones, one in several reports, a GS1 one, one whose data repeats the identifier."""

    async def run() -> Counter:
        cable = Cable()
        cable.plug()
        async with running(cable.scanner()) as counter:
            await counter.ready()
            cable.send(b"2900000000001", "E0")
            cable.send("ТСВ".encode() * 30, "Q1")
            cable.send(b"0104600000000015\x1d21X", "C1")
            cable.send(b"]d20104600000000015", "d2")
            await counter.until(lambda: len(counter.scans) == 4)
        assert cable.bus.opened == cable.bus.closed
        return counter

    counter = asyncio.run(run())
    assert counter.texts == ["2900000000001", "ТСВ" * 30, "0104600000000015\x1d21X", "0104600000000015"]
    assert [scan.symbology for scan in counter.scans] == ["ean-upc", "qr", "code128", "datamatrix"]
    assert [scan.gs1 for scan in counter.scans][2:] == [{"01": "04600000000015", "21": "X"}, {"01": "04600000000015"}]
    assert counter.states[-1] == "disabled"


def test_unplugged_between_two_reports_of_a_code_and_back_elsewhere() -> None:
    """Half a code is dropped; the same scanner at another socket is found by what it is."""

    async def run() -> Counter:
        cable = Cable()
        async with running(cable.scanner()) as counter:
            await counter.until(lambda: "absent" in counter.states)
            cable.plug()
            await counter.ready()
            cable.send(b"WHOLE")
            cable.waiting.put(report(b"x" * 56, more=True))
            await counter.until(lambda: bool(counter.texts))
            cable.unplug()
            await counter.until(lambda: "lost" in counter.states)
            cable.plug(path=b"3-2:1.0")
            await counter.ready(2)
            cable.send(b"NEXT")
            await counter.until(lambda: len(counter.texts) == 2)
        return counter

    assert asyncio.run(run()).texts == ["WHOLE", "NEXT"]


def test_the_device_says_where_its_reports_have_what() -> None:
    """Another maker's layout is read by the descriptor; without one, by the usual layout."""

    async def run(descriptor: bytes | None, piece: bytes) -> list[str]:
        cable = Cable()
        cable.bus.descriptor = descriptor
        cable.plug()
        async with running(cable.scanner()) as counter:
            await counter.ready()
            cable.waiting.put(piece)
            await counter.until(lambda: bool(counter.texts))
        return counter.texts

    assert asyncio.run(run(padded(), b"\x00]Q1" + b"A1".ljust(60, b"\0"))) == ["A1"]
    assert asyncio.run(run(None, report(b"B2"))) == ["B2"]
    assert asyncio.run(run(b"\x26", report(b"C3"))) == ["C3"]


@pytest.mark.parametrize(
    ("plugged", "refuses", "detail"),
    [
        ([], False, "0c2e:0b61: not plugged in"),
        (["046d:c31c"], False, "0c2e:0b61: not plugged in"),
        (["0c2e:0b61:S1", "0c2e:0b61:S2"], False, "expected one such device, not 2; name its serial number"),
        (["0c2e:0b61:S1"], True, "can't be opened: open failed"),
    ],
)
def test_what_keeps_a_scanner_away_is_said(plugged: list[str], refuses: bool, detail: str) -> None:
    """In words that a shopkeeper can do something with."""
    assert detail in _absence(plugged, refuses=refuses)


def test_a_scanner_in_keyboard_mode_is_told_from_one_that_is_not_there() -> None:
    """It is plugged in, and wants another mode."""
    assert "plugged in, but not in HID-POS mode" in _absence(["0c2e:0b61"], page=1)


def _absence(plugged: list[str], *, refuses: bool = False, page: int = 0x8C) -> str:
    async def run() -> str:
        cable = Cable()
        cable.bus.refuses = refuses
        for place, match in enumerate(plugged):
            cable.plug(match, page=page, path=str(place).encode())
        async with running(cable.scanner()) as counter:
            await counter.until(lambda: "absent" in counter.states)
            return counter.detail

    return asyncio.run(run())


def test_two_scanners_of_one_kind_are_told_apart_by_serial_number() -> None:
    """Each driver opens its own."""
    cable = Cable()
    cable.plug("0c2e:0b61:S1", path=b"1")
    cable.plug("0c2e:0b61:S2", path=b"2")
    assert hidpos.locate_hid_scanner("0C2E:0B61:S2", cable.bus).path == b"2"
    assert [each.match for each in list_hid_scanners(cable.bus)] == ["0c2e:0b61:S1", "0c2e:0b61:S2"]


def test_a_device_that_is_listed_more_than_once_is_one() -> None:
    """By its path on Linux, by its serial number on Windows; two without a number are two."""
    cable = Cable()
    for path in (b"1", b"1", b"2"):
        cable.plug("0c2e:0b61:S1", path=path)
    assert [each.path for each in list_hid_scanners(cable.bus)] == [b"1", b"2"]
    assert hidpos.locate_hid_scanner("0c2e:0b61", cable.bus).path == b"1"
    for path in (b"3", b"4"):
        cable.plug("0c2e:0b62", path=path)
    with pytest.raises(TransportAbsent, match="expected one such device, not 2"):
        hidpos.locate_hid_scanner("0c2e:0b62", cable.bus)


def test_settings_of_a_hid_scanner() -> None:
    """A port is no name for one; the error says what is."""
    with pytest.raises(SettingsError, match=r"expected match \(VID:PID\) for a HID-POS scanner, not a port"):
        HidPosScanner(ScannerSettings(name="s1", driver="hidpos", port="/dev/hidraw0"))


def test_without_hidapi_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the driver is built; and when another package of that name is there, when it is opened."""
    settings = ScannerSettings(name="s1", driver="hidpos", match="0c2e:0b61")
    with monkeypatch.context() as patched:
        patched.setattr("importlib.util.find_spec", lambda _name: None)
        with pytest.raises(SettingsError, match=r"expected the package hidapi; install .*tillside\[hid\]"):
            HidPosScanner(settings)
    monkeypatch.setitem(sys.modules, "hid", sys)
    monkeypatch.setitem(sys.modules, "hidraw", sys)

    async def run() -> str:
        async with running(HidPosScanner(settings)) as counter:
            await counter.until(lambda: "absent" in counter.states)
            return counter.detail

    assert "expected the package hidapi" in asyncio.run(run())


def test_hidapi_itself_finds_nothing_that_is_not_there() -> None:
    """The real library, up to the missing device."""
    pytest.importorskip("hid")
    assert list_hid_scanners(load_hidapi()) == []

    async def run() -> str:
        async with running(HidPosScanner(ScannerSettings(name="s1", driver="hidpos", match="dead:beef"))) as counter:
            await counter.until(lambda: "absent" in counter.states)
            return counter.detail

    assert asyncio.run(run()) == "dead:beef: not plugged in"

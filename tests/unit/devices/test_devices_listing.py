"""`tillside devices`: which found thing a configured device is, the sections for the others, one fix for each fault."""

from pathlib import Path
from typing import Any

import pytest

from till_agent.cli.devices_listing import addresses_of, configured, is_meant, listed
from till_agent.cli.devices_outcome import PrintTried, ScanTried, masked, print_lines, scan_lines
from till_agent.cli.devices_scanner import kind_of
from till_agent.fixes import fix_of
from till_config import load
from till_config.settings import PrinterSettings, ScannerSettings, Settings
from till_drivers.discovery import Discovery, Fit, Found
from till_drivers.ports import Scan

ACM0 = Found(
    kind="serial",
    place="/dev/ttyACM0",
    by_id="/dev/serial/by-id/usb-Honeywell",
    vid=0x0C2E,
    pid=0x0B81,
    serial_number="A1",
    fits=(Fit(role="scanner", driver="serial", keys={"match": "0c2e:0b81:A1"}, sure=True),),
)
LP0 = Found(
    kind="usb",
    place="/dev/usb/lp0",
    vid=0x04B8,
    pid=0x0202,
    fits=(
        Fit(role="printer", driver="usb", keys={"match": "04b8:0202"}, sure=True),
        Fit(role="printer", driver="file", keys={"device": "/dev/usb/lp0"}, sure=True),
    ),
)
EITHER = Found(
    kind="serial",
    place="COM3",
    fits=(
        Fit(role="scanner", driver="serial", keys={"port": "COM3"}),
        Fit(role="printer", driver="serial", keys={"device": "COM3"}),
    ),
)
NETWORK = Found(
    kind="network",
    place="192.0.2.7:9100",
    fits=(Fit(role="printer", driver="tcp", keys={"host": "192.0.2.7", "status": False}, sure=True),),
)
ODD = Found(
    kind="queue",
    place='Касса "1"',
    fits=(Fit(role="printer", driver="windows", keys={"queue": 'Касса "1" \\ C'}),),
)
LONG = Found(
    kind="serial", place="/dev/" + "x" * 80, fits=(Fit(role="scanner", driver="serial", keys={"port": "/dev/x"}),)
)


@pytest.mark.parametrize("thing", [ACM0, LP0, EITHER, NETWORK, ODD, LONG])
def test_each_section_that_is_shown_is_a_good_configuration(tmp_path: Path, thing: Found) -> None:
    """As it stands, pasted into an empty file."""
    (row,) = listed(None, [thing])
    assert len(row.sections) == len(thing.fits)
    for number, (fit, text) in enumerate(row.sections):
        path = tmp_path / f"{number}.toml"
        path.write_text(text, encoding="utf-8")
        settings = load(path)
        (device,) = settings.scanners if fit.role == "scanner" else settings.printers
        assert all(getattr(device, key) == value for key, value in fit.keys.items())


def test_names_that_the_configuration_has_are_not_given_again() -> None:
    settings = Settings(scanners=(ScannerSettings(name="front", port="/dev/other"),))
    (row,) = listed(settings, [ACM0])
    assert 'name = "front-2"' in row.sections[0][1]


def test_a_configured_thing_needs_no_section() -> None:
    settings = Settings(scanners=(ScannerSettings(name="till", match="0C2E:0b81"),))
    (row,) = listed(settings, [ACM0])
    assert (row.configured, row.sections) == (("till",), ())


def test_an_address_where_nothing_answers_gets_no_section() -> None:
    gone = Found(kind="network", place="192.0.2.7:9100", fits=NETWORK.fits, is_present=False)
    assert listed(None, [gone])[0].sections == ()


@pytest.mark.parametrize(
    ("device", "thing", "is_it"),
    [
        (ScannerSettings(name="a", match="0c2e:0B81"), ACM0, True),
        (ScannerSettings(name="a", match="0c2e:0b81:A1"), ACM0, True),
        (ScannerSettings(name="a", match="0c2e:0b81:A2"), ACM0, False),
        (ScannerSettings(name="a", match="0c2e:0b81", driver="keyboard"), ACM0, False),
        (ScannerSettings(name="a", match="0c2e:0b81", driver="acme"), ACM0, True),
        (ScannerSettings(name="a", port="/dev/ttyACM0"), ACM0, True),
        (ScannerSettings(name="a", port="/dev/serial/by-id/usb-Honeywell"), ACM0, True),
        (ScannerSettings(name="a", port="/dev/ttyACM1"), ACM0, False),
        (ScannerSettings(name="a", port="http://camera/", driver="camera"), ACM0, False),
        (PrinterSettings(name="p", driver="serial", device="usb:0c2e:0b81"), ACM0, True),
        (PrinterSettings(name="p", driver="serial", device="COM3"), EITHER, True),
        (PrinterSettings(name="p", driver="usb", match="04b8:0202"), LP0, True),
        (PrinterSettings(name="p", driver="file", device="/dev/usb/lp0"), LP0, True),
        (PrinterSettings(name="p", driver="file", device="/dev/usb/lp1"), LP0, False),
        (PrinterSettings(name="p", driver="tcp", host="192.0.2.7"), NETWORK, True),
        (PrinterSettings(name="p", driver="tcp", host="192.0.2.7", port=9101), NETWORK, False),
        (PrinterSettings(name="p", driver="windows", queue='Касса "1"'), ODD, True),
        (PrinterSettings(name="p", driver="acme"), LP0, False),
    ],
)
def test_which_thing_a_device_is(device: ScannerSettings | PrinterSettings, thing: Found, is_it: bool) -> None:
    assert is_meant(device, thing) is is_it


def states(**told: tuple[str, str]) -> dict[tuple[str, str], Any]:
    return {("scanner", name): {"state": s, "detail": d, "since_ms": 1} for name, (s, d) in told.items()}


def test_a_device_that_works_has_no_fix_and_one_that_does_not_has_one() -> None:
    settings = Settings(
        scanners=(ScannerSettings(name="good", port="/dev/ttyACM0"), ScannerSettings(name="gone", match="1234:5678"))
    )
    found = Discovery(found=(ACM0,), faults=())
    good, gone = configured(settings, states(good=("ready", ""), gone=("absent", "not plugged in")), found)
    assert (good.state, good.fix, good.place) == ("ready", "", "/dev/ttyACM0")
    assert (gone.state, gone.place) == ("absent", "")
    assert gone.fix.startswith("plug it in")


def test_what_is_found_wrong_from_outside_is_the_fix_of_a_device_that_cannot_be_opened() -> None:
    import msgspec

    locked = msgspec.structs.replace(ACM0, trouble="this user has no right to open it", fix="add USER to dialout")
    settings = Settings(scanners=(ScannerSettings(name="front", port="/dev/ttyACM0"),))
    found = Discovery(found=(locked,), faults=())
    (row,) = configured(settings, states(front=("absent", "Permission denied")), found)
    assert row.fix == "add USER to dialout"


def test_without_an_agent_a_device_is_seen_from_outside() -> None:
    settings = Settings(
        scanners=(
            ScannerSettings(name="a", match="1234:5678"),
            ScannerSettings(name="b", driver="camera", port="http://camera/"),
            ScannerSettings(name="c", driver="acme"),
        ),
        printers=(PrinterSettings(name="d", driver="cups", queue="none"),),
    )
    rows = configured(settings, {}, Discovery(found=(), faults=()))
    assert [(row.state, row.detail) for row in rows] == [
        ("unknown", "not plugged in"),
        ("unknown", ""),
        ("unknown", ""),
        ("unknown", "there is no such queue"),
    ]


def test_a_printer_that_the_agent_holds_is_not_asked() -> None:
    """It may be in the middle of a slip, and many take one connection only."""
    settings = Settings(
        printers=(
            PrinterSettings(name="a", driver="tcp", host="192.0.2.7"),
            PrinterSettings(name="b", driver="tcp", host="192.0.2.8"),
        )
    )
    assert addresses_of(settings, {("printer", "a"): {}}) == [("192.0.2.8", 9100)]


@pytest.mark.parametrize(
    ("state", "detail", "words"),
    [
        ("absent", "usb:0c2e:0b81: not plugged in", "plug it in"),
        ("absent", "[Errno 13] Permission denied: '/dev/ttyACM0'", "right to open"),
        ("absent", "Could not exclusively lock port", "other program"),
        ("absent", "usb:0c2e:0b81: expected one such device, not 2; name its serial number", "serial number"),
        ("absent", "192.0.2.7:9100: Connect call failed", "network cable"),
        ("fault", "paper out", "new roll"),
        ("degraded", "paper near its end", "at hand"),
        ("fault", "cover open", "close its cover"),
        ("degraded", "gives no answer to status requests; set status = false", "status = false"),
        ("fault", "stopped answering: switched off?", "off and on"),
        ("fault", "expected driver to be one of serial, not 'acme'", "install the package"),
        ("absent", "plugged in, but not in HID-POS mode", "scan the code for HID-POS"),
        ("absent", "CUPS is not running", "start the print service"),
        ("fault", "the queue is stopped: cupsenable (paper)", "resume the queue"),
        ("absent", "another program holds the printer", "end the other program"),
        ("fault", "something new", "look at the device"),
        ("lost", "", "cable"),
        ("ready", "", ""),
        ("busy", "", ""),
    ],
)
def test_one_fix_for_each_fault(state: str, detail: str, words: str) -> None:
    assert words in fix_of(state, detail)
    assert bool(fix_of(state, detail)) is bool(words)


def test_what_is_not_goods_is_shown_in_part() -> None:
    assert masked("2900000000018") == "29*********18"
    assert masked("123456") == "******"
    assert len(masked("x" * 40)) == 40


@pytest.mark.parametrize(
    ("text", "gs1", "kind"),
    [
        ("4600000000015", None, "goods"),
        ("4600682000099", None, "goods"),
        ("(01)04600000000015", {"01": "04600000000015"}, "goods"),
        ("4111111111111111", None, "bank card"),
        ("]C14111111111111111", None, "bank card"),
        ("%B4111111111111111^IVANOV/IVAN^29121010000000000000?", None, "bank card"),
        ("4111111111111111=29121010000000000?", None, "bank card"),
        ("(99)4111111111111111", None, "bank card"),
        ("x", {"8004": "4111111111111111"}, "bank card"),
        ("HELLO", None, "unknown"),
    ],
)
def test_what_a_code_is_without_a_programme(text: str, gs1: dict[str, str] | None, kind: str) -> None:
    """As the agent has it: a bank card in any form, and no EAN though it has the check digit of one."""
    scan = Scan(device_id="front", seq=1, at_mono=0, raw=text.encode(), text=text, gs1=gs1)
    assert kind_of(scan) == kind


def test_words_of_a_scan() -> None:
    tried = ScanTried(
        device="front", driver="serial", outcome="read", status=0, length=16, symbology="GS1-128", aim="C1",
        gs1={"01": "04600000000015"}, kind="goods", text="01\x1d",
    )  # fmt: skip
    said = scan_lines(tried)
    assert "symbology  GS1-128 (AIM ]C1)" in said
    assert "GS1 01     04600000000015" in said
    assert "text       01·" in said
    refused = ScanTried(device="front", driver="serial", outcome="refused", status=0)
    assert "bank card: refused" in scan_lines(refused)[0]


@pytest.mark.parametrize(
    ("read_back", "same", "words"),
    [("T-1", True, "the same code"), ("T-2", False, "another code, T-2, not T-1"), ("", None, "has seen no code")],
)
def test_words_of_a_slip_that_a_camera_looked_at(read_back: str, same: bool | None, words: str) -> None:
    tried = PrintTried(
        device="p", driver="tcp", outcome="printed", status=0, code="T-1", camera="eye", read_back=read_back, same=same
    )
    assert words in print_lines(tried)[-1]

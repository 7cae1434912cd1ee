"""What Linux shows of scanners and printers, and which driver fits each: from trees of /sys and /dev made for it."""

from pathlib import Path

import pytest

from till_drivers.discovery import Found
from till_drivers.discovery.cameras import cameras
from till_drivers.discovery.hid import hid_scanners, keyboards, top_level_pages
from till_drivers.discovery.ports import serial_ports
from till_drivers.discovery.system import System
from till_drivers.discovery.usb_printers import usb_printers
from unit.drivers_discovery.discovery_kit import HID_POS_DESCRIPTOR, KEYBOARD_DESCRIPTOR, Tree


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


def only(found: list[Found]) -> Found:
    assert len(found) == 1, found
    return found[0]


def fits(found: Found) -> list[tuple[str, str, dict[str, str | int | bool], bool]]:
    return [(fit.role, fit.driver, fit.keys, fit.sure) for fit in found.fits]


def test_a_scanner_in_serial_mode_is_told_by_its_maker_and_found_again_by_its_identity(tree: Tree) -> None:
    device = tree.usb("1-2", "0c2e:0b81", maker="Honeywell", product="Voyager 1400g", serial="A1")
    tree.tty("ttyACM0", tree.interface(device, "02"), by_id="usb-Honeywell_Voyager_A1-if00")
    port = only(serial_ports(tree.system))
    assert (port.place, port.by_id) == ("/dev/ttyACM0", "/dev/serial/by-id/usb-Honeywell_Voyager_A1-if00")
    assert (port.match, port.name) == ("0c2e:0b81:A1", "Honeywell Voyager 1400g")
    assert fits(port) == [("scanner", "serial", {"match": "0c2e:0b81:A1"}, True)]
    assert (port.trouble, port.fix) == ("", "")


def test_a_printer_on_usb_serial_is_told_by_its_own_words(tree: Tree) -> None:
    device = tree.usb("1-3", "1a86:7523", product="POS80 Receipt Printer")
    tree.tty("ttyUSB0", tree.interface(device, "ff"))
    assert fits(only(serial_ports(tree.system))) == [("printer", "serial", {"device": "usb:1a86:7523"}, True)]


def test_behind_a_converter_there_may_be_either(tree: Tree) -> None:
    device = tree.usb("1-3", "067b:2303", maker="Prolific", product="USB-Serial Controller")
    tree.tty("ttyUSB0", tree.interface(device, "ff"), by_id="usb-Prolific-if00")
    assert [(fit.role, fit.sure) for fit in only(serial_ports(tree.system)).fits] == [
        ("scanner", False),
        ("printer", False),
    ]


def test_twins_without_a_serial_number_are_told_apart_by_their_sockets(tree: Tree) -> None:
    """Their identity and their by-id name are the same, so neither would find the right one."""
    for number, socket in enumerate(("1-2", "1-3")):
        device = tree.usb(socket, "0c2e:0b81", product="Barcode Scanner")
        tree.tty(f"ttyACM{number}", tree.interface(device, "02"), by_path=f"pci-usb-0:{socket}")
    assert [fits(port)[0][2] for port in serial_ports(tree.system)] == [
        {"port": "/dev/serial/by-path/pci-usb-0:1-2"},
        {"port": "/dev/serial/by-path/pci-usb-0:1-3"},
    ]


def test_ports_that_the_machine_has_not_got_are_left_out(tree: Tree) -> None:
    """The kernel keeps names for four serial ports on each board; consoles are no serial ports at all."""
    tree.tty("ttyS0", uart="4")
    tree.tty("ttyS1", uart="0")
    tree.tty("tty1")
    tree.file("sys/class/tty/ptmx/dev")
    assert [port.place for port in serial_ports(tree.system)] == ["/dev/ttyS0"]


def test_ports_stand_in_the_order_of_their_numbers(tree: Tree) -> None:
    for number in (10, 2):
        tree.tty(f"ttyUSB{number}", tree.interface(tree.usb(f"1-{number}", f"0403:60{number:02}"), "ff"))
    assert [port.place for port in serial_ports(tree.system)] == ["/dev/ttyUSB2", "/dev/ttyUSB10"]


def test_a_device_file_that_is_missing_is_said_with_what_to_do(tree: Tree) -> None:
    """As in a container into which it was not passed."""
    tree.tty("ttyACM0", tree.interface(tree.usb("1-2", "0c2e:0b81"), "02"))
    (tree.root / "dev/ttyACM0").unlink()
    port = only(serial_ports(tree.system))
    assert port.trouble == "there is no device file"
    assert "container" in port.fix


def test_a_device_file_without_rights_names_its_group(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    tree.tty("ttyACM0", tree.interface(tree.usb("1-2", "0c2e:0b81"), "02"))
    monkeypatch.setattr("os.access", lambda *_: False)
    monkeypatch.setattr("till_drivers.discovery.system.group_of", lambda _: "dialout")
    port = only(serial_ports(tree.system))
    assert port.trouble == "this user has no right to open it"
    assert "usermod -aG dialout USER" in port.fix


def test_a_hid_pos_scanner_is_told_by_its_usage_page(tree: Tree) -> None:
    tree.hid(0, "0C2E:0B61", "Honeywell Xenon", HID_POS_DESCRIPTOR, serial="X9")
    tree.hid(1, "046D:C31C", "Logitech Keyboard", KEYBOARD_DESCRIPTOR)
    found = only(hid_scanners(tree.system))
    assert (found.place, found.name) == ("/dev/hidraw0", "Honeywell Xenon")
    assert fits(found) == [("scanner", "hidpos", {"match": "0c2e:0b61:X9"}, True)]


def test_without_hidapi_the_scanner_is_listed_with_what_is_missing(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(System, "has_module", lambda *_: False)
    tree.hid(0, "0C2E:0B61", "Xenon", HID_POS_DESCRIPTOR)
    assert "tillside[hid]" in only(hid_scanners(tree.system)).fix


@pytest.mark.parametrize(
    ("descriptor", "pages"),
    [
        ("", set()),
        ("05 8c 09 02 a1 01 c0", {0x8C}),
        ("06 8c 00 09 02 a1 01 c0", {0x8C}),
        ("07 8c 00 00 00 09 02 a1 01 c0", {0x8C}),
        ("05 01 09 06 a1 01 05 8c a1 02 c0 c0", {0x01}),  # a page inside is not what the device is
        ("05 01 a1 01 c0 05 8c a1 01 c0", {0x01, 0x8C}),
        ("fe 02 f0 05 8c 05 01 a1 01 c0", {0x01}),  # a long item's data is no usage page
        ("05", set()),
        ("fe", set()),
        ("ff ff", set()),
    ],
)
def test_usage_pages_of_a_descriptor(descriptor: str, pages: set[int]) -> None:
    assert top_level_pages(bytes.fromhex(descriptor)) == pages


def test_no_bytes_make_the_reading_of_a_descriptor_fail() -> None:
    for first in range(256):
        for second in range(256):
            top_level_pages(bytes((first, second, 0xA1)))


def test_a_keyboard_that_calls_itself_a_scanner_is_one_and_another_may_be(tree: Tree) -> None:
    tree.keyboard(3, "0c2e:0b61", "Honeywell Barcode Scanner")
    tree.keyboard(4, "046d:c31c", "Logitech USB Keyboard")
    assert [(found.place, found.fits[0].sure) for found in keyboards(tree.system)] == [
        ("/dev/input/event3", True),
        ("/dev/input/event4", False),
    ]
    assert fits(keyboards(tree.system)[0]) == [("scanner", "keyboard", {"match": "0c2e:0b61"}, True)]


@pytest.mark.parametrize("unlike", [{"bus": "0019"}, {"keys": "10000000000000 0"}, {"keys": ""}, {"keys": "xyz"}])
def test_power_buttons_and_mice_are_no_keyboards(tree: Tree, unlike: dict[str, str]) -> None:
    tree.keyboard(0, "0000:0001", "Power Button", **unlike)
    assert keyboards(tree.system) == []


def test_a_camera_is_listed_once_by_its_steady_name(tree: Tree) -> None:
    """Each camera has a second node that gives no pictures."""
    tree.camera(0, "HD Camera", by_id="usb-HD_Camera-video-index0")
    tree.camera(1, "HD Camera", index=1, by_id="usb-HD_Camera-video-index1")
    found = only(cameras(tree.system))
    assert fits(found) == [("scanner", "camera", {"port": "/dev/v4l/by-id/usb-HD_Camera-video-index0"}, True)]
    assert found.name == "HD Camera"


def test_a_usb_printer_is_used_by_its_identity_or_by_its_device_file(tree: Tree) -> None:
    tree.printer("1-4", "04b8:0202", lp="lp0", maker="EPSON", product="EPSON TM-T20", serial="S1")
    found = only(usb_printers(tree.system))
    assert (found.place, found.name) == ("/dev/usb/lp0", "EPSON TM-T20")
    assert fits(found) == [
        ("printer", "usb", {"match": "04b8:0202:S1"}, True),
        ("printer", "file", {"device": "/dev/usb/lp0"}, True),
    ]


def test_without_pyusb_the_device_file_comes_first(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(System, "has_module", lambda *_: False)
    tree.printer("1-4", "04b8:0202", lp="lp0")
    tree.printer("1-5", "04b8:0203")
    with_file, without = usb_printers(tree.system)
    assert (with_file.fits[0].driver, with_file.trouble) == ("file", "")
    assert "tillside[usb]" in without.fix


def test_a_usb_printer_that_only_root_may_use_gets_a_rule(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(System, "has_module", lambda *_: True)
    monkeypatch.setattr("os.access", lambda *_: False)
    monkeypatch.setattr("till_drivers.discovery.usb_printers.group_of", lambda _: "root")
    tree.printer("1-4", "04b8:0202")
    for name, text in (("busnum", "1"), ("devnum", "7")):
        tree.file(f"sys/devices/pci0000:00/usb1/1-4/{name}", text)
    tree.file("dev/bus/usb/001/007")
    found = only(usb_printers(tree.system))
    assert 'ATTR{idVendor}=="04b8", GROUP="lp", MODE="0660"' in found.fix


def test_a_device_file_whose_printer_is_not_shown_is_listed_by_itself(tree: Tree) -> None:
    tree.file("dev/usb/lp1")
    found = only(usb_printers(tree.system))
    assert (found.kind, fits(found)) == ("file", [("printer", "file", {"device": "/dev/usb/lp1"}, True)])


def test_what_a_device_calls_itself_can_steer_no_terminal(tree: Tree) -> None:
    device = tree.usb("1-2", "0c2e:0b81", product="Scan\x1b[31mner\x07", serial="\x1b]0;x")
    tree.tty("ttyACM0", tree.interface(device, "02"))
    port = only(serial_ports(tree.system))
    assert port.name.isprintable()
    assert port.serial_number.isprintable()


def test_a_machine_with_nothing_has_nothing(tmp_path: Path) -> None:
    """A container shows neither USB nor video."""
    system = System(tmp_path, platform="linux")
    for source in (serial_ports, hid_scanners, keyboards, cameras, usb_printers):
        assert source(system) == []

"""Finding a scanner among the keyboards of a Linux machine, in trees like the ones that the kernel shows."""

from pathlib import Path

import pytest

from till_config.settings import ScannerSettings
from till_drivers.exceptions import SettingsError, TransportAbsent
from till_drivers.scanners.keyboard import KeyboardScanner
from till_drivers.scanners.keyboard_devices import list_keyboards, locate_keyboard

KEYBOARD = "1000000000007 ff9f207ac14057ff febeffdfffefffff fffffffffffffffe"
"""A usual keyboard's keys, as the kernel writes them."""
BUTTONS = "3000000000000 0"
MOUSE = "70000 0 0 0 0"


class Machine:
    """A tree of /sys/class/input and /dev/input."""

    def __init__(self, root: Path) -> None:
        self.system = root / "sys"
        self.devices = root / "dev"
        (self.devices / "by-id").mkdir(parents=True)
        self.system.mkdir()

    def plug(self, event: int, identity: str, *, keys: str = KEYBOARD, phys: str = "", by_id: str = "") -> str:
        vid, pid, serial = [*identity.split(":"), ""][:3]
        about = self.system / f"event{event}" / "device"
        for name, value in {
            "capabilities/key": keys,
            "id/vendor": vid,
            "id/product": pid,
            "uniq": serial,
            "phys": phys or f"usb-0000:00:14.0-{event}/input0",
            "name": "Scanner",
        }.items():
            (about / name).parent.mkdir(parents=True, exist_ok=True)
            (about / name).write_text(value + "\n", encoding="utf-8")
        node = self.devices / f"event{event}"
        node.touch()
        if by_id:
            (self.devices / "by-id" / by_id).symlink_to(node)
        return str(node)

    def locate(self, match: str) -> str:
        return locate_keyboard("", match, self.system, self.devices)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_scanner_is_found_by_its_identity_under_any_number(machine: Machine) -> None:
    """After a replug it has another number and is the same."""
    machine.plug(0, "0000:0001", keys=BUTTONS)
    machine.plug(3, "046d:c31c")
    with pytest.raises(TransportAbsent, match="0c2e:0b61: not plugged in"):
        machine.locate("0c2e:0b61")
    scanner = machine.plug(17, "0c2e:0b61:S1")
    assert machine.locate("0C2E:0B61") == scanner
    assert machine.locate("0c2e:0b61:S1") == scanner


def test_only_devices_that_type_digits_and_enter_are_keyboards(machine: Machine) -> None:
    """The volume keys of the same scanner are not it, and neither is a mouse."""
    machine.plug(4, "0c2e:0b61", keys=BUTTONS, phys="usb-1/input1")
    machine.plug(5, "0c2e:0b61", keys=MOUSE, phys="usb-1/input2")
    machine.plug(6, "0c2e:0b61", keys="no bits", phys="usb-1/input3")
    keyboard = machine.plug(12, "0c2e:0b61", phys="usb-1/input0", by_id="usb-Scanner_S1-event-kbd")
    (found,) = list_keyboards(machine.system, machine.devices)
    assert (found.device, found.match, found.name) == (keyboard, "0c2e:0b61", "Scanner")
    assert found.by_id == str(machine.devices / "by-id" / "usb-Scanner_S1-event-kbd")


def test_two_of_one_kind_need_a_serial_number(machine: Machine) -> None:
    """Taking either would make the wrong cashier's scans."""
    machine.plug(4, "0c2e:0b61:S1")
    second = machine.plug(5, "0c2e:0b61:S2")
    with pytest.raises(TransportAbsent, match="expected one such device, not 2; name its serial number"):
        machine.locate("0c2e:0b61")
    assert machine.locate("0c2e:0b61:S2") == second


def test_of_two_keyboards_in_one_device_the_first_is_taken(machine: Machine) -> None:
    """They are one scanner: it types on its first."""
    machine.plug(4, "0c2e:0b61", phys="usb-0000:00:14.0-1/input1")
    first = machine.plug(10, "0c2e:0b61", phys="usb-0000:00:14.0-1/input0")
    assert machine.locate("0c2e:0b61") == first


def test_event_numbers_are_refused_and_names_by_id_are_taken(machine: Machine, tmp_path: Path) -> None:
    """`event5` is the cashier's keyboard after the next restart."""
    for settings in ({"port": "/dev/input/event5"}, {"match": "honeywell"}):
        with pytest.raises(SettingsError, match="scanner 's1': expected"):
            KeyboardScanner(ScannerSettings(name="s1", driver="keyboard", **settings))  # type: ignore[arg-type]  # by keyword
    machine.plug(4, "0c2e:0b61", by_id="usb-S1-event-kbd")
    steady = str(machine.devices / "by-id" / "usb-S1-event-kbd")
    assert locate_keyboard(steady, "") == steady
    with pytest.raises(TransportAbsent, match="gone: not plugged in"):
        locate_keyboard(str(tmp_path / "gone"), "")


def test_no_keyboards_where_there_is_no_linux(tmp_path: Path) -> None:
    """An empty list, not an error."""
    assert list_keyboards(tmp_path / "none", tmp_path) == []


@pytest.mark.parametrize("platform", ["win32", "darwin"])
def test_other_systems_are_told_what_to_set_the_scanner_to(monkeypatch: pytest.MonkeyPatch, platform: str) -> None:
    """There, what types can't be told from the cashier's keyboard."""
    monkeypatch.setattr("till_drivers.scanners.keyboard.sys.platform", platform)
    with pytest.raises(SettingsError, match=r"COM port \(USB serial\) or to HID-POS"):
        KeyboardScanner(ScannerSettings(name="s1", driver="keyboard", match="0c2e:0b61"))


def test_a_keyboard_scanner_needs_a_place_and_an_encoding() -> None:
    """The errors name the key."""
    with pytest.raises(SettingsError, match="expected port or match"):
        KeyboardScanner(ScannerSettings(name="s1", driver="keyboard"))
    with pytest.raises(SettingsError, match="expected a known encoding, not 'klingon'"):
        KeyboardScanner(ScannerSettings(name="s1", driver="keyboard", match="0c2e:0b61", encoding="klingon"))
    with pytest.raises(SettingsError, match="expected prefix and suffix in 'ascii'"):
        KeyboardScanner(ScannerSettings(name="s1", driver="keyboard", match="0c2e:0b61", encoding="ascii", prefix="№"))

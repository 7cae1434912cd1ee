"""The USB transport over pyusb itself, with a bus in memory below it."""

import errno
from array import array
from types import SimpleNamespace
from typing import Any

import pytest

from kit.loops import run

pytest.importorskip("usb.core", reason="the extra `usb` is not installed")
from usb.backend import IBackend
from usb.core import USBError, USBTimeoutError

from till_drivers.exceptions import SettingsError, TransportAbsent, TransportLost, TransportStalled
from till_drivers.ports import Outcome, PrintJob
from till_drivers.printers.printer import EscposPrinter
from till_drivers.transports import UsbTransport
from till_drivers.transports.usb_printers import require_usb
from unit.drivers_printers.printers_kit import FINE

VID, PID = 0x04B8, 0x0202
SINK, SOURCE = 0x01, 0x82
OFFERS = {"both": (7, 2, (SINK, SOURCE)), "one": (7, 1, (SINK,)), "ipp": (7, 4, (SINK, SOURCE)),
          "vendor": (0xFF, 0, (SINK, SOURCE)), "disk": (8, 80, (SINK, SOURCE))}  # fmt: skip
"""Interfaces by name: class, protocol, endpoints."""


class Plugged:
    """One device: its interfaces' alternate settings, and a printer behind them."""

    def __init__(self, serial: str = "A1", *, offers: tuple[str, ...] = ("both",), answers: bool = True) -> None:
        self.serial = serial
        self.offers = offers
        self.answers = FINE if answers else {}
        self.printed = b""
        self.inbox = b""
        self.takes: int | None = None
        self.error: int | None = None
        self.open_error: int | None = None
        self.kernel_driver = True
        self.claimed_by: object = None
        self.setting: int | None = None


class Bus(IBackend):  # type: ignore[misc]  # Reason: pyusb has no types.
    """What libusb tells of the bus."""

    def __init__(self, *devices: Plugged) -> None:
        self.devices = list(devices)
        self.open_handles = 0

    def enumerate_devices(self) -> list[Plugged]:
        return self.devices

    def get_parent(self, dev: Plugged) -> None:
        return None

    def get_device_descriptor(self, dev: Plugged) -> Any:
        return SimpleNamespace(
            bLength=18, bDescriptorType=1, bcdUSB=0x200, bDeviceClass=0, bDeviceSubClass=0, bDeviceProtocol=0,
            bMaxPacketSize0=64, idVendor=VID, idProduct=PID, bcdDevice=0, iManufacturer=0, iProduct=0,
            iSerialNumber=3, bNumConfigurations=1, address=1, bus=1, port_number=1, port_numbers=(1,), speed=3,
        )  # fmt: skip

    def get_configuration_descriptor(self, dev: Plugged, config: int) -> Any:
        if config:
            raise IndexError
        return SimpleNamespace(
            bLength=9, bDescriptorType=2, wTotalLength=32, bNumInterfaces=1, bConfigurationValue=1, iConfiguration=0,
            bmAttributes=0xC0, bMaxPower=1, extra_descriptors=b"",
        )  # fmt: skip

    def get_interface_descriptor(self, dev: Plugged, intf: int, alt: int, config: int) -> Any:
        if intf or config or alt >= len(dev.offers):
            raise IndexError
        class_, protocol, endpoints = OFFERS[dev.offers[alt]]
        return SimpleNamespace(
            bLength=9, bDescriptorType=4, bInterfaceNumber=0, bAlternateSetting=alt, bNumEndpoints=len(endpoints),
            bInterfaceClass=class_, bInterfaceSubClass=1, bInterfaceProtocol=protocol, iInterface=0,
            extra_descriptors=b"",
        )  # fmt: skip

    def get_endpoint_descriptor(self, dev: Plugged, ep: int, intf: int, alt: int, config: int) -> Any:
        return SimpleNamespace(
            bLength=7, bDescriptorType=5, bEndpointAddress=OFFERS[dev.offers[alt]][2][ep], bmAttributes=2,
            wMaxPacketSize=64, bInterval=0, bRefresh=0, bSynchAddress=0, extra_descriptors=b"",
        )  # fmt: skip

    def open_device(self, dev: Plugged) -> Plugged:
        self._fail(dev.open_error)
        self.open_handles += 1
        return dev

    def close_device(self, dev_handle: Plugged) -> None:
        self.open_handles -= 1

    def get_configuration(self, dev_handle: Plugged) -> int:
        return 1

    def set_interface_altsetting(self, dev_handle: Plugged, intf: int, altsetting: int) -> None:
        dev_handle.setting = altsetting

    def claim_interface(self, dev_handle: Plugged, intf: int) -> None:
        if dev_handle.claimed_by is not None or dev_handle.kernel_driver:
            self._fail(errno.EBUSY)
        dev_handle.claimed_by = self

    def release_interface(self, dev_handle: Plugged, intf: int) -> None:
        dev_handle.claimed_by = None

    def is_kernel_driver_active(self, dev_handle: Plugged, intf: int) -> bool:
        return dev_handle.kernel_driver

    def detach_kernel_driver(self, dev_handle: Plugged, intf: int) -> None:
        dev_handle.kernel_driver = False

    def attach_kernel_driver(self, dev_handle: Plugged, intf: int) -> None:
        dev_handle.kernel_driver = True

    def ctrl_transfer(
        self, dev_handle: Plugged, type_: int, request: int, value: int, index: int, data: Any, timeout: int
    ) -> int:
        text = "\u0409" if value == 0x0300 else dev_handle.serial
        raw = bytes((2 + 2 * len(text), 3)) + text.encode("utf-16-le")
        data[: len(raw)] = array("B", raw)
        return len(raw)

    def bulk_write(self, dev_handle: Plugged, ep: int, intf: int, data: Any, timeout: int) -> int:
        self._fail(dev_handle.error)
        raw = bytes(data)
        if raw in FINE:
            dev_handle.inbox += dev_handle.answers.get(raw, b"")
            return len(raw)
        if dev_handle.takes is not None:
            taken = min(len(raw), dev_handle.takes)
            dev_handle.takes -= taken
            if not taken:
                raise USBTimeoutError("timed out", -7, errno.ETIMEDOUT)
            raw = raw[:taken]
        dev_handle.printed += raw
        return len(raw)

    def bulk_read(self, dev_handle: Plugged, ep: int, intf: int, buff: Any, timeout: int) -> int:
        self._fail(dev_handle.error)
        if not dev_handle.inbox:
            raise USBTimeoutError("timed out", -7, errno.ETIMEDOUT)
        assert len(buff) >= 64, "libusb calls a packet that does not fit an overflow"
        raw, dev_handle.inbox = dev_handle.inbox, b""
        buff[: len(raw)] = array("B", raw)
        return len(raw)

    def _fail(self, number: int | None) -> None:
        if number is not None:
            raise USBError("trouble", None, number)


def transport(bus: Bus, match: str = "04b8:0202") -> UsbTransport:
    return UsbTransport(match, backend=lambda: bus)


def test_a_slip_is_printed_with_its_proof_and_the_printer_given_back() -> None:
    """Kernel driver put aside and given back; the interface claimed meanwhile; no handle left open."""
    device = Plugged()
    bus = Bus(device)

    async def go() -> None:
        printer = EscposPrinter("usb", transport(bus))
        assert await printer.submit(PrintJob(job_id="1", data=b"slip" * 3_000), 10_000) is Outcome.PRINTED
        assert (device.claimed_by, device.kernel_driver) == (bus, False)
        await printer.stop()

    run(go())
    assert device.printed == b"slip" * 3_000
    assert (device.claimed_by, device.kernel_driver, bus.open_handles) == (None, True, 0)


def test_a_printer_without_a_way_back_accepts_and_is_never_asked() -> None:
    """Protocol 1: nothing can be known."""
    device = Plugged(offers=("one",))
    assert run(EscposPrinter("usb", transport(Bus(device))).submit(PrintJob(job_id="1", data=b"slip"), 5_000)) is (
        Outcome.ACCEPTED
    )
    assert device.printed == b"slip"


@pytest.mark.parametrize("offers", [("one", "both", "ipp"), ("ipp", "one"), ("disk", "vendor")])
def test_the_setting_that_takes_raw_bytes_is_chosen(offers: tuple[str, ...]) -> None:
    """Both ways before one way, never IPP over USB; a vendor's own class when there is no printer's."""
    device = Plugged(offers=offers)
    run(transport(Bus(device)).open(1_000))
    assert device.setting == 1


@pytest.mark.parametrize(
    ("devices", "match", "words"),
    [
        ([], "04b8:0202", "not plugged in"),
        ([Plugged("A1")], "04b8:0202:B2", "not plugged in"),
        ([Plugged("A1"), Plugged("B2")], "04b8:0202", "expected one such device, not 2; name its serial number"),
        ([Plugged(offers=("disk",))], "04b8:0202", "expected a printer"),
        ([Plugged(offers=("ipp",))], "04b8:0202", "expected a printer"),
    ],
)
def test_what_can_not_be_opened_says_why(devices: list[Plugged], match: str, words: str) -> None:
    """In words that lead to its end."""
    with pytest.raises(TransportAbsent, match=words):
        run(transport(Bus(*devices), match).open(1_000))


def test_two_alike_are_told_apart_by_their_serial_numbers() -> None:
    """VID:PID:SERIAL."""
    first, second = Plugged("A1"), Plugged("B2")
    run(transport(Bus(first, second), "04B8:0202:B2").open(1_000))
    assert (first.claimed_by is None, second.claimed_by is None) == (True, False)


def test_no_permission_leads_to_udev_and_a_holder_to_its_name() -> None:
    """EACCES and EBUSY."""
    device = Plugged()
    device.open_error = errno.EACCES
    with pytest.raises(TransportAbsent, match="udev"):
        run(transport(Bus(device)).open(1_000))
    held = Plugged()
    held.claimed_by, held.kernel_driver = "CUPS", False
    with pytest.raises(TransportAbsent, match="another program"):
        run(transport(Bus(held)).open(1_000))


@pytest.mark.parametrize(("takes", "outcome"), [(0, Outcome.REFUSED), (1, Outcome.UNKNOWN), (5_000, Outcome.UNKNOWN)])
def test_a_printer_that_stops_taking_bytes_is_refused_only_if_it_took_none(takes: int, outcome: Outcome) -> None:
    """Libusb counts what went."""
    device = Plugged()
    device.takes = takes
    assert (
        run(EscposPrinter("u", transport(Bus(device))).submit(PrintJob(job_id="1", data=b"x" * 9_000), 3_000))
        is outcome
    )


def test_an_unplug_is_a_loss_and_the_printer_is_found_again() -> None:
    """In mid-slip UNKNOWN; later the same driver prints."""
    device = Plugged()
    bus = Bus(device)

    async def go() -> None:
        port = transport(bus)
        await port.open(1_000)
        device.error = errno.ENODEV
        with pytest.raises(TransportLost, match="unplugged"):
            await port.write(b"slip", 1_000)
        with pytest.raises(TransportLost, match="unplugged"):
            await port.read(1, 1_000)
        await port.close(500)
        bus.devices = []
        with pytest.raises(TransportAbsent):
            await port.open(1_000)
        with pytest.raises(TransportLost, match="not open"):
            await port.read(1, 1_000)
        device.error, device.claimed_by = None, None
        bus.devices = [device]
        await port.open(1_000)
        await port.write(b"again", 1_000)
        await port.close(500)

    run(go())
    assert device.printed == b"again"


def test_a_packet_is_handed_out_in_the_sizes_that_are_asked_for() -> None:
    """Byte by byte, and nothing after a close."""
    device = Plugged()

    async def go() -> None:
        port = transport(Bus(device))
        await port.open(1_000)
        device.inbox = b"abc"
        assert [await port.read(1, 100), await port.read(5, 100)] == [b"a", b"bc"]
        assert await port.read(5, 20) == b""
        device.takes = 0
        with pytest.raises(TransportStalled):
            await port.write(b"slip", 20)
        await port.close(500)

    run(go())


def test_missing_packages_and_names_of_no_device_are_errors_of_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """At start, not at the first slip."""
    for wrong in ("", "04b8", "04b8:02020", "/dev/usb/lp0"):
        with pytest.raises(SettingsError, match="VID:PID"):
            UsbTransport(wrong)
    require_usb()
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(SettingsError, match=r"tillside\[usb\]"):
        require_usb()


def test_the_real_library_gets_as_far_as_the_missing_device() -> None:
    """Packaged libusb, this machine's bus (or none), no such printer."""
    with pytest.raises(TransportAbsent, match=r"not plugged in|no permission|rror"):
        run(UsbTransport("fffe:fffe").open(5_000))

"""A camera tells a code for as long as it sees it: one sighting is one scan, whatever the code is."""

import asyncio
from typing import Any

import pytest

from till_agent import devices
from till_agent.api import Member, Message
from till_agent.bridge.events import EventHub
from till_agent.devices import Board, Resolved, Scanners
from till_config.settings import ScannerSettings
from till_drivers.ports import Scan
from till_drivers.scanners.dedupe import OTHER_DEVICE_MS, OUT_OF_SIGHT_MS, SAME_DEVICE_MS, Deduper

ANNA = Member(
    reference="m-1",
    known=True,
    status="active",
    balance_points=0,
    spendable_points=0,
    unconfirmed_points=0,
    spendable_reason="",
    as_of_ms=0,
    offline=False,
)


class Clock:
    boot = "test"

    def wall_ms(self) -> int:
        return 1_000_000

    def mono_ms(self) -> int:
        return 0

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)


class Camera:
    """Emits what it is given and waits."""

    device_id = "camera"

    def __init__(self, scans: list[Scan]) -> None:
        self._scans = scans
        self._stopped = asyncio.Event()

    async def run(self, emit: Any, health: Any) -> None:
        for scan in self._scans:
            emit(scan)
        await self._stopped.wait()

    async def stop(self) -> None:
        self._stopped.set()


def sighting(text: str, at_mono: int, *, continuous: bool = True, gs1: dict[str, str] | None = None) -> Scan:
    return Scan(
        device_id="camera", seq=1, at_mono=at_mono, raw=text.encode(), text=text, continuous=continuous, gs1=gs1
    )


class Till:
    """Scanners over one camera, the events they make, and how often a code was looked up."""

    def __init__(self, kinds: dict[str, Any], *, refuses: str = "", alerts: dict[str, Message] | None = None) -> None:
        self.kinds = kinds
        self.alerts = alerts or {}
        self.refuses = refuses
        self.looked_up: list[str] = []
        self.told: list[Any] = []

    async def resolve(self, scan: Scan) -> Resolved:
        self.looked_up.append(scan.text)
        if scan.text == self.refuses:
            return Resolved(kind="unknown", text="")
        if scan.text in self.alerts:
            return Resolved(kind="unknown", text=scan.text, alert=self.alerts[scan.text])
        kind = self.kinds.get(scan.text, "goods")
        if kind == "card":
            return Resolved(kind=kind, text=scan.text, member=ANNA)
        return Resolved(kind=kind, text=scan.text)

    async def run(self, monkeypatch: pytest.MonkeyPatch, scans: list[Scan]) -> list[str]:
        last = sighting("END", scans[-1].at_mono)
        monkeypatch.setattr(devices, "build", lambda *_args, **_shared: Camera([*scans, last]))
        events = EventHub(Clock())
        publish = events.publish
        ended = asyncio.Event()

        def listen(kind: str, payload: Any) -> None:
            publish(kind, payload)
            if kind == "scan":
                self.told.append(payload)
            if kind == "scan" and payload.text == "END":
                ended.set()

        monkeypatch.setattr(events, "publish", listen)
        scanners = Scanners(
            (ScannerSettings(name="camera", port="x"),),
            clock=Clock(),
            board=Board(Clock(), events),
            events=events,
            resolve=self.resolve,
            counted=lambda _device, _kind: None,
        )
        scanners.start()
        async with asyncio.timeout(5):
            await ended.wait()
            await scanners.stop()
        return [event.text for event in self.told[:-1]]


def test_goods_in_sight_are_one_scan_until_they_leave_for_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two bottles shown one after the other are two; one held still is one, and is looked up once."""
    till = Till({})
    away = 3 * 250 + OUT_OF_SIGHT_MS
    scans = [sighting("4600000000015", at) for at in (0, 250, 500, 750, away, away + 250)]
    assert asyncio.run(till.run(monkeypatch, scans)) == ["4600000000015"] * 2
    assert till.looked_up == ["4600000000015", "4600000000015", "END"]


def test_goods_of_a_scanner_that_tells_each_code_once_are_each_a_scan(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hand scanner's second reading is a second bottle."""
    till = Till({})
    scans = [sighting("4600000000015", at, continuous=False) for at in (0, 250)]
    assert asyncio.run(till.run(monkeypatch, scans)) == ["4600000000015"] * 2


def test_codes_that_mean_nothing_to_us_are_goods_for_all_we_know(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shop's own Code 128: two in a row are two, a card twice in a row is one, and so is what the cashier is told
    something of."""
    told = Message(code="wallet_used", text="no", level="warning")
    till = Till({"ART-1": "unknown", "card-1": "card"}, alerts={"used": told})
    scans = [sighting(text, at, continuous=False) for at in (0, 250) for text in ("ART-1", "card-1", "used")]
    assert asyncio.run(till.run(monkeypatch, scans)) == ["ART-1", "card-1", "used", "ART-1"]
    still = Till({"ART-1": "unknown"})
    assert asyncio.run(still.run(monkeypatch, [sighting("ART-1", at) for at in (0, 250)])) == ["ART-1"]


def test_two_codes_in_sight_are_looked_up_once_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """A phone beside a bottle: its code is good until the sale, and is not called used as it lies there after that."""
    till = Till({"code-1": "card"})
    scans = [sighting(text, 250 * turn) for turn in range(8) for text in ("code-1", "4600000000015")]
    assert asyncio.run(till.run(monkeypatch, scans)) == ["code-1", "4600000000015"]
    assert till.looked_up == ["code-1", "4600000000015", "END"]


def test_a_code_that_changes_while_it_is_shown_is_one_card(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wallet's rotating code: the member is the same all the while, though the code differs."""
    till = Till({"code-1": "card", "code-2": "card"})
    scans = [sighting("code-1", 250 * turn) for turn in range(10)]
    scans += [sighting("code-2", 2500 + 250 * turn) for turn in range(4)]
    assert asyncio.run(till.run(monkeypatch, scans)) == ["code-1"]
    assert till.looked_up == ["code-1", "code-2", "END"]


def test_what_must_not_be_handed_on_leaves_no_element_strings_either(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused code is told without text and without its GS1 parts."""
    till = Till({}, refuses="secret")
    assert asyncio.run(till.run(monkeypatch, [sighting("secret", 0, gs1={"91": "secret"})])) == [""]
    assert till.told[0].gs1 is None


def test_element_strings_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cash software gets the parts of a GS1 code by their identifiers."""
    till = Till({})
    asyncio.run(till.run(monkeypatch, [sighting("010460", 0, gs1={"01": "0460"})]))
    assert till.told[0].gs1 == {"01": "0460"}


def test_a_camera_s_window_is_the_time_out_of_sight() -> None:
    """Between the camera's second and the hand scanner's second and a half, each has its own."""
    deduper = Deduper()
    between = (OUT_OF_SIGHT_MS + SAME_DEVICE_MS) // 2
    assert not deduper.is_repeat("camera", "X", 0, continuous=True)
    assert not deduper.is_repeat("camera", "X", between, continuous=True)
    assert not deduper.is_repeat("hand", "Y", 0)
    assert deduper.is_repeat("hand", "Y", between)


def test_a_camera_and_a_hand_scanner_read_one_card_once() -> None:
    """The other device's window holds between them, whichever saw the card first."""
    deduper = Deduper()
    assert not deduper.is_repeat("camera", "X", 0, continuous=True)
    assert deduper.is_repeat("hand", "X", OTHER_DEVICE_MS - 1)
    assert deduper.is_repeat("camera", "X", OTHER_DEVICE_MS, continuous=True)

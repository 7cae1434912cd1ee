"""The device board and the routing of scans, with drivers that misbehave."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from till_agent import devices
from till_agent.api import Message
from till_agent.bridge.events import EventHub
from till_agent.devices import SCAN_QUEUE_LIMIT, Board, Resolved, Scanners, build, load_driver
from till_config.settings import PrinterSettings, ScannerSettings
from till_drivers.exceptions import SettingsError
from till_drivers.ports import DeviceHealth, Scan


class Clock:
    """Sleeps give the loop a turn and take no time."""

    boot = "test"
    now_ms = 10_000
    slept = 0

    def wall_ms(self) -> int:
        return 1_000_000 + self.now_ms

    def mono_ms(self) -> int:
        return self.now_ms

    async def sleep(self, seconds: float) -> None:
        self.slept += 1
        await asyncio.sleep(0)


class Driver:
    """A third party's scanner that does what the test says."""

    def __init__(self, run: Callable[[Any, Any], Coroutine[Any, Any, None]], *, is_deaf: bool = False) -> None:
        self.device_id = "odd"
        self._run = run
        self._is_deaf = is_deaf
        self.stopped = asyncio.Event()

    async def run(self, emit: Any, health: Any) -> None:
        if self._is_deaf:
            await self._run(emit, health)
            return
        running = asyncio.ensure_future(self._run(emit, health))
        stopping = asyncio.ensure_future(self.stopped.wait())
        await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if running.done():
            running.result()
        running.cancel()

    async def stop(self) -> None:
        self.stopped.set()


def scan(seq: int, text: str = "x") -> Scan:
    return Scan(device_id="odd", seq=seq, at_mono=1, raw=b"x", text=text)


class Stage:
    """Scanners with one driver and a resolver."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, driver: Any, resolve: Any) -> None:
        self.clock = Clock()
        self.events = EventHub(self.clock)
        self.board = Board(self.clock, self.events)
        self.counted: list[tuple[str, str]] = []
        listener = self.events.listen()
        assert listener is not None
        self.listener = listener
        monkeypatch.setattr(devices, "build", lambda *_args, **_shared: driver)
        self.scanners = Scanners(
            (ScannerSettings(name="odd", port="x"),),
            clock=self.clock,
            board=self.board,
            events=self.events,
            resolve=resolve,
            counted=lambda device, kind: self.counted.append((device, kind)),
        )

    async def until(self, what: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not what():
                await asyncio.sleep(0)


async def goods(scan: Scan) -> Resolved:
    return Resolved(kind="goods", text=scan.text)


def test_driver_that_raises_is_a_fault_and_runs_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        tries = 0

        async def fail(emit: Any, health: Any) -> None:
            nonlocal tries
            tries += 1
            if tries < 3:
                raise RuntimeError("79161234567")
            emit(scan(1))
            await asyncio.Event().wait()

        stage = Stage(monkeypatch, Driver(fail), goods)
        stage.scanners.start()
        await stage.until(lambda: stage.counted == [("odd", "goods")])
        (health,) = stage.board.health()
        assert (health.state, health.detail) == ("fault", "its driver failed: RuntimeError")
        assert stage.clock.slept == 2
        await stage.scanners.stop()

    asyncio.run(run())


def test_scan_that_can_not_be_looked_up_is_told_as_unknown_and_is_not_the_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def run() -> None:
        async def resolve(scan: Scan) -> Resolved:
            if scan.text == "bad":
                raise RuntimeError("a defect")
            alert = Message(code="bank_card", text="no", level="warning")
            return Resolved(kind="unknown", text="", alert=alert)

        async def emit_two(emit: Any, health: Any) -> None:
            emit(scan(1, "bad"))
            emit(scan(2, "card"))
            await asyncio.Event().wait()

        stage = Stage(monkeypatch, Driver(emit_two), resolve)
        stage.scanners.start()
        await stage.until(lambda: len(stage.counted) == 2)
        await asyncio.sleep(0)
        told = (await stage.listener.next(0)).decode()
        assert told.count("event: scan") == 2
        assert "event: alert" in told
        await stage.scanners.stop()

    asyncio.run(run())


def test_flood_of_scans_keeps_the_newest(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        seen: list[str] = []

        async def resolve(scan: Scan) -> Resolved:
            seen.append(scan.text)
            return Resolved(kind="goods", text=scan.text)

        async def flood(emit: Any, health: Any) -> None:
            for number in range(3 * SCAN_QUEUE_LIMIT):
                emit(scan(number, str(number)))
            await asyncio.Event().wait()

        stage = Stage(monkeypatch, Driver(flood), resolve)
        stage.scanners.start()
        await stage.until(lambda: str(3 * SCAN_QUEUE_LIMIT - 1) in seen)
        assert len(seen) == SCAN_QUEUE_LIMIT
        await stage.scanners.stop()

    asyncio.run(run())


def test_driver_that_does_not_stop_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        async def deaf(emit: Any, health: Any) -> None:
            await asyncio.Event().wait()

        monkeypatch.setattr(devices, "STOP_TIMEOUT_S", 0.05)
        stage = Stage(monkeypatch, Driver(deaf, is_deaf=True), goods)
        stage.scanners.start()
        await asyncio.sleep(0)
        async with asyncio.timeout(5):
            await stage.scanners.stop()

    asyncio.run(run())


def test_board_tells_each_change_with_the_wall_time_of_it() -> None:
    async def run() -> None:
        clock = Clock()
        events = EventHub(clock)
        board = Board(clock, events)
        listener = events.listen()
        assert listener is not None
        board.listener("printer")(DeviceHealth(device_id="p", state="ready", detail="", at_mono=9_000))
        (health,) = board.health()
        assert health.since_ms == 1_009_000
        assert b'"device":"p"' in await listener.next(0)

    asyncio.run(run())


def test_unknown_driver_is_named_with_those_there_are() -> None:
    with pytest.raises(SettingsError, match=r"expected driver to be one of .*serial.*, not 'usb'"):
        load_driver("tillside.scanners", "usb")


def test_driver_that_fails_to_be_built_is_a_settings_error_whatever_it_raises(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def factory(settings: PrinterSettings) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(devices, "load_driver", lambda _group, _name: factory)
    with pytest.raises(SettingsError, match="ZeroDivisionError"):
        build("tillside.printers", PrinterSettings(name="p", driver="odd"), Clock())


@pytest.mark.parametrize(("kind", "told"), [("goods", 3), ("card", 1), ("unknown", 3)])
def test_a_card_held_still_is_one_scan_and_equal_goods_are_each_one(
    monkeypatch: pytest.MonkeyPatch, kind: Any, told: int
) -> None:
    """A card is not presented twice on purpose within a second and a half; two equal bottles are."""

    async def run() -> None:
        async def resolve(scan: Scan) -> Resolved:
            return Resolved(kind="goods" if scan.text == "END" else kind, text=scan.text)

        async def emit_all(emit: Any, health: Any) -> None:
            for seq in (1, 2, 3):
                emit(scan(seq, "4600000000015"))
            emit(scan(4, "END"))
            await asyncio.Event().wait()

        stage = Stage(monkeypatch, Driver(emit_all), resolve)
        stage.scanners.start()
        await stage.until(lambda: len(stage.counted) == told + 1)
        assert stage.counted == [("odd", kind)] * told + [("odd", "goods")]
        await stage.scanners.stop()

    asyncio.run(run())

"""Scanners and printers as the agent sees them: drivers by name, their health on one board, scans to whoever listens.

A device that is missing, broken, or brought by a third party never keeps the agent from starting, selling or stopping.
"""

import asyncio
import importlib.metadata
import inspect
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Literal

from msgspec import Struct

from till_agent.api import Health, Member, Message, ScanEvent
from till_agent.bank_cards import is_bank_card
from till_agent.bridge.events import EventHub
from till_config.settings import PrinterSettings, ScannerSettings
from till_drivers.exceptions import SettingsError
from till_drivers.ports import DeviceHealth, PrinterDriver, Scan, ScannerDriver
from till_drivers.scanners.dedupe import OUT_OF_SIGHT_MS, REMEMBERED_LIMIT, Deduper
from till_drivers.states import DeviceState
from till_loyalty.programme import Identifiers
from till_sync.ports import Clock

log = logging.getLogger(__name__)

SCANNER_GROUP = "tillside.scanners"
PRINTER_GROUP = "tillside.printers"

SCAN_QUEUE_LIMIT = 64
"""Scans that wait to be looked up; each takes under a millisecond, so more means that something is stuck."""
STOP_TIMEOUT_S = 2.0
"""Drivers promise to stop within a second."""
RESTART_AFTER_S = 5.0
"""A driver that failed where it never should is started again after this; a faulty one must not fill the log."""

_EVERY_SLIP = frozenset({DeviceState.BUSY.value, DeviceState.READY.value})
"""States that a printer passes through with each slip: told as events, too many for the log."""

Role = Literal["scanner", "printer"]
Kind = Literal["card", "phone", "voucher", "goods", "unknown"]


class Resolved(Struct, frozen=True, kw_only=True):
    """What a scanned text turned out to be. `text` is "" for what must not be handed on (a bank card)."""

    kind: Kind
    text: str
    member: Member | None = None
    alert: Message | None = None


Resolve = Callable[[Scan], Awaitable[Resolved]]


def unknown(scan: Scan) -> Resolved:
    """A scan that can't be looked up now; what looks like a bank card is not handed on even so."""
    return Resolved(kind="unknown", text="" if is_bank_card(scan, Identifiers()) else scan.text)


class Board:
    """Implements `till_agent.ports.DeviceBoard`; tells each change as an event. Used on the loop."""

    def __init__(self, clock: Clock, events: EventHub) -> None:
        self._clock = clock
        self._events = events
        self._health: dict[tuple[Role, str], Health] = {}

    def health(self) -> list[Health]:
        """Every device that is configured, in the order of the configuration."""
        return list(self._health.values())

    def sort(self, order: Sequence[tuple[Role, str]]) -> None:
        """Tell devices in the order of the configuration."""
        known = [key for key in order if key in self._health]
        self._health = {
            key: self._health[key] for key in [*known, *(each for each in self._health if each not in known)]
        }

    def forget(self, role: Role, device: str) -> None:
        """A device is configured no more."""
        self._health.pop((role, device), None)

    def note(self, role: Role, device: str, state: str, detail: str = "", since_ms: int | None = None) -> None:
        """A device is in that state since (wall milliseconds) or now."""
        now_ms = self._clock.wall_ms() if since_ms is None else since_ms
        health = Health(device=device, role=role, state=state, detail=detail, since_ms=now_ms)
        self._health[role, device] = health
        self._events.publish("device", health)

    def listener(self, role: Role) -> Callable[[DeviceHealth], None]:
        """What a driver of that role calls on each change."""

        def tell(change: DeviceHealth) -> None:
            since_ms = self._clock.wall_ms() - max(0, self._clock.mono_ms() - change.at_mono)
            level = logging.DEBUG if change.state in _EVERY_SLIP else logging.INFO
            said = {"device": change.device_id, "role": role, "state": change.state}
            log.log(level, "device state", extra=said | ({"detail": change.detail} if change.detail else {}))
            self.note(role, change.device_id, change.state, change.detail, since_ms)

        return tell


def load_driver(group: str, name: str) -> Callable[..., Any]:
    """The factory that an entry point names. SettingsError when there is none, or it can't be imported."""
    found = [point for point in importlib.metadata.entry_points(group=group) if point.name == name]
    if not found:
        known = ", ".join(sorted(point.name for point in importlib.metadata.entry_points(group=group)))
        raise SettingsError(f"expected driver to be one of {known}, not {name!r}")
    try:
        factory = found[0].load()
    except (ImportError, AttributeError) as exc:
        raise SettingsError(f"expected an importable driver {name!r}: {exc}") from exc
    if not callable(factory):
        raise SettingsError(f"expected driver {name!r} to be callable, not {type(factory).__name__}")
    return factory  # type: ignore[no-any-return] # Reason: what an entry point names has no type; calls are checked.


def build(group: str, settings: ScannerSettings | PrinterSettings, clock: Clock, **shared: object) -> Any:
    """A driver from its settings; of `shared` it gets what its factory takes. Raises SettingsError."""
    factory = load_driver(group, settings.driver)
    takes = inspect.signature(factory).parameters
    offered = {"clock": clock, **shared}
    try:
        return factory(settings, **{name: value for name, value in offered.items() if name in takes})
    except SettingsError:
        raise
    except Exception as exc:
        raise SettingsError(f"driver {settings.driver!r} failed: {type(exc).__name__}") from exc


def build_printers(
    printers: Sequence[PrinterSettings], clock: Clock, board: Board
) -> dict[str, tuple[PrinterSettings, PrinterDriver]]:
    """Every printer that can be built, by name; the others are faults on the board."""
    built: dict[str, tuple[PrinterSettings, PrinterDriver]] = {}
    for settings in printers:
        try:
            driver: PrinterDriver = build(PRINTER_GROUP, settings, clock)
        except SettingsError as exc:
            log.error("printer can't be used", extra={"device": settings.name, "reason": str(exc)})  # noqa: TRY400 - no trace
            board.note("printer", settings.name, DeviceState.FAULT.value, str(exc))
            continue
        board.note("printer", settings.name, DeviceState.DISABLED.value)
        built[settings.name] = (settings, driver)
    return built


async def _ended(tasks: "list[asyncio.Task[None]]") -> None:
    """Cut short what has not ended, and tell what ended badly."""
    left = [task for task in tasks if not task.done()]
    for task in left:
        task.cancel()
    if left:
        await asyncio.wait(left, timeout=1)
    for task in tasks:
        if task.done() and not task.cancelled() and task.exception() is not None:
            log.error("scanner did not stop in order", extra={"error": type(task.exception()).__name__})


class Scanners:
    """Runs every scanner and turns scans into events; `resolve` says what a scan is."""

    def __init__(
        self,
        scanners: Sequence[ScannerSettings],
        *,
        clock: Clock,
        board: Board,
        events: EventHub,
        resolve: Resolve,
        counted: Callable[[str, str], None],
    ) -> None:
        self._settings = tuple(scanners)
        self._clock = clock
        self._board = board
        self._events = events
        self._resolve = resolve
        self._counted = counted
        self._queue: asyncio.Queue[Scan] = asyncio.Queue(SCAN_QUEUE_LIMIT)
        self._deduper = Deduper()
        self._sighted: dict[tuple[str, str], tuple[int, Resolved]] = {}
        self._drivers: dict[str, ScannerDriver] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._router: asyncio.Task[None] | None = None
        self._leaving: set[str] = set()

    def start(self) -> None:
        """Begin with every scanner that can be built; returns at once."""
        for settings in self._settings:
            try:
                driver = self.built(settings)
            except SettingsError as exc:
                log.error("scanner can't be used", extra={"device": settings.name, "reason": str(exc)})  # noqa: TRY400 - no trace
                self._board.note("scanner", settings.name, DeviceState.FAULT.value, str(exc))
                continue
            self.add(settings.name, driver)

    def built(self, settings: ScannerSettings) -> ScannerDriver:
        """A driver that runs when it is added. SettingsError."""
        driver: ScannerDriver = build(SCANNER_GROUP, settings, self._clock)
        return driver

    def add(self, name: str, driver: ScannerDriver) -> None:
        """One more scanner from now on."""
        self._board.note("scanner", name, DeviceState.DISABLED.value)
        self._drivers[name] = driver
        self._tasks[name] = asyncio.create_task(self._keep(name, driver), name=f"scanner {name}")
        if self._router is None:
            self._router = asyncio.create_task(self._route(), name="scans")

    async def remove(self, *names: str) -> None:
        """End these, within STOP_TIMEOUT_S in all."""
        drivers = [self._drivers.pop(name) for name in names if name in self._drivers]
        runs = [self._tasks.pop(name) for name in names if name in self._tasks]
        self._leaving.update(names)
        stops = [asyncio.create_task(driver.stop()) for driver in drivers]
        if stops:
            await asyncio.wait([*stops, *runs], timeout=STOP_TIMEOUT_S)
        await _ended([*stops, *runs])
        self._leaving.difference_update(names)

    async def stop(self) -> None:
        """End every driver, within STOP_TIMEOUT_S in all."""
        await self.remove(*self._drivers)
        router, self._router = self._router, None
        if router is not None:
            await _ended([router])

    async def _keep(self, name: str, driver: ScannerDriver) -> None:
        """Run a driver for as long as it is to run, whatever it does."""
        while name not in self._leaving:
            try:
                await driver.run(self._emit, self._board.listener("scanner"))
            except Exception as exc:  # noqa: BLE001 - a third party's driver must not take the others down
                error = type(exc).__name__
                log.error("scanner driver failed", extra={"device": driver.device_id, "error": error})  # noqa: TRY400 - no data
                self._board.note("scanner", driver.device_id, DeviceState.FAULT.value, f"its driver failed: {error}")
            if name not in self._leaving:
                await self._clock.sleep(RESTART_AFTER_S)

    def _emit(self, scan: Scan) -> None:
        if self._queue.full():
            # The oldest is for a receipt that has moved on.
            self._queue.get_nowait()
            log.warning("scan dropped: too many wait", extra={"device": scan.device_id})
        self._queue.put_nowait(scan)

    def _is_held_still(self, scan: Scan, resolved: Resolved) -> bool:
        """The same member or code again, sooner than anybody means it.

        Two equal goods in a row are two goods, unless a camera has had them in sight all the while. So are two of what
        means nothing to us: a shop's own codes are for the cash software to know.
        """
        is_known = resolved.member is not None or resolved.alert is not None or not resolved.text
        if not scan.continuous and (resolved.kind == "goods" or (resolved.kind == "unknown" and not is_known)):
            return False
        who = resolved.member.reference if resolved.member else resolved.text
        return self._deduper.is_repeat(
            scan.device_id, f"{resolved.kind} {who}", scan.at_mono, continuous=scan.continuous
        )

    async def _look_up(self, scan: Scan) -> Resolved:
        """What the scan is. A camera tells what it sees several times a second: that is looked up once."""
        if not scan.continuous:
            return await self._resolve(scan)
        key = (scan.device_id, scan.text)
        seen_ms, resolved = self._sighted.pop(key, (0, None))
        if resolved is None or scan.at_mono - seen_ms >= OUT_OF_SIGHT_MS:
            resolved = await self._resolve(scan)
        if resolved.text:
            self._sighted[key] = (scan.at_mono, resolved)
        while len(self._sighted) > REMEMBERED_LIMIT:
            del self._sighted[next(iter(self._sighted))]
        return resolved

    async def _route(self) -> None:
        while True:
            scan = await self._queue.get()
            try:
                resolved = await self._look_up(scan)
            except Exception as exc:  # noqa: BLE001 - one scan that can't be looked up must not be the last one
                log.error("scan not looked up", extra={"device": scan.device_id, "error": type(exc).__name__})  # noqa: TRY400 - a trace may quote it
                resolved = unknown(scan)
            if self._is_held_still(scan, resolved):
                continue
            self._counted(scan.device_id, resolved.kind)
            self._events.publish(
                "scan",
                ScanEvent(
                    device=scan.device_id,
                    seq=scan.seq,
                    text=resolved.text,
                    symbology=scan.symbology,
                    kind=resolved.kind,
                    member=resolved.member,
                    # What must not be handed on as text must not be as element strings either.
                    gs1=scan.gs1 if resolved.text else None,
                ),
            )
            if resolved.alert is not None:
                self._events.publish("alert", resolved.alert)

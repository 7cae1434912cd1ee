"""What the agent counts on in a scanner's driver."""

import asyncio
import threading
from collections.abc import Callable
from typing import Protocol

from till_drivers.conformance.findings import STOP_LIMIT_S, Watch
from till_drivers.ports import Scan, ScannerDriver

CODES = ("4600000000015", "2900000000018", "4600000000022")
"""Codes that every scanner can read and every protocol can carry."""
_GONE = frozenset({"absent", "lost"})


class ScannerBench(Protocol):
    """The stand-in for the device. It is unplugged at first."""

    async def plug(self) -> None: ...
    async def unplug(self) -> None: ...
    async def scan(self, code: str) -> None:
        """Read a code, as the device would send it."""
        ...


async def check_scanner(make: Callable[[], ScannerDriver], bench: ScannerBench) -> None:
    """Run drivers that `make` gives against the bench. Raises ConformanceError with everything that is wrong.

    It starts without its device, finds it, tells scans in order, finds it again after an unplug, and stops in time,
    with and without the device; states follow the table, and nothing is left behind.
    """
    first = make()
    async with Watch(first.device_id) as watch:
        scans: list[Scan] = []
        thread = threading.get_ident()

        def emit(scan: Scan) -> None:
            watch.expect(threading.get_ident() == thread, "expected `emit` to be called on the loop's thread")
            scans.append(scan)

        running = asyncio.create_task(_run(first, emit, watch))
        await watch.until(
            lambda: running.done() or (bool(watch.states) and watch.states[-1].state in _GONE),
            "expected the state `absent` from a driver whose device is not there",
        )
        if running.done():
            watch.note("expected `run` to go on without its device, not to end")
            return
        await bench.plug()
        if await watch.until(lambda: _is_ready(watch), "expected the state `ready` once the device is there"):
            await _read(watch, bench, scans, CODES[:2])
            await bench.unplug()
            await watch.until(lambda: watch.states[-1].state == "lost", "expected the state `lost` after an unplug")
            await bench.plug()
            if await watch.until(lambda: _is_ready(watch), "expected the device to be found again after an unplug"):
                await _read(watch, bench, scans, CODES[2:])
        _look_at(watch, scans)
        await _stop(watch, first, running, "with its device")
        await bench.unplug()
        watch.states.clear()
        second = make()
        running = asyncio.create_task(_run(second, emit, watch))
        await watch.until(lambda: bool(watch.states), "expected a state from a driver whose device is not there")
        await _stop(watch, second, running, "without its device")


async def _run(driver: ScannerDriver, emit: Callable[[Scan], None], watch: Watch) -> None:
    try:
        await driver.run(emit, watch.health)
    except Exception as exc:  # noqa: BLE001 - whatever the driver raises is the finding
        watch.note(f"expected `run` to raise nothing, not {type(exc).__name__}: {exc}")


def _is_ready(watch: Watch) -> bool:
    return bool(watch.states) and watch.states[-1].state == "ready"


async def _read(watch: Watch, bench: ScannerBench, scans: list[Scan], codes: tuple[str, ...]) -> None:
    for code in codes:
        await bench.scan(code)
        await watch.until(
            lambda code=code: any(each.text == code for each in scans),  # type: ignore[misc]  # Reason: the loop's code
            f"expected a scan with the text {code!r}",
        )


def _look_at(watch: Watch, scans: list[Scan]) -> None:
    numbers = [scan.seq for scan in scans]
    watch.expect(numbers == sorted(set(numbers)), f"expected `seq` to grow from scan to scan, not {numbers}")
    times = [scan.at_mono for scan in scans]
    watch.expect(times == sorted(times), f"expected `at_mono` never to go back, not {times}")
    for scan in scans:
        watch.expect(
            scan.device_id == watch.device_id, f"expected device_id {watch.device_id!r}, not {scan.device_id!r}"
        )
        watch.expect(scan.text, "expected no scan without a text")
        watch.expect(isinstance(scan.raw, bytes) and scan.raw, "expected the bytes of the device in `raw`")
        watch.expect(not scan.aim.startswith("]"), f"expected `aim` without its bracket, not {scan.aim!r}")


async def _stop(watch: Watch, driver: ScannerDriver, running: "asyncio.Task[None]", when: str) -> None:
    stopping = asyncio.create_task(driver.stop())
    _, late = await asyncio.wait({stopping, running}, timeout=STOP_LIMIT_S)
    watch.expect(not late, f"expected `stop` and `run` to end within a second, {when}")
    for task in late:
        task.cancel()
    await asyncio.gather(stopping, running, return_exceptions=True)
    if watch.states:
        watch.expect(watch.states[-1].state == "disabled", f"expected the state `disabled` after `stop`, {when}")

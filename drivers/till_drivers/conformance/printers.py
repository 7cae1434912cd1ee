"""What the agent counts on in a printer's driver."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from till_drivers.blocks import Barcode, Block, Break, Cut, Image, Pair, QrCode, Rule, Text
from till_drivers.conformance.findings import CHANGE_LIMIT_S, STOP_LIMIT_S, Watch
from till_drivers.drawing import drawing_for
from till_drivers.ports import DeviceHealth, Outcome, PrinterDriver, PrintJob
from till_drivers.printers.profile import PROFILE_58MM, PROFILE_80MM, Profile
from till_drivers.states import USABLE

DEADLINE_MS = 5_000
ASK_AGAIN_S = 0.1
_DONE = frozenset({Outcome.PRINTED, Outcome.ACCEPTED})


class PrinterBench(Protocol):
    """The stand-in for the device. It is unplugged at first."""

    async def plug(self) -> None: ...
    async def unplug(self) -> None: ...
    async def jobs(self) -> int:
        """Whole slips that have come out so far."""
        ...


def slip(title: str) -> list[Block]:
    """A slip with one block of each kind."""
    return [
        Text(text=title, align="center", bold=True, double=True),
        Image(),
        Rule(),
        Pair(left="Ұпай", right="57,00", separator="."),
        Text(text="Қазақша, кыргызча, українська ґ, 100 ₸ " * 3),
        Break(),
        Barcode(data="4600000000015", symbology="ean13"),
        QrCode(data="TILLSIDE"),
        Cut(),
    ]


async def check_printer(make: Callable[[], PrinterDriver], bench: PrinterBench) -> None:
    """Run drivers that `make` gives against the bench. Raises ConformanceError with everything that is wrong.

    Without its device it says so and refuses; with it each job comes out once, one after another; it stops in time, and
    nothing is left behind.
    """
    driver = make()
    async with Watch(driver.device_id) as watch:
        await _drawn(watch, driver, PROFILE_58MM)
        data = await _drawn(watch, driver, PROFILE_80MM)
        watch.expect(await bench.jobs() == 0, "expected drawing a slip to leave the device alone")
        health = await _status(watch, driver)
        watch.expect(health is None or health.state not in USABLE, "expected no usable state without the device")
        outcome = await _submit(watch, driver, "absent", data)
        watch.expect(outcome is Outcome.REFUSED, f"expected `refused` without the device, not {outcome}")
        await bench.plug()
        if await _becomes_usable(watch, driver):
            before = await bench.jobs()
            outcome = await _submit(watch, driver, "first", data)
            watch.expect(outcome in _DONE, f"expected `printed` or `accepted` with the device there, not {outcome}")
            both = await asyncio.gather(_submit(watch, driver, "second", data), _submit(watch, driver, "third", data))
            watch.expect(all(each in _DONE for each in both), f"expected two jobs at once to be done both, not {both}")
            count = await bench.jobs() - before
            watch.expect(count == 3, f"expected three jobs to be three slips, not {count}")
        await _stop(watch, driver)
        count = await bench.jobs()
        outcome = await _submit(watch, driver, "late", data)
        watch.expect(outcome is Outcome.REFUSED, f"expected `refused` after `stop`, not {outcome}")
        watch.expect(await bench.jobs() == count, "expected nothing to be printed after `stop`")
        await bench.unplug()
        second = make()
        await _status(watch, second)
        await _stop(watch, second)


async def _drawn(watch: Watch, driver: PrinterDriver, profile: Profile) -> bytes:
    try:
        return await asyncio.to_thread(drawing_for(driver, profile), slip(f"{profile.columns}"))
    except Exception as exc:  # noqa: BLE001 - whatever the driver raises is the finding
        watch.note(f"expected a slip with every kind of block to be drawn, not {type(exc).__name__}: {exc}")
        return b""


async def _status(watch: Watch, driver: PrinterDriver) -> DeviceHealth | None:
    try:
        async with asyncio.timeout(CHANGE_LIMIT_S):
            health = await driver.status()
    except TimeoutError:
        watch.note("expected `status` to answer within its deadlines, not to hang")
        return None
    except Exception as exc:  # noqa: BLE001 - whatever the driver raises is the finding
        watch.note(f"expected `status` to raise nothing, not {type(exc).__name__}: {exc}")
        return None
    watch.expect(isinstance(health, DeviceHealth), f"expected a DeviceHealth, not {type(health).__name__}")
    watch.expect(
        health.device_id == driver.device_id, f"expected device_id {driver.device_id!r}, not {health.device_id!r}"
    )
    return health


async def _submit(watch: Watch, driver: PrinterDriver, name: str, data: bytes) -> Outcome | None:
    try:
        async with asyncio.timeout(DEADLINE_MS / 1000 + STOP_LIMIT_S):
            outcome = await driver.submit(PrintJob(job_id=f"check:{name}", data=data), DEADLINE_MS)
    except TimeoutError:
        watch.note("expected `submit` to end by its deadline")
        return None
    except Exception as exc:  # noqa: BLE001 - whatever the driver raises is the finding
        watch.note(f"expected `submit` to raise nothing, not {type(exc).__name__}: {exc}")
        return None
    watch.expect(isinstance(outcome, Outcome), f"expected an Outcome, not {type(outcome).__name__}")
    return outcome


async def _becomes_usable(watch: Watch, driver: PrinterDriver) -> bool:
    try:
        async with asyncio.timeout(CHANGE_LIMIT_S):
            while True:
                health = await _status(watch, driver)
                if health is None or health.state in USABLE:
                    return health is not None
                await asyncio.sleep(ASK_AGAIN_S)
    except TimeoutError:
        watch.note("expected a usable state once the device is there")
        return False


async def _stop(watch: Watch, driver: PrinterDriver) -> None:
    stopping = asyncio.create_task(driver.stop())
    _, late = await asyncio.wait({stopping}, timeout=STOP_LIMIT_S)
    watch.expect(not late, "expected `stop` to end within a second")
    for task in late:
        task.cancel()
    for result in await asyncio.gather(stopping, return_exceptions=True):
        watch.expect(not isinstance(result, Exception), f"expected `stop` to raise nothing, not {result!r}")

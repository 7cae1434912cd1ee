"""A slip on trial: through the running agent's print queue, else by the driver itself; then read back by a camera."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

import msgspec

from till_agent.cli.devices_outcome import BAD, GOOD, IN_DOUBT, PrintTried, Teller
from till_agent.cli.devices_running import ScanFeed, agent_runs, asked, state_of, wait_for_print
from till_agent.fixes import fix_of
from till_config.settings import PrinterSettings, ScannerSettings, Settings

BITS_A_BYTE = 10
"""On a serial line; a slip's bytes get the time that they take there, on top of the wait."""
STOP_S = 3.0

_STATUS = {"printed": GOOD, "accepted": GOOD, "unknown": IN_DOUBT, "waits": IN_DOUBT}


async def try_printer(
    settings: Settings,
    printer: PrinterSettings,
    *,
    language: str,
    wait_s: float,
    camera: ScannerSettings | None,
    tell: Teller,
) -> PrintTried:
    """Print a test slip, say what became of it, read its code back. A click error when the agent can't be asked."""
    state_dir = Path(settings.agent.state_dir)
    if not agent_runs(state_dir):
        tried = await _directly(printer, language=language, wait_s=wait_s, tell=tell)
        return await _read_back(tried, camera, None, wait_s, tell)
    by_agent = _by_agent(state_dir, printer, language=language, wait_s=wait_s, tell=tell)
    if camera is None or camera.name not in {each.name for each in settings.scanners}:
        return await _read_back(await by_agent, camera, None, wait_s, tell)
    # The agent's camera may see the slip while it comes out, and tells of it once.
    async with ScanFeed(state_dir, camera.name) as feed:
        return await _read_back(await by_agent, camera, feed, wait_s, tell)


async def _read_back(
    tried: PrintTried, camera: ScannerSettings | None, feed: ScanFeed | None, wait_s: float, tell: Teller
) -> PrintTried:
    """What the camera reads: the agent's by its `feed`, another opened here. A code that is read proves the print."""
    if camera is None or tried.outcome not in ("printed", "accepted", "unknown"):
        return tried
    tell(f"Hold the slip's code before the camera {camera.name}, within {wait_s:g} s.")
    if feed is not None:
        seen = await _wanted(_texts(feed), tried.code, wait_s)
    else:
        seen = await _by_camera(camera, tried.code, wait_s, tell)
    same = seen == tried.code
    return msgspec.structs.replace(
        tried,
        camera=camera.name,
        read_back=seen,
        same=same if seen else None,
        status=GOOD if same else BAD if seen else IN_DOUBT,
    )


async def _by_agent(
    state_dir: Path, printer: PrinterSettings, *, language: str, wait_s: float, tell: Teller
) -> PrintTried:
    state, detail = await asyncio.to_thread(state_of, state_dir, "printer", printer.name)
    tell(f"printer {printer.name} ({printer.driver}), by the running agent: {state}{': ' if detail else ''}{detail}")
    path = f"/v1/printers/{quote(printer.name)}/test?language={language}"
    begun = await asyncio.to_thread(asked, state_dir, "POST", path)
    if not begun["job"]:
        fix = fix_of(state, begun["detail"])
        return _tried(printer, "none", detail=begun["detail"], fix=fix)
    told = await wait_for_print(state_dir, printer.name, begun["job"], wait_s)
    outcome = "waits" if told["state"] in ("queued", "printing") else told["state"]
    fix = "" if _STATUS.get(outcome) == GOOD else fix_of("fault", told["detail"]) if told["detail"] else ""
    return _tried(printer, outcome, detail=told["detail"], fix=fix, code=begun["code"])


async def _directly(printer: PrinterSettings, *, language: str, wait_s: float, tell: Teller) -> PrintTried:
    from msgspec.structs import replace

    from till_agent.devices import PRINTER_GROUP, build
    from till_agent.trial_slip import new_code, trial_blocks
    from till_drivers.drawing import drawing_for
    from till_drivers.exceptions import DriverError, SettingsError
    from till_drivers.ports import PrinterDriver, PrintJob
    from till_drivers.printers.profile import Profile
    from till_drivers.states import USABLE
    from till_sync.clock import SystemClock

    code = new_code()
    try:
        driver: PrinterDriver = build(PRINTER_GROUP, printer, SystemClock())
        profile = replace(Profile.of(printer), drawer=False)
        moment = datetime.now().astimezone()
        blocks = trial_blocks(language, profile, printer=printer.name, code=code, moment=moment)
        data = await asyncio.to_thread(drawing_for(driver, profile), blocks)
    except SettingsError as exc:
        return _tried(printer, "none", detail=str(exc), fix=fix_of("fault", str(exc)))
    except DriverError as exc:
        return _tried(printer, "none", detail=str(exc))
    tell(f"No agent runs: the printer {printer.name} ({printer.driver}) is opened here.")
    try:
        health = await driver.status()
        tell(f"{printer.name}: {health.state}{': ' if health.detail else ''}{health.detail}")
        if health.state not in USABLE:
            return _tried(
                printer, "none", detail=health.detail or health.state, fix=fix_of(health.state, health.detail)
            )
        line_ms = len(data) * BITS_A_BYTE * 1000 // printer.baud_rate if printer.driver == "serial" else 0
        deadline_ms = int(wait_s * 1000) + line_ms
        outcome = (await driver.submit(PrintJob(job_id="trial", data=data), deadline_ms)).value
        after = await driver.status() if _STATUS.get(outcome) != GOOD else None
    except Exception as exc:  # noqa: BLE001 - a third party's driver: what it stumbled over is the test's finding
        return _tried(printer, "unknown", detail=f"its driver failed: {type(exc).__name__}: {exc}", code=code)
    finally:
        await asyncio.wait({asyncio.ensure_future(driver.stop())}, timeout=STOP_S)
    detail = after.detail if after is not None else ""
    fix = fix_of(after.state, after.detail) if after is not None else ""
    return _tried(printer, outcome, detail=detail, fix=fix, code=code)


async def _by_camera(camera: ScannerSettings, code: str, wait_s: float, tell: Teller) -> str:
    from till_agent.cli.devices_direct import OpenScanner
    from till_drivers.exceptions import SettingsError

    try:
        opened = OpenScanner(camera, tell=tell)
    except SettingsError as exc:
        tell(str(exc))
        return ""

    async def next_text(left_s: float) -> str | None:
        scan = await opened.next(left_s)
        return scan.text if scan is not None else None

    async with opened:
        return await _wanted(next_text, code, wait_s)


def _texts(feed: ScanFeed) -> Callable[[float], Awaitable[str | None]]:
    async def next_text(left_s: float) -> str | None:
        scan = await feed.next(left_s)
        return str(scan["text"]) if scan is not None else None

    return next_text


async def _wanted(next_text: Callable[[float], Awaitable[str | None]], code: str, wait_s: float) -> str:
    """The code when it is seen in time, else the last other one that was, else ""."""
    seen = ""
    loop = asyncio.get_running_loop()
    give_up = loop.time() + wait_s
    while (left_s := give_up - loop.time()) > 0:
        text = await next_text(left_s)
        if text is None:
            break
        if text == code:
            return code
        seen = text
    return seen


def _tried(printer: PrinterSettings, outcome: str, *, detail: str = "", fix: str = "", code: str = "") -> PrintTried:
    return msgspec.convert(
        {
            "device": printer.name,
            "driver": printer.driver,
            "outcome": outcome,
            "status": _STATUS.get(outcome, BAD),
            "detail": detail,
            "fix": fix,
            "code": code,
        },
        PrintTried,
    )

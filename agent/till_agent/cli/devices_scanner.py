"""A scan on trial: of the running agent's scanner through its events, else of the driver itself."""

import asyncio
from pathlib import Path

from till_agent.cli.devices_outcome import BAD, GOOD, ScanTried, Teller, masked
from till_agent.cli.devices_running import ScanFeed, agent_runs, state_of
from till_agent.fixes import fix_of
from till_config.settings import ScannerSettings, Settings
from till_drivers.ports import Scan


async def try_scanner(
    settings: Settings, scanner: ScannerSettings, *, wait_s: float, show: bool, tell: Teller
) -> ScanTried:
    """Wait for one scan and say what it was. A click error when the agent runs but can't be asked."""
    state_dir = Path(settings.agent.state_dir)
    if not agent_runs(state_dir):
        return await _directly(scanner, wait_s=wait_s, show=show, tell=tell)
    state, detail = await asyncio.to_thread(state_of, state_dir, "scanner", scanner.name)
    tell(f"scanner {scanner.name} ({scanner.driver}), by the running agent: {state}{': ' if detail else ''}{detail}")
    async with ScanFeed(state_dir, scanner.name) as feed:
        tell(f"Scan a code now, within {wait_s:g} s.")
        scan = await feed.next(wait_s)
    if scan is None:
        state, detail = await asyncio.to_thread(state_of, state_dir, "scanner", scanner.name)
        return _nothing(scanner, state, detail)
    if not scan["text"]:
        return ScanTried(device=scanner.name, driver=scanner.driver, outcome="refused", status=GOOD)
    return _read(
        scanner, text=scan["text"], kind=scan["kind"], symbology=scan["symbology"], gs1=scan.get("gs1"), show=show
    )


async def _directly(scanner: ScannerSettings, *, wait_s: float, show: bool, tell: Teller) -> ScanTried:
    from till_agent.cli.devices_direct import OpenScanner
    from till_drivers.exceptions import SettingsError

    try:
        opened = OpenScanner(scanner, tell=tell)
    except SettingsError as exc:
        return _nothing(scanner, "fault", str(exc))
    tell(f"No agent runs: the scanner {scanner.name} ({scanner.driver}) is opened here.")
    tell(f"Scan a code now, within {wait_s:g} s.")
    async with opened:
        scan = await opened.next(wait_s)
        state, detail = opened.state, opened.detail
    if scan is None:
        return _nothing(scanner, state, detail)
    kind = kind_of(scan)
    if kind == "bank card":
        return ScanTried(device=scanner.name, driver=scanner.driver, outcome="refused", status=GOOD)
    return _read(scanner, text=scan.text, kind=kind, symbology=scan.symbology, aim=scan.aim, gs1=scan.gs1, show=show)


def kind_of(scan: Scan) -> str:
    """What a code is without a programme's rules: `bank card`, `goods`, or `unknown`."""
    from till_agent.bank_cards import is_bank_card, is_trade_item
    from till_loyalty.programme import Identifiers

    if is_bank_card(scan, Identifiers()):
        return "bank card"
    return "goods" if is_trade_item(scan) else "unknown"


def _read(
    scanner: ScannerSettings,
    *,
    text: str,
    kind: str,
    symbology: str,
    show: bool,
    aim: str = "",
    gs1: dict[str, str] | None = None,
) -> ScanTried:
    is_open = show or kind == "goods"
    return ScanTried(
        device=scanner.name,
        driver=scanner.driver,
        outcome="read",
        status=GOOD,
        length=len(text),
        symbology=symbology,
        aim=aim,
        gs1={key: value if is_open else masked(value) for key, value in gs1.items()} if gs1 else None,
        kind=kind,
        text=text if is_open else masked(text),
    )


def _nothing(scanner: ScannerSettings, state: str, detail: str) -> ScanTried:
    fix = (
        fix_of(state, detail) or "scan a code that it can read; compare its mode with docs/how-to/connect-a-scanner.md"
    )
    return ScanTried(
        device=scanner.name, driver=scanner.driver, outcome="nothing", status=BAD, state=state, detail=detail, fix=fix
    )

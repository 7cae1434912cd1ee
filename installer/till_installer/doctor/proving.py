"""Proofs that need the running agent and a person: a receipt that is worked out, a slip whose code is read back."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from till_agent.bridge.exceptions import AgentRefusedError, AgentUnreachableError
from till_agent.cli.asking import ask
from till_agent.cli.devices_running import ScanFeed, wait_for_print
from till_agent.fixes import fix_of
from till_config.settings import Settings
from till_drivers.blocks import Cut, Pair, Rule, Text
from till_installer.doctor.certificate import Step

Teller = Callable[[str], None]
PROBE_RECEIPT = {"lines": [{"number": 1, "sku": "tillside-ready", "amount_minor": 10_000}]}
"""Asking what a receipt would give changes nothing."""
WRITTEN = frozenset(("printed", "accepted"))


def prove_sale(state_dir: Path) -> Step:
    """The agent works a receipt out, with the rules that it has."""
    try:
        found = ask(state_dir, "POST", "/v1/quotes", {"receipt": PROBE_RECEIPT})
    except (AgentUnreachableError, AgentRefusedError) as exc:
        return Step(name="sale", state="bad", found=str(exc), fix="`tillside doctor` names what keeps it from it")
    is_whole = isinstance(found, dict) and "calculation" in found
    return Step(name="sale", state="good") if is_whole else Step(name="sale", state="bad", found="no calculation came")


async def prove_devices(
    settings: Settings, *, language: str, wait_s: float, scan: bool, tell: Teller
) -> dict[str, Step]:
    """Print a slip with a code, and have it read by any scanner: that proves both. Without a printer, any scan does."""
    state_dir = Path(settings.agent.state_dir)
    if not settings.printers:
        steps = {"printer": Step(name="printer", state="skipped", found="none is configured")}
        return steps | {"scanner": await _any_scan(settings, state_dir, wait_s=wait_s, scan=scan, tell=tell)}
    if not settings.scanners or not scan:
        why = "none is configured" if not settings.scanners else "left out by --no-scan"
        printed, _ = await _printed(settings, state_dir, language=language, wait_s=wait_s, tell=tell)
        return {"printer": printed, "scanner": Step(name="scanner", state="skipped", found=why)}
    async with ScanFeed(state_dir, "") as feed:
        printed, code = await _printed(settings, state_dir, language=language, wait_s=wait_s, tell=tell)
        if not code:
            skipped = Step(name="scanner", state="skipped", found="there was no slip to read")
            return {"printer": printed, "scanner": skipped}
        tell(f"Hold the code of the slip that came out before the scanner, within {wait_s:g} s.")
        seen = await _read(feed, code, wait_s)
    return {"printer": _of_print(printed, seen, code), "scanner": _of_read(seen, code)}


async def _any_scan(settings: Settings, state_dir: Path, *, wait_s: float, scan: bool, tell: Teller) -> Step:
    if not settings.scanners or not scan:
        why = "none is configured" if not settings.scanners else "left out by --no-scan"
        return Step(name="scanner", state="skipped", found=why)
    async with ScanFeed(state_dir, "") as feed:
        tell(f"Scan any code now, within {wait_s:g} s.")
        seen = await feed.next(wait_s)
    if seen is None:
        return Step(name="scanner", state="bad", found=f"nothing was scanned within {wait_s:g} s", fix=_SCAN_FIX)
    return Step(name="scanner", state="good", found=str(seen["device"]))


_SCAN_FIX = "`tillside devices test scanner` shows what the scanner does"


async def _printed(
    settings: Settings, state_dir: Path, *, language: str, wait_s: float, tell: Teller
) -> tuple[Step, str]:
    """The printer's line, and the code on the slip when one may have come out."""
    name = settings.slips.printer or settings.printers[0].name
    tell(f"A test slip is printed on {name}.")
    try:
        begun = await asyncio.to_thread(ask, state_dir, "POST", f"/v1/printers/{quote(name)}/test?language={language}")
        if not begun["job"]:
            return _not_printed(name, begun["detail"], language), ""
        told = await wait_for_print(state_dir, name, begun["job"], wait_s)
    except (AgentUnreachableError, AgentRefusedError, click.ClickException) as exc:
        return _not_printed(name, exc.message if isinstance(exc, click.ClickException) else str(exc), language), ""
    if told["state"] in WRITTEN:
        return Step(name="printer", state="good", found=name), str(begun["code"])
    if told["state"] == "unknown":
        # It may be on paper; whether it is, the scanner tells.
        return _not_printed(name, told["detail"] or "nobody knows whether it was printed", language), str(begun["code"])
    return _not_printed(name, told["detail"] or f"the slip is {told['state']}", language), ""


def _not_printed(name: str, detail: str, language: str) -> Step:
    return Step(
        name="printer",
        state="bad",
        found=f"{name}: {detail}",
        fix=fix_of("fault", detail, language) or "`tillside devices test printer` shows what the printer does",
    )


async def _read(feed: ScanFeed, code: str, wait_s: float) -> dict[str, Any] | None:
    """The scan of that code, or the last other one within the time."""
    loop = asyncio.get_running_loop()
    give_up, last = loop.time() + wait_s, None
    while (left_s := give_up - loop.time()) > 0:
        scan = await feed.next(left_s)
        if scan is None:
            break
        if scan["text"] == code:
            return scan
        last = scan
    return last


def _of_read(seen: dict[str, Any] | None, code: str) -> Step:
    if seen is None:
        found = "the printed code was not read in time"
        return Step(name="scanner", state="bad", found=found, fix=_SCAN_FIX)
    if seen["text"] != code:
        return Step(name="scanner", state="bad", found="another code was read, not the printed one", fix=_SCAN_FIX)
    return Step(name="scanner", state="good", found=str(seen["device"]))


def _of_print(printed: Step, seen: dict[str, Any] | None, code: str) -> Step:
    """What was read was printed, whatever the printer said of it."""
    if seen is not None and seen["text"] == code:
        return Step(name="printer", state="good", found=printed.found if printed.state == "good" else "")
    return printed


def print_certificate(settings: Settings, blocks: list[Text | Pair | Rule | Cut]) -> str:
    """Hand the slip to the agent's print queue; why not, when it was not taken."""
    import msgspec

    name = settings.slips.printer or settings.printers[0].name if settings.printers else ""
    if not name:
        return "no printer is configured"
    body = {"blocks": msgspec.to_builtins(blocks)}
    try:
        told = ask(Path(settings.agent.state_dir), "POST", f"/v1/printers/{quote(name)}/note", body)
    except (AgentUnreachableError, AgentRefusedError) as exc:
        return str(exc)
    return "" if told["job"] else str(told["detail"])

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
from till_agent.fixes import fix_code, fix_of
from till_config.settings import Settings
from till_drivers.blocks import Cut, Pair, Rule, Text
from till_installer.doctor.certificate import Step

Teller = Callable[..., None]
"""Says what is going on: a key of `ready_details.say`, and its values."""
PROBE_RECEIPT = {"lines": [{"number": 1, "sku": "tillside-ready", "amount_minor": 10_000}]}
"""Asking what a receipt would give changes nothing."""
NO_PRINTER = "-"
WRITTEN = frozenset(("printed", "accepted"))


def prove_sale(state_dir: Path) -> Step:
    """The agent works a receipt out, with the rules that it has."""
    try:
        found = ask(state_dir, "POST", "/v1/quotes", {"receipt": PROBE_RECEIPT})
    except (AgentUnreachableError, AgentRefusedError) as exc:
        fix = "`tillside doctor` names what keeps it from it"
        return Step(name="sale", state="bad", found=str(exc), fix=fix, codes=("sale_failed",))
    if isinstance(found, dict) and "calculation" in found:
        return Step(name="sale", state="good")
    return Step(name="sale", state="bad", found="no calculation came", codes=("sale_failed",))


async def prove_devices(
    settings: Settings, *, language: str, wait_s: float, scan: bool, tell: Teller
) -> dict[str, Step]:
    """Print a slip with a code, and have it read by any scanner: that proves both. Without a printer, any scan does."""
    state_dir = Path(settings.agent.state_dir)
    if not settings.printers:
        steps = {"printer": _skipped("printer", "none_configured")}
        return steps | {"scanner": await _any_scan(settings, state_dir, wait_s=wait_s, scan=scan, tell=tell)}
    if not settings.scanners or not scan:
        why = "left_out" if settings.scanners else "none_configured"
        printed, _ = await _printed(settings, state_dir, language=language, wait_s=wait_s, tell=tell)
        return {"printer": printed, "scanner": _skipped("scanner", why)}
    async with ScanFeed(state_dir, "") as feed:
        printed, code = await _printed(settings, state_dir, language=language, wait_s=wait_s, tell=tell)
        if not code:
            return {"printer": printed, "scanner": _skipped("scanner", "no_slip")}
        tell("hold", seconds=f"{wait_s:g}")
        seen = await _read(feed, code, wait_s)
    return {"printer": _of_print(printed, seen, code), "scanner": _of_read(seen, code)}


async def _any_scan(settings: Settings, state_dir: Path, *, wait_s: float, scan: bool, tell: Teller) -> Step:
    if not settings.scanners or not scan:
        return _skipped("scanner", "left_out" if settings.scanners else "none_configured")
    async with ScanFeed(state_dir, "") as feed:
        tell("scan_any", seconds=f"{wait_s:g}")
        seen = await feed.next(wait_s)
    if seen is None:
        return _not_read(f"nothing was scanned within {wait_s:g} s", "nothing_scanned")
    return Step(name="scanner", state="good", found=str(seen["device"]))


_SKIPPED = {
    "none_configured": "none is configured",
    "left_out": "left out by --no-scan",
    "no_slip": "there was no slip to read",
}
_SCAN_FIX = "`tillside devices test scanner` shows what the scanner does"


def _skipped(name: str, code: str) -> Step:
    return Step(name=name, state="skipped", found=_SKIPPED[code], codes=(code,))


def _not_read(found: str, code: str) -> Step:
    return Step(name="scanner", state="bad", found=found, fix=_SCAN_FIX, codes=(code,))


async def _printed(
    settings: Settings, state_dir: Path, *, language: str, wait_s: float, tell: Teller
) -> tuple[Step, str]:
    """The printer's line, and the code on the slip when one may have come out."""
    name = settings.slips.printer or settings.printers[0].name
    tell("printing", name=name)
    try:
        begun = await asyncio.to_thread(ask, state_dir, "POST", f"/v1/printers/{quote(name)}/test?language={language}")
        if not begun["job"]:
            return _not_printed(name, begun["detail"]), ""
        told = await wait_for_print(state_dir, name, begun["job"], wait_s)
    except (AgentUnreachableError, AgentRefusedError, click.ClickException) as exc:
        return _not_printed(name, exc.message if isinstance(exc, click.ClickException) else str(exc)), ""
    if told["state"] in WRITTEN:
        return Step(name="printer", state="good", found=name), str(begun["code"])
    if told["state"] == "unknown":
        # It may be on paper; whether it is, the scanner tells.
        detail = told["detail"] or "nobody knows whether it was printed"
        return _not_printed(name, detail, "print_unknown"), str(begun["code"])
    return _not_printed(name, told["detail"] or f"the slip is {told['state']}"), ""


def _not_printed(name: str, detail: str, code: str = "print_failed") -> Step:
    return Step(
        name="printer",
        state="bad",
        found=f"{name}: {detail}",
        fix=fix_of("fault", detail),
        codes=(code,),
        subject=name,
        fix_code=fix_code("fault", detail),
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
        return _not_read("the printed code was not read in time", "code_unread")
    if seen["text"] != code:
        return _not_read("another code was read, not the printed one", "other_code")
    return Step(name="scanner", state="good", found=str(seen["device"]))


def _of_print(printed: Step, seen: dict[str, Any] | None, code: str) -> Step:
    """What was read was printed, whatever the printer said of it."""
    if seen is not None and seen["text"] == code:
        return Step(name="printer", state="good", found=printed.found if printed.state == "good" else "")
    return printed


def print_certificate(settings: Settings, blocks: list[Text | Pair | Rule | Cut]) -> str:
    """Hand the slip to the agent's print queue; why not, when it was not taken: "-" where there is no printer."""
    import msgspec

    name = settings.slips.printer or settings.printers[0].name if settings.printers else ""
    if not name:
        return NO_PRINTER
    body = {"blocks": msgspec.to_builtins(blocks)}
    try:
        told = ask(Path(settings.agent.state_dir), "POST", f"/v1/printers/{quote(name)}/note", body)
    except (AgentUnreachableError, AgentRefusedError) as exc:
        return str(exc)
    return "" if told["job"] else str(told["detail"])

"""The parts of a running agent that take other settings in: all of them, or none."""

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec import Struct, structs

from till_agent.core import Core, Surroundings, desk_settings
from till_agent.devices import PRINTER_GROUP, Role, Scanners, build
from till_agent.reloading.differing import changed_names
from till_agent.reloading.exceptions import ReloadRefusedError
from till_agent.slips.desk import SlipPrinter
from till_agent.slips.templates import own_template
from till_config.settings import PrinterSettings, Settings
from till_drivers.exceptions import SettingsError
from till_drivers.ports import PrinterDriver, ScannerDriver
from till_drivers.printers.profile import Profile
from till_drivers.slips.template import SlipTemplate
from till_drivers.spool_worker import SpoolWorker
from till_drivers.states import DeviceState

if TYPE_CHECKING:
    from till_agent.facade import Agent

log = logging.getLogger(__name__)

Lever = Callable[[Settings], None]
"""Sets one part to other settings, at once; it can't fail."""


class _Built(Struct, frozen=True, kw_only=True):
    """What a change needs, made before anything is touched; a device that can't be built is not among them."""

    scanners: dict[str, ScannerDriver]
    printers: dict[str, tuple[SlipPrinter, PrinterDriver]]
    gone: dict[str, tuple[str, ...]]
    template: tuple[SlipTemplate | None, str] | None
    """Of the settings, and what is wrong with it; None where it stays."""


class LiveParts:
    """Used on the loop. The composition root fills it in while it starts the agent."""

    def __init__(self, agent: "Agent", worker: SpoolWorker, slip_printers: dict[str, SlipPrinter]) -> None:
        self._agent = agent
        self._worker = worker
        self._slip_printers = slip_printers
        self.scanners: Scanners | None = None
        self.around: Surroundings | None = None
        self.levers: list[Lever] = []

    async def change(self, now: Settings, wanted: Settings) -> None:
        """From `now` to `wanted`. ReloadRefusedError: nothing has changed, or what had is as it was."""
        built = await self._build(now, wanted, must=True)
        try:
            await self._swap(wanted, built)
        except Exception as exc:
            log.exception("the settings could not be taken in; those before are put back")
            await self._swap(now, await self._build(wanted, now, must=False))
            said = f"{type(exc).__name__}: the settings before are in force"
            raise ReloadRefusedError("reload_failed", (said,)) from exc

    async def _build(self, now: Settings, wanted: Settings, *, must: bool) -> _Built:
        problems: list[str] = []
        scanners: dict[str, ScannerDriver] = {}
        printers: dict[str, tuple[SlipPrinter, PrinterDriver]] = {}
        gone: dict[str, tuple[str, ...]] = {}
        changed = {role: changed_names(getattr(now, role), getattr(wanted, role)) for role in ("scanners", "printers")}
        for role, names in changed.items():
            gone[role] = tuple(names)
            for each in getattr(wanted, role):
                if each.name not in names:
                    continue
                try:
                    if role == "printers":
                        printers[each.name] = self._printer(each)
                    elif self.scanners is not None:
                        scanners[each.name] = self.scanners.built(each)
                except SettingsError as exc:
                    problems.append(f"{role}.{each.name}: {exc}")
        if problems and must:
            raise ReloadRefusedError("device_unusable", tuple(problems))
        template = None
        if now.slips.template != wanted.slips.template:
            template = await asyncio.to_thread(own_template, wanted.slips.template)
        return _Built(scanners=scanners, printers=printers, gone=gone, template=template)

    def _printer(self, settings: PrinterSettings) -> tuple[SlipPrinter, PrinterDriver]:
        driver: PrinterDriver = build(PRINTER_GROUP, settings, self._agent.clock)
        return SlipPrinter(name=settings.name, profile=Profile.of(settings), driver=driver), driver

    async def _swap(self, wanted: Settings, built: _Built) -> None:
        await self._swap_scanners(wanted, built)
        await self._swap_printers(wanted, built)
        order = [each.name for each in wanted.printers if each.name in self._slip_printers]
        self._slip_printers = {name: self._slip_printers[name] for name in order}
        self._agent.trials.put(self._slip_printers)
        scanners: list[tuple[Role, str]] = [("scanner", each.name) for each in wanted.scanners]
        self._agent.board.sort([*scanners, *(("printer", name) for name in order)])
        if self.around is not None:
            chosen = wanted.slips.printer or next(iter(self._slip_printers), "")
            self.around = structs.replace(self.around, settings=wanted, printer=self._slip_printers.get(chosen))
        for lever in self.levers:
            lever(wanted)
        self._agent.settings = wanted
        core = self._agent.open_core
        if core is not None and self.around is not None:
            use(core, self.around, built.template)

    async def _swap_scanners(self, wanted: Settings, built: _Built) -> None:
        if self.scanners is None:
            return
        await self.scanners.remove(*built.gone["scanners"])
        names = {each.name for each in wanted.scanners}
        for name in built.gone["scanners"]:
            if name not in names:
                self._agent.board.forget("scanner", name)
        for name, driver in built.scanners.items():
            self.scanners.add(name, driver)

    async def _swap_printers(self, wanted: Settings, built: _Built) -> None:
        names = {each.name for each in wanted.printers}
        for name in built.gone["printers"]:
            await self._worker.remove(name)
            self._slip_printers.pop(name, None)
            if name not in names:
                self._agent.board.forget("printer", name)
        for name, (slip_printer, driver) in built.printers.items():
            self._agent.board.note("printer", name, DeviceState.DISABLED.value)
            self._slip_printers[name] = slip_printer
            self._worker.add(name, driver)


def use(core: Core, around: Surroundings, template: tuple[SlipTemplate | None, str] | None) -> None:
    """An enrolled till works by other settings from now on; what is under way ends by those before."""
    cloud = around.settings.cloud
    core.desk.use(desk_settings(around))
    core.slip_desk.use(around.printer)
    if template is not None:
        core.watch.templates.use_own(*template)
    if core.http is not None:
        core.http.use(connect_timeout_ms=cloud.connect_timeout_ms, request_timeout_ms=cloud.request_timeout_ms)
    if core.client is not None:
        core.client.use(request_timeout_ms=cloud.request_timeout_ms)
    if core.worker is not None:
        core.worker.use(poll_interval_ms=cloud.poll_interval_ms, spread_ms=cloud.spread_ms)

"""Test slips on the running agent's printers: they go through its print queue, so that no slip is cut in two."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import msgspec

from till_agent.api import Health
from till_agent.bridge.trial_shapes import TrialPrint
from till_agent.slips.desk import SlipPrinter
from till_agent.trial_slip import new_code, trial_blocks
from till_drivers.blocks import Block
from till_drivers.spool import Spool
from till_drivers.spool_store import PrintState
from till_drivers.states import USABLE, DeviceState
from till_sync.problems import ProblemError

JOB_PREFIX = "trial:"
JOB_ID_BYTES = 6
_TAKES_A_SLIP = frozenset({*USABLE, DeviceState.BUSY})


class Trials:
    """Implements `till_agent.bridge.context.TrialCalls`. Used on the loop."""

    def __init__(self, spool: Spool, health: Callable[[], list[Health]]) -> None:
        self._spool = spool
        self._health = health
        self._printers: Mapping[str, SlipPrinter] = {}

    def put(self, printers: Mapping[str, SlipPrinter]) -> None:
        """The printers that are there, by name."""
        self._printers = printers

    def start(self, name: str, language: str) -> TrialPrint:
        """Hand a test slip to the queue; REFUSED at once for a printer that takes none, so that none comes out later.

        ProblemError 409 `no_printer` when no usable printer has that name.
        """

        def blocks(printer: SlipPrinter) -> Sequence[Block]:
            return trial_blocks(language, printer.profile, printer=name, code=code, moment=moment)

        code, moment = new_code(), datetime.now().astimezone()
        return self._print(name, blocks, code)

    def note(self, name: str, blocks: Sequence[Block]) -> TrialPrint:
        """The same with a slip of the store's own."""
        return self._print(name, lambda _printer: blocks, "")

    def _print(self, name: str, blocks_for: Callable[[SlipPrinter], Sequence[Block]], code: str) -> TrialPrint:
        printer = self._printers.get(name)
        if printer is None:
            known = ", ".join(self._printers) or "none"
            raise ProblemError(
                409, "no_printer", f"expected one of the printers that can be used ({known}), not {name!r}"
            )
        state, detail = next(
            ((each.state, each.detail) for each in self._health() if (each.role, each.device) == ("printer", name)),
            ("", ""),
        )
        if state not in _TAKES_A_SLIP:
            return TrialPrint(printer=name, state="refused", detail=detail or state)
        blocks = blocks_for(printer)
        draw = printer.drawing(drawer=False)
        job = JOB_PREFIX + secrets.token_hex(JOB_ID_BYTES)
        done = self._spool.enqueue(job_id=job, printer=name, reference=job, data=lambda: draw(blocks))
        if not done.accepted:
            return TrialPrint(printer=name, state="refused", detail=f"the print queue is {done.reason}")
        return TrialPrint(printer=name, state="queued", job=job, code=code)

    def look(self, job: str) -> TrialPrint:
        """What became of a test slip. ProblemError 404 `print_unknown`."""
        found = self._spool.get(job) if job.startswith(JOB_PREFIX) else None
        if found is None:
            raise ProblemError(404, "print_unknown", "expected the job of a test slip of this till")
        state = PrintState.QUEUED if found.waits else found.state
        told = {"printer": found.printer, "state": state.value, "detail": found.detail, "job": job}
        return msgspec.convert(told, TrialPrint)

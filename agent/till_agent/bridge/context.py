"""What the bridge's handlers work with. The composition root fills it in; tests hand in small fakes."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from till_agent.api import (
    Coupon,
    Hold,
    HoldCreate,
    Identify,
    Member,
    QueuedOp,
    Quote,
    QuoteRequest,
    ReturnRequest,
    SaleRequest,
    SaleView,
    SlipState,
    Status,
    SyncStatus,
)
from till_agent.bridge.endpoint import Observer
from till_agent.bridge.events import EventHub
from till_agent.bridge.settings_shapes import Reloaded
from till_agent.bridge.trial_shapes import TrialPrint
from till_agent.member_api import CardAttach, CodeAnswer, CodeRequest, MemberCreate
from till_agent.page_api import Flags, LogTail, MembersFound, PageFacts, Sales, SoldLines
from till_agent.report_api import Finding, Findings, Reports
from till_drivers.blocks import Block


class Answered(Protocol):
    """What a committing call of the desk gives: the answer's bytes, as they were journalled."""

    @property
    def body(self) -> bytes: ...
    @property
    def replayed(self) -> bool: ...


class DeskCalls(Protocol):
    """The sale desk (`till_agent.desk.Desk`). Raises DeskProblem."""

    async def identify(self, request: Identify, language: str | None = None, *, alone: bool = False) -> Member: ...
    async def quote(self, request: QuoteRequest) -> Quote: ...
    async def coupon(self, code: str, reference: str | None = None, language: str | None = None) -> Coupon: ...
    async def hold(self, request: HoldCreate) -> Hold: ...
    async def release(self, hold: str) -> None: ...
    async def sell(self, uid: str, request: SaleRequest) -> Answered: ...
    async def void(self, sale_uid: str, language: str | None = None, *, print_slip: bool = True) -> Answered: ...
    async def give_back(self, uid: str, request: ReturnRequest, language: str | None = None) -> Answered: ...
    async def sale(self, uid: str) -> SaleView: ...
    async def sales(self, limit: int, before: int = 0) -> Sales: ...
    async def lines(self, uid: str) -> SoldLines: ...
    async def members(self, query: str, limit: int, language: str | None = None) -> MembersFound: ...
    async def register(self, request: MemberCreate) -> Answered: ...
    async def attach_card(self, reference: str, request: CardAttach) -> Answered: ...
    async def confirm(self, request: CodeRequest) -> CodeAnswer: ...


class SlipCalls(Protocol):
    """Slips of committed sales, voids and returns. Raises DeskProblem `sale_unknown` or ProblemError `no_printer`."""

    async def blocks(self, uid: str, *, language: str, columns: int | None, kind: str) -> tuple[Block, ...]: ...
    async def text(self, uid: str, *, language: str, columns: int | None, kind: str) -> str: ...
    async def png(self, uid: str, *, language: str, columns: int | None, kind: str) -> bytes: ...
    async def escpos(self, uid: str, *, language: str, columns: int | None, kind: str) -> bytes: ...
    async def print_copy(self, uid: str, *, language: str, kind: str) -> SlipState: ...


class QueueCalls(Protocol):
    """The journal as a list of ops."""

    async def listed(self, *, waiting_only: bool, limit: int, verdict: str = "") -> tuple[int, tuple[QueuedOp, ...]]:
        """How many ops wait, and: the oldest waiting ones, oldest first; or the newest ones, newest first.

        `verdict` (rejected, adjusted): only those of which the cloud said this, newest first.
        """
        ...

    async def one(self, seq: int, epoch: int | None) -> tuple[QueuedOp, bytes] | None:
        """An op (of the current epoch if none is named) with its stored body; None when there is none."""
        ...


class SyncCalls(Protocol):
    """The exchange with the cloud."""

    async def status(self) -> SyncStatus: ...
    async def now(self) -> bool:
        """Exchange now, whatever wait is under way; False when it was not through within some seconds."""
        ...


class TrialCalls(Protocol):
    """Test slips. Raises ProblemError `no_printer` and `print_unknown`."""

    def start(self, name: str, language: str) -> TrialPrint: ...
    def note(self, name: str, blocks: Sequence[Block]) -> TrialPrint: ...
    def look(self, job: str) -> TrialPrint: ...


class ReportCalls(Protocol):
    """Frontol's sales reports (`till_agent.frontol_files.watching.ReportWatch`). Raises ProblemError."""

    async def overview(self) -> Reports: ...
    async def findings(self, *, only_open: bool, limit: int) -> Findings: ...
    async def accept(self, identity: int) -> Finding: ...
    async def dismiss(self, identity: int) -> Finding: ...


class Core(Protocol):
    """Everything that needs an enrolled till."""

    @property
    def desk(self) -> DeskCalls: ...
    @property
    def slips(self) -> SlipCalls: ...
    @property
    def queue(self) -> QueueCalls: ...


class Bridge(Observer, Protocol):
    """What the handlers see of the agent. `core` raises DeskProblem `till_not_enrolled` before the enrolment."""

    @property
    def core(self) -> Core: ...
    @property
    def sync(self) -> SyncCalls: ...
    @property
    def events(self) -> EventHub: ...
    @property
    def trials(self) -> TrialCalls: ...
    @property
    def reports(self) -> ReportCalls | None:
        """None where the configuration names no report."""
        ...

    @property
    def language(self) -> str: ...
    @property
    def version(self) -> str: ...

    def ready(self) -> str:
        """ "" when sales are taken, else the stable code of what is missing."""
        ...

    def committed(self) -> None:
        """There is a new op: it may be pushed."""
        ...

    def missing(self) -> tuple[str, ...]:
        """What sales go on without: cloud, cache, programme, printer."""
        ...

    async def status(self, language: str | None = None) -> Status: ...
    def page(self, scopes: Iterable[str]) -> PageFacts:
        """What a page must know first; `scopes` are the caller's."""
        ...

    async def flags(self, language: str | None = None) -> Flags:
        """What in cashiers' receipts a person should look at; DeskProblem without a journal."""
        ...

    def log_tail(self, after: int | None, limit: int) -> LogTail:
        """Lines of the log after one of them, oldest first; None: the newest."""
        ...

    async def reload(self) -> Reloaded:
        """Take in the configuration file; ProblemError with every problem, and then nothing has changed."""
        ...

    async def metrics(self) -> bytes:
        """Prometheus text."""
        ...

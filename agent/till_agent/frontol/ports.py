"""What the Priority API works with; the agent is it, and tests hand in a desk of fakes."""

from collections.abc import Mapping
from typing import Literal, Protocol

from till_agent.api import Hold, HoldCreate, Identify, Member, Quote, QuoteRequest, ReturnRequest, SaleRequest
from till_agent.bridge.context import Answered
from till_agent.bridge.events import EventHub
from till_agent.bridge.tokens import Client
from till_agent.member_api import CodeAnswer, CodeRequest, MemberCreate
from till_agent.page_api import SoldLines
from till_agent.ports import Entry, StoredHold
from till_drivers.blocks import Block
from till_loyalty.programme import Programme
from till_sync.ports import Clock


class FrontolDesk(Protocol):
    """The sale desk (`till_agent.desk.Desk`). Raises DeskProblem."""

    @property
    def programme(self) -> Programme | None: ...
    @property
    def sends_codes(self) -> bool: ...
    def open_holds(self, sale_uid: str) -> list[StoredHold]: ...
    async def find(self, kind: str, uid: str) -> Entry | None: ...
    async def lines(self, uid: str) -> SoldLines: ...
    async def identify(self, request: Identify, language: str | None = None) -> Member: ...
    async def quote(self, request: QuoteRequest, *, of_sale: bool = False) -> Quote: ...
    async def hold(self, request: HoldCreate) -> Hold: ...
    async def release(self, hold: str) -> None: ...
    async def sell(self, uid: str, request: SaleRequest) -> Answered: ...
    async def give_back(
        self, uid: str, request: ReturnRequest, language: str | None = None, *, print_slip: bool = True
    ) -> Answered: ...
    async def register(self, request: MemberCreate, *, commit: bool = True) -> Answered: ...
    async def confirm(self, request: CodeRequest) -> CodeAnswer: ...


class FrontolSlips(Protocol):
    """Slips of committed documents. Raises DeskProblem and RenderError."""

    async def blocks(
        self, uid: str, *, language: str, columns: int | None, kind: str = "sale"
    ) -> tuple[Block, ...]: ...


class FrontolCore(Protocol):
    """What needs an enrolled till."""

    @property
    def desk(self) -> FrontolDesk: ...
    @property
    def slips(self) -> FrontolSlips: ...


class FrontolAgent(Protocol):
    """The agent (`till_agent.facade.Agent`); `core` raises DeskProblem before the enrolment."""

    @property
    def core(self) -> FrontolCore: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def events(self) -> EventHub: ...
    @property
    def language(self) -> str: ...

    def committed(self) -> None: ...
    def refused(self, reason: str) -> None: ...
    def answered(self, operation: str, status: int, seconds: float) -> None: ...
    def cashier(self, code: str, status: int, numbers: Mapping[str, int | str] | None = None) -> str: ...


class FrontolAccess(Protocol):
    """Who may call (`till_agent.bridge.tokens.Tokens`)."""

    def find_frontol(self, authorization: bytes, body: bytes) -> Client | None:
        """The client whose access key made this `FrontolAuth` of this very body; None when it is nobody's."""
        ...


class FrontolLimits(Protocol):
    """How often (`till_agent.bridge.limits.RateLimiter`)."""

    def take(self, client: str) -> int:
        """0 when a call of that client may pass, else the milliseconds to wait."""
        ...

    def failed(self, kind: Literal["frontol"]) -> int:
        """A wrong key was tried: 0 when that may be told, else the milliseconds until it may."""
        ...

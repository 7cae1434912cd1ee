"""The calls of the bridge as methods, for asyncio. Made by `make reference`; a test keeps them."""

from typing import Any, Literal

from till_agent.api import (
    Coupon,
    Hold,
    HoldCreate,
    Identify,
    Language,
    Member,
    Quote,
    QuoteRequest,
    ReturnRequest,
    Reversed,
    Sale,
    SaleRequest,
    SaleView,
    SlipState,
)
from till_agent.bridge.pairing_shapes import Pairings, TokensRead
from till_agent.bridge.settings_shapes import Reloaded
from till_agent.bridge.shapes import Live, Queue, QueuedOpBody, Ready
from till_agent.bridge.trial_shapes import NotePrint, TrialPrint
from till_agent.client.async_slip_calls import AsyncSlipCalls
from till_agent.member_api import CardAttach, CardAttached, CodeAnswer, CodeRequest, MemberCreate, MemberCreated
from till_agent.page_api import (
    Flags,
    LogTail,
    MembersFound,
    PageFacts,
    Paired,
    PairingCode,
    PairingCodeRequest,
    PairingRequest,
    Sales,
    SoldLines,
)
from till_agent.report_api import Decided, Findings, Reports
from till_agent.told_api import Status, SyncStatus


class AsyncCalls(AsyncSlipCalls):
    """One method for each call. ClientError as `till_agent.client.exceptions` tells them."""

    async def quote(self, request: QuoteRequest, *, timeout_ms: int | None = None) -> Quote:
        """What a receipt would give; changes nothing."""
        return await self._call("quote", Quote, request=request, timeout_ms=timeout_ms)

    async def identify(
        self,
        request: Identify,
        *,
        language: Language | None = None,
        alone: Literal["true", "false"] | None = None,
        timeout_ms: int | None = None,
    ) -> Member:
        """Whose card, phone or code this is, and what they have."""
        return await self._call(
            "identify", Member, query={"language": language, "alone": alone}, request=request, timeout_ms=timeout_ms
        )

    async def sell(self, uid: str, request: SaleRequest, *, timeout_ms: int | None = None) -> Sale:
        """Commit a sale: durable on this till before the answer leaves. The same uid and body give it again."""
        return await self._call("sell", Sale, path={"uid": uid}, request=request, timeout_ms=timeout_ms)

    async def sale(self, uid: str, *, timeout_ms: int | None = None) -> SaleView:
        """A sale as it stands, and what the cloud said to it."""
        return await self._call("sale", SaleView, path={"uid": uid}, timeout_ms=timeout_ms)

    async def void(
        self,
        uid: str,
        *,
        language: Language | None = None,
        print_slip: Literal["true", "false"] | None = None,
        timeout_ms: int | None = None,
    ) -> Reversed:
        """Cancel a whole sale. Again for the same sale gives the first answer."""
        return await self._call(
            "void",
            Reversed,
            path={"uid": uid},
            query={"language": language, "print_slip": print_slip},
            timeout_ms=timeout_ms,
        )

    async def return_(
        self, uid: str, request: ReturnRequest, *, language: Language | None = None, timeout_ms: int | None = None
    ) -> Reversed:
        """Take goods back, whole or in part. The cloud is asked about a sale of another till."""
        return await self._call(
            "return", Reversed, path={"uid": uid}, query={"language": language}, request=request, timeout_ms=timeout_ms
        )

    async def coupon(
        self,
        code: str,
        *,
        reference: str | None = None,
        language: Language | None = None,
        timeout_ms: int | None = None,
    ) -> Coupon:
        """Whether a coupon's code is good here and now, for this member; asks the cloud about codes that count."""
        return await self._call(
            "coupon",
            Coupon,
            path={"code": code},
            query={"reference": reference, "language": language},
            timeout_ms=timeout_ms,
        )

    async def hold(self, request: HoldCreate, *, timeout_ms: int | None = None) -> Hold:
        """Reserve points at the cloud for one receipt; expires by itself."""
        return await self._call("hold", Hold, request=request, timeout_ms=timeout_ms)

    async def release(self, hold: str, *, timeout_ms: int | None = None) -> None:
        """Give reserved points back."""
        await self._call("release", type(None), path={"hold": hold}, timeout_ms=timeout_ms)

    async def register(self, request: MemberCreate, *, timeout_ms: int | None = None) -> MemberCreated:
        """Register a person, step by step under one uid; durable on this till when it answers `registered`."""
        return await self._call("register", MemberCreated, request=request, timeout_ms=timeout_ms)

    async def members(
        self,
        *,
        query: str | None = None,
        limit: int | None = None,
        language: Language | None = None,
        timeout_ms: int | None = None,
    ) -> MembersFound:
        """Members by what a person remembers: the name, the last digits of phone or card."""
        return await self._call(
            "members", MembersFound, query={"query": query, "limit": limit, "language": language}, timeout_ms=timeout_ms
        )

    async def attach(self, reference: str, request: CardAttach, *, timeout_ms: int | None = None) -> CardAttached:
        """Give a member a card."""
        return await self._call(
            "attach", CardAttached, path={"reference": reference}, request=request, timeout_ms=timeout_ms
        )

    async def confirm(self, request: CodeRequest, *, timeout_ms: int | None = None) -> CodeAnswer:
        """Have a one-time code sent to a member who wants to spend much, then hand in what they say."""
        return await self._call("confirm", CodeAnswer, request=request, timeout_ms=timeout_ms)

    async def print(self, uid: str, *, language: Language | None = None, timeout_ms: int | None = None) -> SlipState:
        """Print the slip again, marked as a copy."""
        return await self._call(
            "print", SlipState, path={"uid": uid}, query={"language": language}, timeout_ms=timeout_ms
        )

    async def print_void(
        self, uid: str, *, language: Language | None = None, timeout_ms: int | None = None
    ) -> SlipState:
        """Print the slip of a sale's void again, marked as a copy."""
        return await self._call(
            "print_void", SlipState, path={"uid": uid}, query={"language": language}, timeout_ms=timeout_ms
        )

    async def print_return(
        self, uid: str, *, language: Language | None = None, timeout_ms: int | None = None
    ) -> SlipState:
        """Print the slip of a return again, marked as a copy."""
        return await self._call(
            "print_return", SlipState, path={"uid": uid}, query={"language": language}, timeout_ms=timeout_ms
        )

    async def try_printer(
        self, printer: str, *, language: Language | None = None, timeout_ms: int | None = None
    ) -> TrialPrint:
        """Print a test slip: letters of every language, the code page, the width, a QR code to read back."""
        return await self._call(
            "try_printer", TrialPrint, path={"printer": printer}, query={"language": language}, timeout_ms=timeout_ms
        )

    async def print_note(self, printer: str, request: NotePrint, *, timeout_ms: int | None = None) -> TrialPrint:
        """Print a slip for the store itself; nothing of it is kept once it is printed."""
        return await self._call(
            "print_note", TrialPrint, path={"printer": printer}, request=request, timeout_ms=timeout_ms
        )

    async def tried(self, job: str, *, language: Language | None = None, timeout_ms: int | None = None) -> TrialPrint:
        """What became of a test slip."""
        return await self._call(
            "tried", TrialPrint, path={"job": job}, query={"language": language}, timeout_ms=timeout_ms
        )

    async def reload(self, *, timeout_ms: int | None = None) -> Reloaded:
        """Take in the configuration file as it is now: all that needs no restart, or, where it is bad, nothing."""
        return await self._call("reload", Reloaded, timeout_ms=timeout_ms)

    async def reports(self, *, timeout_ms: int | None = None) -> Reports:
        """Frontol's sales reports: how far each was read, and what became of their documents."""
        return await self._call("reports", Reports, timeout_ms=timeout_ms)

    async def findings(
        self, *, which: Literal["open", "all"] | None = None, limit: int | None = None, timeout_ms: int | None = None
    ) -> Findings:
        """Documents of the reports that the journal does not have, or has otherwise."""
        return await self._call("findings", Findings, query={"which": which, "limit": limit}, timeout_ms=timeout_ms)

    async def accept_finding(self, finding: str, *, timeout_ms: int | None = None) -> Decided:
        """Journal the document of a finding, under its own uid: once, however often it is asked for."""
        return await self._call("accept_finding", Decided, path={"finding": finding}, timeout_ms=timeout_ms)

    async def dismiss_finding(self, finding: str, *, timeout_ms: int | None = None) -> Decided:
        """A person has seen the finding, and nothing is to be done."""
        return await self._call("dismiss_finding", Decided, path={"finding": finding}, timeout_ms=timeout_ms)

    async def page(self, *, timeout_ms: int | None = None) -> PageFacts:
        """What a page must know before it shows anything; nothing personal."""
        return await self._call("page", PageFacts, timeout_ms=timeout_ms)

    async def sales(
        self, *, limit: int | None = None, before: int | None = None, timeout_ms: int | None = None
    ) -> Sales:
        """The sales of this till, newest first."""
        return await self._call("sales", Sales, query={"limit": limit, "before": before}, timeout_ms=timeout_ms)

    async def sale_lines(self, uid: str, *, timeout_ms: int | None = None) -> SoldLines:
        """The lines of a sale of this till, and what of each may still come back."""
        return await self._call("sale_lines", SoldLines, path={"uid": uid}, timeout_ms=timeout_ms)

    async def flags(self, *, language: Language | None = None, timeout_ms: int | None = None) -> Flags:
        """What in cashiers' receipts of the last weeks a person should look at; nothing is ever blocked by it."""
        return await self._call("flags", Flags, query={"language": language}, timeout_ms=timeout_ms)

    async def logs(
        self, *, after: int | None = None, limit: int | None = None, timeout_ms: int | None = None
    ) -> LogTail:
        """The newest lines of the agent's log, cleaned as the log itself is."""
        return await self._call("logs", LogTail, query={"after": after, "limit": limit}, timeout_ms=timeout_ms)

    async def pairing_code(self, request: PairingCodeRequest, *, timeout_ms: int | None = None) -> PairingCode:
        """A one-time code by which a browser of this machine is made known."""
        return await self._call("pairing_code", PairingCode, request=request, timeout_ms=timeout_ms)

    async def pair(self, request: PairingRequest, *, timeout_ms: int | None = None) -> Paired:
        """Trade a one-time code for a token; for pages of the bridge itself alone."""
        return await self._call("pair", Paired, request=request, timeout_ms=timeout_ms)

    async def pairings(self, *, timeout_ms: int | None = None) -> Pairings:
        """The browsers that are known."""
        return await self._call("pairings", Pairings, timeout_ms=timeout_ms)

    async def forget_pairing(self, client: str, *, timeout_ms: int | None = None) -> None:
        """Forget a browser: its token is refused from now on."""
        await self._call("forget_pairing", type(None), path={"client": client}, timeout_ms=timeout_ms)

    async def read_tokens(self, *, timeout_ms: int | None = None) -> TokensRead:
        """Read the files of the clients' tokens again, after one was changed."""
        return await self._call("read_tokens", TokensRead, timeout_ms=timeout_ms)

    async def status(self, *, language: Language | None = None, timeout_ms: int | None = None) -> Status:
        """Everything store IT needs at a glance; nothing personal."""
        return await self._call("status", Status, query={"language": language}, timeout_ms=timeout_ms)

    async def queue(
        self,
        *,
        which: Literal["waiting", "newest", "rejected", "adjusted"] | None = None,
        limit: int | None = None,
        timeout_ms: int | None = None,
    ) -> Queue:
        """The ops of this till and what the cloud said to them."""
        return await self._call("queue", Queue, query={"which": which, "limit": limit}, timeout_ms=timeout_ms)

    async def queued(self, seq: str, *, epoch: int | None = None, timeout_ms: int | None = None) -> QueuedOpBody:
        """One op with its body."""
        return await self._call(
            "queued", QueuedOpBody, path={"seq": seq}, query={"epoch": epoch}, timeout_ms=timeout_ms
        )

    async def sync(self, *, timeout_ms: int | None = None) -> SyncStatus:
        """How the exchange with the cloud stands."""
        return await self._call("sync", SyncStatus, timeout_ms=timeout_ms)

    async def sync_now(self, *, timeout_ms: int | None = None) -> SyncStatus:
        """Exchange with the cloud now; answers with how it went."""
        return await self._call("sync_now", SyncStatus, timeout_ms=timeout_ms)

    async def livez(self, *, timeout_ms: int | None = None) -> Live:
        """The process answers."""
        return await self._call("livez", Live, timeout_ms=timeout_ms)

    async def readyz(self, *, timeout_ms: int | None = None) -> Ready:
        """Whether sales are taken."""
        return await self._call("readyz", Ready, timeout_ms=timeout_ms)

    async def metrics(self, *, timeout_ms: int | None = None) -> str:
        """Figures for Prometheus."""
        return await self._call("metrics", str, timeout_ms=timeout_ms)

    async def openapi(self, *, timeout_ms: int | None = None) -> dict[str, Any]:
        """This description."""
        return await self._call("openapi", dict[str, Any], timeout_ms=timeout_ms)

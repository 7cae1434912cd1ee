"""What a till does whose journal can't be opened at its start: receipts of nobody go on, and are not kept.

Everything about members is refused, what could be read of them too: own operations stand in the journal alone, and a
balance without them may be one that the member has spent already. Of the programme nothing is known either, for the
cache is a file on the same disk, with its newest part in a log that can't be opened without writing.
"""

# ruff: noqa: ARG002 - each call has the arguments that the desk takes, and refuses whatever they are

from typing import NoReturn

from till_agent.api import (
    Coupon,
    Hold,
    HoldCreate,
    Identify,
    Member,
    Quote,
    QuoteRequest,
    ReturnRequest,
    SaleRequest,
    SaleView,
)
from till_agent.balances import OwnEffects
from till_agent.bridge.context import QueueCalls
from till_agent.cache import CacheStore
from till_agent.core import CACHE_FILE, JOURNAL_FILE, Surroundings, desk_settings, slip_parts, store_of
from till_agent.desk import Desk, DeskParts
from till_agent.desk.answers import Answered
from till_agent.desk.problems import problem
from till_agent.gateways import Gateways
from till_agent.journal import DiskJournal, EpochKeeper, Place
from till_agent.member_api import CardAttach, CodeAnswer, CodeRequest, MemberCreate
from till_agent.page_api import MembersFound, Sales, SoldLines
from till_agent.ports import Entry, StoredHold
from till_loyalty.programme import Programme
from till_sync.identity import Identity


class WithoutDisk:
    """Stands for the core until there is a disk. All but plain quotes and sales is DeskProblem `journal_unavailable`.

    `why`: what the journal said.
    """

    def __init__(self, identity: Identity, around: Surroundings, why: str) -> None:
        self.why = why
        self.desk = PlainDesk(_desk_without_files(identity, around), why)

    @property
    def slips(self) -> NoReturn:
        """There is nothing to print."""
        _refuse(self.why)

    @property
    def queue(self) -> QueueCalls:
        """Nobody knows what waits."""
        _refuse(self.why)

    async def sync_now(self) -> bool:
        """There is nothing to send, and nowhere to keep what would come."""
        _refuse(self.why)


class PlainDesk:
    """Implements `till_agent.bridge.context.DeskCalls`. Used on the loop."""

    def __init__(self, desk: Desk, why: str) -> None:
        self._desk = desk
        self._why = why

    async def quote(self, request: QuoteRequest, *, of_sale: bool = False) -> Quote:
        """Of a receipt that is nobody's: as before the first programme has come."""
        if request.member is not None or request.codes or request.redeem_points:
            _refuse(self._why)
        return await self._desk.quote(request, of_sale=of_sale)

    async def find(self, kind: str, uid: str) -> Entry | None:
        """Nothing can be read: what was committed before is answered so again, or not kept again."""
        return None

    def open_holds(self, sale_uid: str) -> list[StoredHold]:
        """None is known."""
        return []

    @property
    def programme(self) -> Programme | None:
        """None is known."""
        return None

    @property
    def sends_codes(self) -> bool:
        """There are no members without a disk."""
        return False

    async def sell(self, uid: str, request: SaleRequest) -> Answered:
        """A plain sale is answered with `kept` false; any other is refused by the journal that is not there."""
        return await self._desk.sell(uid, request)

    async def identify(self, request: Identify, language: str | None = None, *, alone: bool = False) -> Member:
        """Refused."""
        _refuse(self._why)

    async def coupon(self, code: str, reference: str | None = None, language: str | None = None) -> Coupon:
        """Refused."""
        _refuse(self._why)

    async def hold(self, request: HoldCreate) -> Hold:
        """Refused."""
        _refuse(self._why)

    async def release(self, hold: str) -> None:
        """Refused."""
        _refuse(self._why)

    async def void(self, sale_uid: str, language: str | None = None, *, print_slip: bool = True) -> Answered:
        """Refused."""
        _refuse(self._why)

    async def give_back(
        self, uid: str, request: ReturnRequest, language: str | None = None, *, print_slip: bool = True
    ) -> Answered:
        """Refused."""
        _refuse(self._why)

    async def sale(self, uid: str) -> SaleView:
        """Refused."""
        _refuse(self._why)

    async def sales(self, limit: int, before: int = 0) -> Sales:
        """Refused."""
        _refuse(self._why)

    async def lines(self, uid: str) -> SoldLines:
        """Refused."""
        _refuse(self._why)

    async def members(self, query: str, limit: int, language: str | None = None) -> MembersFound:
        """Refused."""
        _refuse(self._why)

    async def register(self, request: MemberCreate, *, commit: bool = True) -> Answered:
        """Refused."""
        _refuse(self._why)

    async def attach_card(self, reference: str, request: CardAttach) -> Answered:
        """Refused."""
        _refuse(self._why)

    async def confirm(self, request: CodeRequest) -> CodeAnswer:
        """Refused."""
        _refuse(self._why)


def _refuse(why: str) -> NoReturn:
    raise problem("journal_unavailable", why)


def _desk_without_files(identity: Identity, around: Surroundings) -> Desk:
    """The desk over a journal and a cache that were not started: the one takes nothing, the other knows nobody."""
    folder, clock, effects = around.identity_path.parent, around.clock, OwnEffects()
    cache = CacheStore(folder / CACHE_FILE, identity.till, clock=clock)
    place = Place(
        path=folder / JOURNAL_FILE,
        till=identity.till,
        keeper=EpochKeeper(identity.last_epoch, _never),
        clock=clock,
        included=lambda: cache.floor,
    )
    journal = DiskJournal(place, effects)
    watch, slips = slip_parts(identity, around, cache)
    return Desk(
        DeskParts(
            identity=store_of(identity),
            journal=journal,
            cache=cache,
            pending=effects,
            holds=journal.holds,
            gateway=Gateways().holds,
            slips=slips,
            clock=clock,
            settings=desk_settings(around),
            templates=watch.templates,
        )
    )


def _never(epoch: int) -> None:
    """No journal is opened, so none is begun."""

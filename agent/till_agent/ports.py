"""What the sale desk and the bridge need from the agent's stores and devices. Implemented in `journal/`, `cache/`,
`slips/` and `devices/`; faked in tests.
"""

from collections.abc import Callable
from typing import Protocol, TypeVar

from msgspec import Struct

from till_agent.api import Health, SlipState
from till_loyalty.programme import Programme
from till_loyalty.receipt import Place, Usage
from till_sync.asking import (
    ConfirmationAnswer,
    ConfirmationRequest,
    CouponAnswer,
    CouponQuestion,
    HoldAnswer,
    HoldRequest,
    MemberAnswer,
    MemberQuestion,
    SaleAnswer,
    SaleQuestion,
)
from till_sync.ops import OpId, Subject
from till_sync.wallet_use import NO_USE, WalletUse
from till_sync.wire import MemberRow, OpResult

T = TypeVar("T")


class Entry(Struct, frozen=True, kw_only=True):
    """One journal row as read back, its hashes checked. `about_uid` is the sale that a void or return speaks of."""

    op_id: OpId
    kind: str
    uid: str
    about_uid: str
    request_digest: bytes
    body: bytes
    answer: bytes
    at_wall_ms: int


class Draft(Struct, frozen=True, kw_only=True):
    """One row to be written; `body` is canonical (`till_sync.ops.encode_body`), `answer` what the client is told.

    `subject` and `effect_points` tell the pending balances what the op changes until the cloud's figure includes it.
    """

    kind: str
    uid: str
    about_uid: str
    request_digest: bytes
    body: bytes
    answer: bytes
    subject: Subject
    effect_points: int
    at_wall_ms: int
    hold: str = ""
    """The hold that this op resolves: the sale that uses it, the hold-release that gives it back. Its stored state
    becomes `used` or `released` in the same transaction."""


class JournalReader(Protocol):
    """Reads inside the writer's transaction: what it says holds until the draft that depends on it is committed."""

    @property
    def next_op_id(self) -> OpId: ...
    def find(self, kind: str, uid: str) -> Entry | None: ...
    def about(self, sale_uid: str) -> list[Entry]:
        """Voids and returns of a sale, in order."""
        ...

    def verdict(self, op_id: OpId) -> OpResult | None: ...
    def recent(self, limit: int) -> list[Entry]: ...
    def by_op(self, op_id: OpId) -> Entry | None: ...
    def sales(self, before: int, limit: int) -> list[tuple[OpId, int]]:
        """The newest sales, or those before a row id, newest first, with the size of each body."""
        ...


class Committed(Struct, frozen=True, kw_only=True):
    """What the desk gets back; `replayed` when the row was there before."""

    entry: Entry
    replayed: bool


class Journal(Protocol):
    """The till's precious record. An awaited `commit` has been fsynced when it returns."""

    async def commit(self, decide: Callable[[JournalReader], Draft | Entry]) -> Committed:
        """Run `decide` in the writer thread, serialised with all other commits. A Draft is written; an Entry means
        "this was done before" and is handed back as a replay. What `decide` raises is raised here, nothing written.
        Raises JournalUnavailable when the disk refuses.
        """
        ...

    async def read(self, query: Callable[[JournalReader], T]) -> T:
        """Run `query` in the writer thread without a transaction of its own."""
        ...


class CachedMember(Struct, frozen=True, kw_only=True):
    """A member's row and how old it is. `as_of_ms` is the cloud's time of the page that brought it."""

    row: MemberRow
    as_of_ms: int
    included: tuple[int, int]
    """(epoch, seq) of the last own op that `row.balance` includes."""
    facts_included: tuple[int, int] = (0, 0)
    """The same of `row.facts` and `row.inactive`: a verdict brings a balance and no facts."""


class Shares(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is `left` of this till's share of each rule's budget, by rule id, own ops up to `included` taken off."""

    left: dict[str, int] = {}
    included: tuple[int, int] = (0, 0)


class CachedGrant(Struct, frozen=True, kw_only=True):
    """What this till was granted of a member's points (`wire.GrantRow`); own ops up to `included` are taken off."""

    member_id: str
    points: int
    epoch: int
    recall: int = 0
    until_ms: int = 0
    included: tuple[int, int] = (0, 0)


class Seen(Struct, frozen=True, kw_only=True, array_like=True):
    """When the cloud's newest page came, by the till's clocks; its own time of that page is `Cache.as_of_ms`."""

    mono_ms: int
    boot: str
    wall_ms: int


class Cache(Protocol):
    """The replaceable copy of the cloud's data; reads are indexed look-ups on their own connection, on the loop."""

    def by_tag(self, tag: str) -> CachedMember | None: ...
    def by_id(self, member_id: str) -> CachedMember | None: ...
    def programme(self) -> "CachedProgramme | None": ...
    def programme_version(self, programme_id: str, version: int) -> Programme | None: ...
    @property
    def as_of_ms(self) -> int:
        """Cloud's time of the last stored page; 0 when there was none."""
        ...

    @property
    def member_count(self) -> int: ...
    @property
    def shares(self) -> Shares: ...
    @property
    def place(self) -> Place | None:
        """Where the till stands; None when the cloud has not said."""
        ...

    @property
    def seen(self) -> Seen | None: ...
    def grant(self, member_id: str) -> CachedGrant | None: ...
    def grants_due(self, cloud_ms: int, limit: int) -> list[CachedGrant]:
        """Grants that the cloud wants back, or that end by `cloud_ms` of its time."""
        ...

    def granted(self, epoch: int) -> tuple[int, int]:
        """Grants of an epoch and their points, as pages brought them."""
        ...

    @property
    def filling(self) -> bool:
        """Is a pull from the beginning under way, so that members may be missing?"""
        ...

    @property
    def window_days(self) -> int:
        """In how many days the members held here were seen in this store; 0: these are all that the chain has."""
        ...

    async def take(self, answer: MemberAnswer) -> bool:
        """Hold a member whom the cloud was asked about; whether that was possible. CacheUnavailable."""
        ...

    @property
    def finder(self) -> "MemberFinder": ...


class Asked(Protocol):
    """A query of the member search (`till_agent.cache.matching.Wanted`)."""

    @property
    def words(self) -> tuple[str, ...]: ...
    @property
    def digits(self) -> str: ...
    def fits_row(self, row: MemberRow) -> bool: ...


class FoundMembers(Protocol):
    """Members that fit. `more`: others do too; `partial`: not all could be looked at yet, there may be others."""

    @property
    def members(self) -> tuple[CachedMember, ...]: ...
    @property
    def more(self) -> bool: ...
    @property
    def partial(self) -> bool: ...


class MemberFinder(Protocol):
    """Searches the cache in a thread of its own (`till_agent.cache.searching.Search`)."""

    def prepare(self) -> None:
        """Somebody may search soon."""
        ...

    async def find(self, asked: Asked, limit: int) -> FoundMembers: ...


class CachedProgramme(Struct, frozen=True, kw_only=True):
    """The programme to sell by, parsed once and kept."""

    programme: Programme
    digest: str


class PendingFacts(Struct, frozen=True, kw_only=True):
    """What own ops changed of a member's facts, to be added to the cached ones. `last_purchase` "": no sale of ours.

    `inactive`: points that own sales gave and the date from which they may be spent. `wallet`: the newest wallet codes
    that own sales used.
    """

    usage: tuple[Usage, ...] = ()
    purchases: int = 0
    last_purchase: str = ""
    inactive: tuple[tuple[str, int], ...] = ()
    wallet: WalletUse = NO_USE


class OfflineSpent(Struct, frozen=True, kw_only=True):
    """What own ops took of this till's grant for a member, gave back of it, and spent within the floor limit."""

    granted: int = 0
    released: int = 0
    floor: int = 0


class PendingBalances(Protocol):
    """Effects of own ops by subject key, in memory, rebuilt from the journal at start."""

    def add(self, subject: Subject, op_id: OpId, effect_points: int) -> None: ...
    def effect(self, keys: tuple[str, ...], included: tuple[int, int]) -> int:
        """Sum of the effects on any of `keys` by ops after `included`."""
        ...

    def facts(self, keys: tuple[str, ...], included: tuple[int, int]) -> PendingFacts:
        """What ops on any of `keys` after `included` changed of the facts."""
        ...

    def given(self, rule: str, included: tuple[int, int]) -> int:
        """What own sales after `included` took of a rule's budget."""
        ...

    def code_uses(self, coupon: str, code: str) -> int:
        """Uses of a coupon's code (normalised) in own ops that the cache may not include."""
        ...

    def offline_spent(self, member_id: str, included: tuple[int, int]) -> OfflineSpent:
        """`granted` and `released` by ops after `included`; `floor` by all that the cache may not include."""
        ...

    @property
    def floor_points(self) -> int:
        """Floor spending of all members in own ops that the cache may not include."""
        ...


class HoldGateway(Protocol):
    """Asks the cloud to reserve points, within the bridge's time budget; raises CloudUnreachable past it."""

    @property
    def online(self) -> bool: ...
    async def reserve(self, request: HoldRequest, *, budget_ms: int) -> HoldAnswer: ...


class CouponGateway(Protocol):
    """Asks the cloud how often codes were used; raises CloudUnreachable when there is no answer within the budget."""

    async def ask(self, question: CouponQuestion, *, budget_ms: int) -> CouponAnswer: ...


class MemberGateway(Protocol):
    """Asks the cloud who was just named; CloudUnreachable when there is no answer within the budget."""

    @property
    def online(self) -> bool: ...
    async def find(self, question: MemberQuestion, *, budget_ms: int) -> MemberAnswer: ...


class SaleGateway(Protocol):
    """Asks the cloud about a sale of any till; CloudUnreachable past the budget, SaleRefused for none or several."""

    @property
    def online(self) -> bool: ...
    async def find(self, question: SaleQuestion, *, budget_ms: int) -> SaleAnswer: ...


class ConfirmationGateway(Protocol):
    """Asks the cloud to send and to compare one-time codes; CloudUnreachable past the budget, CodeRefused for a no."""

    @property
    def online(self) -> bool: ...
    async def start(self, request: ConfirmationRequest, *, budget_ms: int) -> ConfirmationAnswer: ...
    async def give(self, confirmation: str, code: str, *, budget_ms: int) -> ConfirmationAnswer: ...


class HoldStore(Protocol):
    """Durable memory of holds that this till asked for; an unresolved one is released by an op, never forgotten."""

    async def remember(self, request: HoldRequest, deadline_mono_ms: int) -> None: ...
    async def granted(self, answer: HoldAnswer, deadline_mono_ms: int) -> None: ...
    async def own(self, request: HoldRequest, deadline_mono_ms: int) -> None:
        """A hold that the till gives itself: granted at once, in one step."""
        ...

    async def refused(self, hold: str) -> None:
        """The cloud said no, or never heard of it, so nothing is reserved and no op need give it back."""
        ...

    def get(self, hold: str) -> "StoredHold | None": ...
    def for_member(self, member_id: str) -> int:
        """Points in own open holds of a member."""
        ...

    def unresolved(self) -> "list[StoredHold]":
        """Holds in state asked or granted, oldest first, whatever their deadline."""
        ...

    async def of_voucher(self, voucher: str) -> "list[StoredHold]":
        """Every hold that this till ever gave itself for a voucher, whatever its state."""
        ...


class StoredHold(Struct, frozen=True, kw_only=True):
    """`state`: asked (answer not seen), granted, used, released."""

    hold: str
    sale_uid: str
    member_id: str
    points: int
    state: str
    deadline_mono_ms: int
    boot: str


class SlipDesk(Protocol):
    """Makes slips of committed sales and hands them to the print spool; never raises into a sale."""

    def enqueue(self, entry: Entry, *, language: str, copy: bool = False) -> SlipState: ...
    def state(self, kind: str, uid: str) -> SlipState:
        """Of the newest slip of that sale, void or return."""
        ...


class DeviceBoard(Protocol):
    """Current health of every device."""

    def health(self) -> list[Health]: ...

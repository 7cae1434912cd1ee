"""What the sale desk is built from, and who the till is."""

from collections.abc import Callable
from dataclasses import dataclass, field

from msgspec import Struct

from till_agent.ports import (
    Cache,
    ConfirmationGateway,
    CouponGateway,
    HoldGateway,
    HoldStore,
    Journal,
    MemberGateway,
    PendingBalances,
    SaleGateway,
    SlipDesk,
)
from till_agent.registrations import Registrations
from till_agent.slips.templates import SlipTemplates
from till_sync.phone_tags import NO_SLOW_TAGS, PhoneTags
from till_sync.ports import Clock


class StoreIdentity(Struct, frozen=True, kw_only=True):
    """Who this till is, from enrolment. `identifier_key` is the chain's key that turns numbers into tags."""

    till: str
    store: str
    store_name: str
    time_zone: str
    identifier_key: bytes
    cloud_key: str = ""
    """By which vouchers and wallet codes are checked; "": none is taken here."""

    def __repr__(self) -> str:
        """Without the key: reprs end up in logs."""
        return f"StoreIdentity(till={self.till!r}, store={self.store!r})"


class DeskSettings(Struct, frozen=True, kw_only=True):
    """`language` is the till's; `print_slips` False prints on request only; `columns` is the slip preview's width.

    `code_budget_ms`: a one-time code goes through a provider of messages, which takes longer than the cloud itself.
    """

    language: str = "ru"
    cloud_budget_ms: int = 800
    code_budget_ms: int = 3_000
    print_slips: bool = True
    columns: int = 48


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskParts:
    """The ports that the desk works through. `identity` is None until the till is enrolled."""

    identity: StoreIdentity | None
    journal: Journal
    cache: Cache
    pending: PendingBalances
    holds: HoldStore
    gateway: HoldGateway
    slips: SlipDesk
    clock: Clock
    settings: DeskSettings
    templates: SlipTemplates = field(default_factory=SlipTemplates)
    """What slips are made by."""
    coupons: CouponGateway | None = None
    """Who to ask about codes; None where there is no cloud to ask."""
    confirmations: ConfirmationGateway | None = None
    """Who sends one-time codes; None where there is no cloud to ask."""
    sales: SaleGateway | None = None
    """Who knows the sales of other tills; None where there is no cloud to ask."""
    members: MemberGateway | None = None
    """Who knows members whom this till does not hold; None where there is no cloud to ask."""
    epoch: Callable[[], int] = lambda: 0
    """The journal's own, which this till's grants are bound to; 0, which no journal has: none is used."""
    epoch_began_ms: Callable[[], int] = lambda: 0
    """When that journal began, by this machine's wall clock; 0: no other was before it."""
    cloud_key: Callable[[], str] = lambda: ""
    """By which vouchers are checked, where the cloud has said so since the enrolment; "" for the identity's own."""
    wallet_keys: Callable[[], tuple[str, ...]] = tuple
    """The chain's secrets (hex) of wallet codes that change by the clock; none: no such code is taken."""
    seal_key: Callable[[], str] = lambda: ""
    """What people who register are sealed to, so that the journal does not say who they are; "": it is in clear."""
    phone_tags: Callable[[], PhoneTags] = lambda: NO_SLOW_TAGS
    """Which tags of phones the chain has."""
    nudge: Callable[[], None] = lambda: None
    """There is an op that somebody waits for: push now."""
    registrations: Registrations = field(default_factory=Registrations)
    """Who registered here and is not in the cache yet."""

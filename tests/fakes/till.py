"""A whole till of fakes around the real desk, and the people and goods that its tests sell."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from fakes.cache import FakeCache
from fakes.clock import FakeClock
from fakes.confirmations import FakeConfirmations
from fakes.holds import FakeHoldGateway, FakeHoldStore
from fakes.journal import FakeJournal
from fakes.pending import FakePending
from fakes.sales import FakeSales
from fakes.slips import FakeSlipDesk
from till_agent.desk import Desk, DeskParts, DeskSettings, StoreIdentity
from till_agent.ports import CachedGrant, MemberGateway, Seen
from till_agent.registrations import Registrations
from till_loyalty.identifiers import tag
from till_loyalty.programme import CardRange, Exclusion, Identifiers, Match, Programme, Redemption, Rule, Tier
from till_loyalty.receipt import Line, Receipt
from till_sync import vouchers
from till_sync.keys import public_of
from till_sync.phone_tags import NO_SLOW_TAGS
from till_sync.vouchers import Voucher
from till_sync.wire import MemberRow

T = TypeVar("T")

KEY = b"k" * 32
ANNA_CARD = "2900000000018"
ANNA_PHONE = "+79161231234"
ANNA_TAGS = (tag(KEY, "card", ANNA_CARD), tag(KEY, "phone", ANNA_PHONE))
STRANGER_CARD = "2900000000025"
STRANGER_TAG = tag(KEY, "card", STRANGER_CARD)

CLOUD_PRIVATE_KEY = "07" * 32
"""What the chain's cloud signs vouchers with."""

IDENTITY = StoreIdentity(
    till="t1",
    store="s1",
    store_name="Аптека № 1",
    time_zone="Asia/Almaty",
    identifier_key=KEY,
    cloud_key=public_of(CLOUD_PRIVATE_KEY),
)

PROGRAMME = Programme(
    format=1,
    id="demo",
    version=1,
    currency="RUB",
    points_name={
        "ru": {"one": "бонус", "few": "бонуса", "many": "бонусов"},
        "uk": {"one": "бонус", "few": "бонуси", "many": "бонусів", "other": "бонуса"},
        "kk": {"one": "бонус", "other": "бонус"},
        "ky": {"one": "бонус", "other": "бонус"},
        "en": {"one": "point", "other": "points"},
    },
    tiers=(Tier(id="standard"), Tier(id="gold")),
    rules=(
        Rule(id="base", percent_basis_points=500),
        Rule(id="gold", percent_basis_points=500, tiers=("gold",)),
    ),
    exclusions=(Exclusion(id="tobacco", match=Match(skus=("tobacco",)), legal=True),),
    redemption=Redemption(max_share_basis_points=5_000),
    identifiers=Identifiers(
        phone_countries=("RU", "KZ"), cards=(CardRange(prefix="29", lengths=(13,), check="ean13"),)
    ),
)


def anna(**changes: Any) -> MemberRow:
    """A member of the first tier with 500 points."""
    fields: dict[str, Any] = {
        "member_id": "m-anna",
        "tier": "standard",
        "name_masked": "Анна К.",
        "phone_masked": "+7 *** ***-12-34",
        "card_masked": "**** 0018",
        "tags": ANNA_TAGS,
        "balance": 500,
        "position": 1,
    }
    return MemberRow(**(fields | changes))


def receipt(*amounts_minor: int) -> Receipt:
    """A receipt with a line for each amount."""
    return Receipt(
        lines=tuple(
            Line(number=number, sku=f"sku-{number}", name=f"Товар {number}", amount_minor=amount)
            for number, amount in enumerate(amounts_minor, 1)
        )
    )


class FakeTill:
    """The real desk on fake ports. `run` runs one call to its end."""

    def __init__(self, *, programme: Programme | None = PROGRAMME, enrolled: bool = True, **settings: Any) -> None:
        self.clock = FakeClock()
        self.pending = FakePending()
        self.holds = FakeHoldStore(self.clock)
        self.journal = FakeJournal(self.pending, self.holds)
        self.cache = FakeCache(programme)
        self.gateway = FakeHoldGateway(self.clock)
        self.codes = FakeConfirmations(self.clock)
        self.sales = FakeSales(self.clock)
        self.members: MemberGateway | None = None
        self.registrations = Registrations()
        self.nudges = 0
        self.wallet_keys: tuple[str, ...] = ()
        self.seal_key = ""
        self.phone_tags = NO_SLOW_TAGS
        self.slips = FakeSlipDesk()
        self.settings = DeskSettings(**settings)
        self.identity = IDENTITY if enrolled else None
        self.desk = self.new_desk()

    def new_desk(self) -> Desk:
        """A desk on the same ports, as after a restart of the agent."""
        return Desk(self.parts())

    def parts(self) -> DeskParts:
        """What the desk works with."""
        return DeskParts(
            identity=self.identity,
            journal=self.journal,
            cache=self.cache,
            pending=self.pending,
            holds=self.holds,
            gateway=self.gateway,
            slips=self.slips,
            clock=self.clock,
            settings=self.settings,
            confirmations=self.codes,
            sales=self.sales,
            members=self.members,
            registrations=self.registrations,
            epoch=lambda: self.journal.reader.epoch,
            nudge=self._nudge,
            wallet_keys=lambda: self.wallet_keys,
            seal_key=lambda: self.seal_key,
            phone_tags=lambda: self.phone_tags,
        )

    def _nudge(self) -> None:
        self.nudges += 1

    def know(self, *rows: MemberRow, included: tuple[int, int] = (0, 0)) -> "FakeTill":
        """A page with those members comes in now."""
        self.cache.store(*rows, as_of_ms=self.clock.wall, included=included)
        self.cache.seen = Seen(mono_ms=self.clock.mono, boot=self.clock.boot, wall_ms=self.clock.wall)
        for row in rows:
            self.gateway.points[row.member_id] = row.balance
        return self

    def lend(self, points: int, *, member_id: str = "m-anna", epoch: int = 1, **more: Any) -> "FakeTill":
        """A page brings a grant for this till, own ops up to `included` taken off."""
        fields: dict[str, Any] = {"included": (epoch, 0)}
        row = CachedGrant(member_id=member_id, points=points, epoch=epoch, **(fields | more))
        self.cache.grants[member_id] = row
        return self

    def voucher(self, points: int = 70, *, key: str = CLOUD_PRIVATE_KEY, **changes: Any) -> str:
        """The text of a voucher that is good here for an hour."""
        fields: dict[str, Any] = {
            "voucher": "v-00000001",
            "member_id": "m-anna",
            "holder": "t1",
            "store": "s1",
            "points": points,
            "made_at_ms": self.clock.wall,
            "expires_at_ms": self.clock.wall + 3_600_000,
        }
        return vouchers.encode(Voucher(**(fields | changes)), key)

    @staticmethod
    def run(call: Coroutine[Any, Any, T]) -> T:
        return asyncio.run(call)

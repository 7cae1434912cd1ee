"""Documents whose slips show everything that a slip can say."""

from typing import Any

from fakes.till import ANNA_CARD, PROGRAMME, FakeTill, anna, receipt
from till_agent.api import HoldCreate, Identify, ReturnLineRequest, ReturnRequest, SaleRequest
from till_agent.ports import Entry
from till_loyalty.programme import Programme
from till_sync.wire import ExpiringPoints

HOUR_MS = 3_600_000
ANNA = Identify(card=ANNA_CARD)
LONG_UID = "0c1d3f6a-9b7e-4f52-8d1a-3e5b7c9d0f42"
STRANGER = Identify(phone="8 916 555-66-77")


def sold(
    member: Identify | None = ANNA, *, age_ms: int = 0, uid: str = "u1", number: str = "118", **row: Any
) -> FakeTill:
    """A sale of 1,234.50 to Anna as her row says, the cache being that old."""
    till = FakeTill()
    if row.pop("known", True):
        till.know(anna(**row))
    till.clock.advance(age_ms)
    request = SaleRequest(receipt=receipt(100_000, 23_450), member=member, number=number)
    till.run(till.desk.sell(uid, request))
    return till


def full() -> Entry:
    """Spent and earned, an old balance, points that expire, no line since the hold."""
    till = FakeTill().know(
        anna(balance=1_431, expiring=ExpiringPoints(points=120, at_ms=1_514_019_900_000 + 240 * HOUR_MS))
    )
    hold = till.run(till.desk.hold(HoldCreate(sale_uid="u1", member=ANNA, points=301, ttl_ms=HOUR_MS))).hold
    till.clock.advance(45 * 60_000)
    till.gateway.online = False
    request = SaleRequest(receipt=receipt(100_000, 23_450), member=ANNA, redeem_points=301, hold=hold, number="118")
    till.run(till.desk.sell("u1", request))
    return till.journal.entries[0]


def unknown() -> Entry:
    """Somebody known by a phone number only."""
    return sold(STRANGER, known=False).journal.entries[0]


def blocked() -> Entry:
    """A blocked card earns nothing."""
    return sold(age_ms=49 * HOUR_MS, status="blocked").journal.entries[0]


def before_rules() -> Entry:
    """A till without a programme knows the member, and leaves the points to the cloud."""
    till = FakeTill(programme=None).know(anna())
    till.run(till.desk.sell("u1", SaleRequest(receipt=receipt(100_000), member=Identify(reference="m-anna"))))
    return till.journal.entries[0]


def returned() -> Entry:
    """A part comes back, and its points were spent meanwhile."""
    till = sold()
    till.know(anna(balance=1), included=(1, 1))
    till.run(
        till.desk.give_back(
            "r1", ReturnRequest(sale_uid="u1", lines=(ReturnLineRequest(number=1, quantity_thousandths=500),))
        )
    )
    return till.journal.entries[1]


def voided() -> Entry:
    """The whole sale is cancelled, of which the cash software told no number."""
    till = sold(uid=LONG_UID, number="")
    till.run(till.desk.void(LONG_UID))
    return till.journal.entries[1]


def cents() -> tuple[Entry, Programme]:
    """Points with two places."""
    import msgspec

    programme = msgspec.structs.replace(PROGRAMME, points_exponent=2)
    till = FakeTill(programme=programme).know(anna(balance=50_000))
    till.run(till.desk.sell("u1", SaleRequest(receipt=receipt(123_45), member=ANNA)))
    return till.journal.entries[0], programme

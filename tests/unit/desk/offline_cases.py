"""How cash software makes each problem of spending without a line happen, and the calls that do it."""

from collections.abc import Callable, Coroutine
from typing import Any

from fakes.till import ANNA_CARD, FakeTill, receipt
from till_agent.api import HoldCreate, Identify, SaleRequest
from till_agent.exceptions import HoldRefused

Call = Coroutine[Any, Any, Any]


def wish(till: FakeTill, points: int, member: Identify | None = None) -> Call:
    return till.desk.hold(HoldCreate(sale_uid="u1", member=member or Identify(card=ANNA_CARD), points=points))


def points_lent(till: FakeTill) -> Call:
    till.gateway.refusal = HoldRefused("points_lent", "another till has them", available_points=30)
    return wish(till, 100)


def offline_limit(till: FakeTill) -> Call:
    till.lend(40).gateway.online = False
    return wish(till, 41)


def voucher_invalid(till: FakeTill) -> Call:
    return till.desk.identify(Identify(scan=till.voucher(key="08" * 32)))


def voucher_elsewhere(till: FakeTill) -> Call:
    return till.desk.identify(Identify(scan=till.voucher(holder="t2")))


def voucher_expired(till: FakeTill) -> Call:
    text = till.voucher()
    till.clock.advance(3_600_000)
    return till.desk.identify(Identify(code=text))


def voucher_used(till: FakeTill) -> Call:
    member = Identify(scan=till.voucher())
    held = till.run(wish(till, 50, member)).hold
    sale = SaleRequest(receipt=receipt(10_000), member=member, redeem_points=50, hold=held)
    till.run(till.desk.sell("u1", sale))
    return till.desk.identify(member)


PROVOKERS: dict[str, Callable[[FakeTill], Call]] = {
    "points_lent": points_lent,
    "offline_limit": offline_limit,
    "voucher_invalid": voucher_invalid,
    "voucher_elsewhere": voucher_elsewhere,
    "voucher_expired": voucher_expired,
    "voucher_used": voucher_used,
}
POINTERS = {"points_lent": "/points", "offline_limit": "/points", "voucher_invalid": "/scan"}
EXTRAS: dict[str, dict[str, Any]] = {
    "points_lent": {"available_points": 30},
    "offline_limit": {"available_points": 40, "reason": "offline_grant"},
    "voucher_elsewhere": {"till": "t2"},
}

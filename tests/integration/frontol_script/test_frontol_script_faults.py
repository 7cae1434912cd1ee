"""Whatever fails, receipts are closed, nothing is thrown at Frontol, and what points paid was reserved: each call and
each member of Frontol in its turn. The agent of these runs is a small one within the host."""

from typing import Any

import pytest

from integration.frontol_script.frontol_script_kit import DISCOUNT, MARKETING, PAYMENT, SCRIPT, Host

WAYS = {"payment": PAYMENT | {"discountEvent": "Programme", "redeemEvent": "Points"}, "discount": DISCOUNT}


def sweep(host: Host, way: str, what: str, **more: Any) -> dict[str, Any]:
    settings = {"language": "en", "pauseMs": 0, "paymentCode": 9} | WAYS[way]
    found = host.tell("sweep", what=what, script=str(SCRIPT), settings=settings, marketing=MARKETING, **more)
    assert found["whole"] == [], "without a fault"
    assert found["out"] == {"closed": True, "next": True, "cancelled": True, "paid": 2000}
    assert found["found"] == [], f"{found['count']} of {found['runs']}"
    return found


def test_each_call_fails_in_each_way(host: Host) -> None:
    """Refused, lost, not understood, cut off, a server's error, no right: at each place, once and from then on."""
    assert sweep(host, "payment", "calls")["runs"] > 200


def test_each_call_fails_while_points_are_a_discount(host: Host) -> None:
    """The reservation may be refused, and so may all else."""
    assert sweep(host, "discount", "calls", kinds=["409"])["runs"] > 15


@pytest.mark.parametrize("way", WAYS)
def test_each_member_of_frontol_is_missing(host: Host, way: str) -> None:
    """As in a Frontol of another version."""
    assert sweep(host, way, "members")["runs"] > 60


@pytest.mark.parametrize(("way", "first"), [("payment", 1), ("discount", 5)])
def test_a_member_of_frontol_fails_once(host: Host, way: str, first: int) -> None:
    """At one in 23 of the times that one is touched in a receipt."""
    assert sweep(host, way, "accesses", first=first, step=23)["runs"] > 75

"""What the whole programme adds to the bridge: codes, discounts that were taken, and a word about codes."""

import msgspec
import pytest

from integration.bridge.bridge_kit import LiveBridge
from till_agent.api import DiscountTaken, SaleRequest


def test_a_code_is_asked_about_with_its_member_and_language(live: LiveBridge) -> None:
    """Any letters that a coupon may have; percent signs are undone once."""
    path = "/v1/coupons/%D0%9B%D0%95%D0%A2%D0%9E%2025?reference=m-1&language=kk"
    assert live.call("GET", path).json["code"] == "ЛЕТО 25"
    assert live.bridge.calls == [("coupon", "ЛЕТО 25", "m-1", "kk")]
    assert live.call("GET", "/v1/coupons/X").status == 200


@pytest.mark.parametrize("path", ["/v1/coupons/a%0Ab", f"/v1/coupons/{'x' * 101}", "/v1/coupons/x?reference=anna"])
def test_a_code_that_can_be_none_is_refused(live: LiveBridge, path: str) -> None:
    """Before anybody is asked."""
    assert live.call("GET", path).status == 422
    assert live.bridge.calls == []


def test_codes_reach_the_desk_and_a_row_of_the_quotes_discounts_may_be_sent_back_as_it_is(live: LiveBridge) -> None:
    """What is not needed of it is passed by."""
    line = {"number": 1, "sku": "a", "amount_minor": 100}
    row = {"rule": "off", "line": 1, "amount_minor": 10, "base_minor": 100}
    assert live.call("POST", "/v1/quotes", {"receipt": {"lines": [line]}, "codes": ["X"]}).status == 200
    name, request = live.bridge.calls[0]
    assert (name, request.codes) == ("quote", ("X",))
    sale = {"receipt": {"lines": [line]}, "codes": ["X"], "discounts": [row]}
    assert live.call("PUT", "/v1/sales/u", sale).status == 200
    decoded = msgspec.convert(sale, SaleRequest)
    assert decoded.discounts == (DiscountTaken(rule="off", line=1, amount_minor=10),)


@pytest.mark.parametrize(
    ("field", "value", "pointer"),
    [
        ("codes", [""], "/codes/0"),
        ("codes", ["  "], "/codes/0"),
        ("codes", ["x"] * 51, "/codes"),
        ("discounts", [{"rule": "off", "line": 1, "amount_minor": -1}], "/discounts/0/amount_minor"),
        ("discounts", [{"rule": "", "line": 1, "amount_minor": 1}], "/discounts/0/rule"),
    ],
)
def test_bad_codes_and_discounts_are_named(live: LiveBridge, field: str, value: object, pointer: str) -> None:
    """With the place that is wrong."""
    sale = {"receipt": {"lines": [{"number": 1, "sku": "a", "amount_minor": 100}]}, field: value}
    reply = live.call("PUT", "/v1/sales/u", sale)
    assert (reply.status, reply.json["pointer"]) == (422, pointer)
    assert live.bridge.calls == []

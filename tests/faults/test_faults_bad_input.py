"""Bad input and bad callers against a running agent: each is named by a stable code, and leaves no trace."""

import json
import time
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest

from kit.bridge import receipt
from kit.chain import ANNA, CLARA, Chain
from kit.processes import free_port
from kit.world import Till, World

SALE = "/v1/sales/bad-1"
QUOTES = "/v1/quotes"
RETURN = "/v1/returns/bad-back-1"
GOOD = receipt(1_000)
FORM = {"Content-Type": "text/plain"}


class Case(NamedTuple):
    """A request and how it must be refused."""

    name: str
    method: str
    path: str
    body: Any
    status: int
    code: str
    headers: Mapping[str, str] = MappingProxyType({})
    without: tuple[str, ...] = ()
    """Headers that the caller does not send."""


def line(**fields: Any) -> dict[str, Any]:
    """A sale of one line with these fields."""
    return {"receipt": {"lines": [{"number": 1, "sku": "a", "amount_minor": 100} | fields]}}


def put(name: str, body: Any, status: int, code: str) -> Case:
    """A sale that must be refused."""
    return Case(name, "PUT", SALE, body, status, code)


def back(name: str, sale_uid: str, code: str, status: int = 409, **one: Any) -> Case:
    """A return that must be refused."""
    lines = {"lines": [one]} if one else {}
    return Case(name, "PUT", RETURN, {"sale_uid": sale_uid, **lines}, status, code)


MALFORMED = (
    put("nothing", b"", 400, "body_malformed"),
    put("half an object", b'{"receipt": {"lines": [', 400, "body_malformed"),
    put("two documents", json.dumps(GOOD).encode() * 2, 400, "body_malformed"),
    put("not UTF-8", b'{"number": "\xff\xfe"}', 400, "body_malformed"),
    put("not a number", json.dumps(GOOD).encode().replace(b"1000", b"NaN"), 400, "body_malformed"),
    put("a control character", b'{"receipt": "\x01"}', 400, "body_malformed"),
    put("deep nesting", b'{"tomorrow":' + b"[" * 100_000, 400, "body_too_deep"),
    put("larger than the limit", b" " * 2_097_153, 413, "body_too_large"),
)
WRONG_TYPES = (
    put("null", b"null", 422, "body_invalid"),
    put("a list", [GOOD], 422, "body_invalid"),
    put("no receipt", {}, 422, "body_invalid"),
    put("lines as an object", {"receipt": {"lines": {}}}, 422, "body_invalid"),
    put("amount as text", line(amount_minor="100"), 422, "body_invalid"),
    put("amount as a fraction", line(amount_minor=100.5), 422, "body_invalid"),
    put("amount as a truth value", line(amount_minor=True), 422, "body_invalid"),
    put("no amount", line(amount_minor=None), 422, "body_invalid"),
    put("quantity as a fraction", line(quantity_thousandths=0.5), 422, "body_invalid"),
    put("sku as a number", line(sku=7), 422, "body_invalid"),
    put("member as text", GOOD | {"member": ANNA.card}, 422, "body_invalid"),
    put("payments as an object", GOOD | {"payments": {}}, 422, "body_invalid"),
    put("no such language", GOOD | {"language": "xx"}, 422, "body_invalid"),
    put("no such time", GOOD | {"local_time": "2026-02-31T10:00:00"}, 422, "local_time_invalid"),
    put(
        "card and phone at once", GOOD | {"member": {"card": ANNA.card, "phone": ANNA.phone}}, 422, "identifier_choice"
    ),
    put("a bank card", GOOD | {"member": {"card": "4111111111111111"}}, 422, "bank_card"),
    put("a card misread", GOOD | {"member": {"card": "2900000001010"}}, 422, "identifier_invalid"),
)
NUMBERS = (
    put("negative amount", line(amount_minor=-1), 422, "body_invalid"),
    put("negative quantity", line(quantity_thousandths=-1), 422, "body_invalid"),
    put("negative redemption", GOOD | {"redeem_points": -1}, 422, "body_invalid"),
    put("line number 0", line(number=0), 422, "body_invalid"),
    put("amount past the largest", line(amount_minor=10**13 + 1), 422, "body_invalid"),
    put("amount past 64 bits", line(amount_minor=2**64), 422, "body_invalid"),
    put("amount of a thousand digits", json.dumps(GOOD).encode().replace(b"1000", b"9" * 1000), 422, "body_invalid"),
    put("amount past a float", json.dumps(GOOD).encode().replace(b"1000", b"1e400"), 422, "body_invalid"),
    put("negative and huge", line(amount_minor=-(10**30)), 422, "body_invalid"),
    put("total past the largest", receipt(10**13, 10**13), 422, "receipt_too_large"),
    put("10,001 lines", receipt(*[1] * 10_001), 422, "body_invalid"),
    put("no line", receipt(), 422, "receipt_empty"),
    put("a line number twice", {"receipt": {"lines": GOOD["receipt"]["lines"] * 2}}, 422, "line_number_repeated"),
    put("minimum price above the price", line(minimum_price_minor=101), 422, "minimum_price_too_high"),
)
UIDS = (
    Case("unknown sale", "GET", "/v1/sales/nobody-sold-this", None, 404, "sale_unknown"),
    Case("its slip", "GET", "/v1/sales/nobody-sold-this/slip", None, 404, "sale_unknown"),
    Case("a print of it", "POST", "/v1/sales/nobody-sold-this/slip/print", None, 404, "sale_unknown"),
    Case("a void of it", "POST", "/v1/sales/nobody-sold-this/void", None, 404, "sale_unknown"),
    back("a return of it", "nobody-sold-this", "sale_unknown", 404),
    Case("uid of 65 letters", "PUT", f"/v1/sales/{'u' * 65}", GOOD, 422, "parameter_invalid"),
    Case("uid with a quote", "PUT", "/v1/sales/a'b", GOOD, 422, "parameter_invalid"),
    Case("uid that climbs", "PUT", "/v1/sales/%2e%2e%2fquotes", GOOD, 400, "path_malformed"),
    Case("same uid, another body", "PUT", "/v1/sales/sold", receipt(999), 409, "uid_conflict"),
    Case(
        "same uid, a member more",
        "PUT",
        "/v1/sales/sold",
        receipt(1_000, 500, member={"card": CLARA.card}),
        409,
        "uid_conflict",
    ),
    Case("same return uid, another body", "PUT", "/v1/returns/back-1", {"sale_uid": "sold"}, 409, "uid_conflict"),
    Case("void after a return", "POST", "/v1/sales/returned/void", None, 409, "sale_has_returns"),
    back("return after a void", "voided", "sale_voided"),
    back("more than was sold", "sold", "return_quantity_exceeds", number=1, quantity_thousandths=1_001),
    back("more than is left", "returned", "return_quantity_exceeds", number=1, quantity_thousandths=501),
    back(
        "more money than was paid",
        "sold",
        "return_amount_exceeds",
        number=1,
        quantity_thousandths=1_000,
        amount_minor=1_001,
    ),
    back("a line that was not sold", "sold", "return_line_unknown", 422, number=9, quantity_thousandths=1),
    back("nothing of a line", "sold", "return_nothing_asked", 422, number=1, quantity_thousandths=0),
)
MEMBERS = (
    Case("unknown member", "POST", "/v1/identify", {"reference": "m-nobody"}, 404, "reference_unknown"),
    Case(
        "unknown member in a quote",
        "POST",
        QUOTES,
        GOOD | {"member": {"reference": "m-nobody"}},
        404,
        "reference_unknown",
    ),
    Case("no member at all", "POST", "/v1/identify", {}, 422, "identifier_choice"),
    Case("a phone that is none", "POST", "/v1/identify", {"phone": "12"}, 422, "identifier_invalid"),
    put(
        "spending without a hold",
        GOOD | {"member": {"card": ANNA.card}, "redeem_points": 10},
        409,
        "redemption_needs_hold",
    ),
    put(
        "an unknown hold",
        GOOD | {"member": {"card": ANNA.card}, "redeem_points": 10, "hold": "h-1"},
        404,
        "hold_unknown",
    ),
    Case(
        *("a hold for more than there is", "POST", "/v1/holds"),
        {"sale_uid": "bad-1", "member": {"card": CLARA.card}, "points": 10**9},
        *(409, "insufficient_points"),
    ),
    Case("an unknown hold given back", "DELETE", "/v1/holds/h-1", None, 404, "hold_unknown"),
)
CALLERS = (
    Case("no token", "PUT", SALE, GOOD, 401, "token_missing", without=("Authorization",)),
    Case("a wrong token", "PUT", SALE, GOOD, 401, "token_unknown", {"Authorization": "Bearer guess"}),
    Case("a foreign page", "PUT", SALE, GOOD, 403, "origin_foreign", {"Origin": "https://evil.example"}),
    Case("a page of nobody", "PUT", SALE, GOOD, 403, "origin_foreign", {"Origin": "null"}),
    Case("another program of this machine", "PUT", SALE, GOOD, 403, "origin_foreign", {"Origin": "http://127.0.0.1:1"}),
    Case("another site", "PUT", SALE, GOOD, 403, "site_foreign", {"Sec-Fetch-Site": "cross-site"}),
    Case("a foreign Host", "PUT", SALE, GOOD, 403, "host_foreign", {"Host": "evil.example"}),
    Case("a Host with another port", "PUT", SALE, GOOD, 403, "host_foreign", {"Host": "127.0.0.1:1"}),
    Case("a Host without a port", "PUT", SALE, GOOD, 403, "host_foreign", {"Host": "localhost"}),
    Case("a form", "PUT", SALE, GOOD, 415, "not_json", FORM),
    Case("no client header", "PUT", SALE, GOOD, 403, "client_header_missing", without=("X-Tillside-Client",)),
    Case("a scope too few", "POST", "/v1/sync", None, 403, "scope_missing"),
    Case("another method", "PATCH", SALE, GOOD, 405, "method_not_allowed"),
    Case("another path", "PUT", "/v1/sale/bad-1", GOOD, 404, "not_found"),
)
CASES = (*MALFORMED, *WRONG_TYPES, *NUMBERS, *UIDS, *MEMBERS, *CALLERS)


@pytest.fixture(scope="module")
def till(tmp_path_factory: pytest.TempPathFactory, forking_chain: Chain) -> Iterator[Till]:
    """A till with something sold, voided and brought back."""
    with World(tmp_path_factory.mktemp("bad"), forking_chain) as world:
        world.start_cloud()
        till = world.till(printer_port=free_port()).start().wait_members()
        for uid in ("sold", "voided", "returned"):
            till.pos.sell(uid, receipt(1_000, 500))
        till.pos.ask("POST", "/v1/sales/voided/void")
        half = {"sale_uid": "returned", "lines": [{"number": 1, "quantity_thousandths": 500}]}
        till.pos.ask("PUT", "/v1/returns/back-1", half)
        till.drain()
        yield till


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_bad_request_is_named_and_leaves_no_trace(till: Till, case: Case) -> None:
    """Status and code are stable, the cashier is told something, and the journal has not grown."""
    before = till.last_seq()
    request = till.pos.http.build_request(case.method, case.path)
    body = case.body if case.body is None or isinstance(case.body, bytes) else json.dumps(case.body).encode()
    if body is not None:
        request = till.pos.http.build_request(
            case.method, case.path, content=body, headers={"Content-Type": "application/json"}
        )
    request.headers.update(case.headers)
    for name in case.without:
        del request.headers[name]
    answer = till.pos.http.send(request)
    assert (answer.status_code, answer.json()["code"]) == (case.status, case.code), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == case.status
    assert problem["type"] == f"https://tillside.dev/problems/{case.code.replace('_', '-')}"
    assert problem["cashier"]
    assert till.last_seq() == before
    assert till.pos.refused("GET", SALE) == (404, "sale_unknown")


def test_every_case_has_a_name_of_its_own() -> None:
    """So that a failure says which one it was."""
    assert len({case.name for case in CASES}) == len(CASES)


def test_an_unknown_field_is_no_fault(till: Till) -> None:
    """Cash software of tomorrow may say more."""
    body = receipt(1_000) | {"tomorrow": [{"deep": None}]}
    body["receipt"]["lines"][0]["colour"] = "red"
    assert till.pos.ask("POST", QUOTES, body)["calculation"]["total_minor"] == 1_000


def test_ten_thousand_lines_are_sold_and_reach_the_cloud(till: Till) -> None:
    """The longest receipt that is taken, with a member, equal at till and cloud."""
    body = receipt(*[100] * 10_000, member={"card": CLARA.card})
    before = till.last_seq()
    sale = till.pos.sell("long", body)
    assert sale["calculation"]["total_minor"] == 1_000_000
    assert sale["calculation"]["earned_points"] == 15_000
    assert till.last_seq() == before + 1
    till.drain()
    assert till.pos.ask("GET", "/v1/sales/long")["sync"] == "applied"
    assert till.pos.send("PUT", "/v1/sales/long", body).headers["idempotent-replay"] == "true"


def test_a_hold_that_has_expired_pays_for_nothing(world: World) -> None:
    """The sale is refused with a reason, and is not in the journal; without points it is sold."""
    world.start_cloud()
    # A till of its own: giving the points back is an op, at a moment that the agent chooses.
    till = world.till().start().wait_members()
    wish = {"sale_uid": "late", "member": {"card": ANNA.card}, "points": 100, "ttl_ms": 1_000}
    hold = till.pos.ask("POST", "/v1/holds", wish)
    sale = receipt(1_000, member={"card": ANNA.card}, redeem_points=100, hold=hold["hold"])
    give_up = hold["expires_in_ms"] / 1000
    assert 0 < give_up <= 1
    time.sleep(give_up)
    assert till.pos.refused("PUT", "/v1/sales/late", sale) == (409, "hold_expired")
    assert till.pos.refused("GET", "/v1/sales/late") == (404, "sale_unknown")
    sold = till.pos.sell("late", receipt(1_000, member={"card": ANNA.card}))
    assert sold["calculation"].get("redeemed_points", 0) == 0

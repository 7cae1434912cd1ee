"""Every route through real sockets with a fake agent behind: what goes in, what comes out, and bad input."""

import json
import socket
from typing import Any

import pytest

from integration.bridge.bridge_kit import ADMIN_TOKEN, POS_TOKEN, WAIT_S, LiveBridge, read_reply
from kit.bridge import IN_PATHS
from till_agent.bridge.operations import OPERATIONS
from till_agent.exceptions import JournalCorrupt, JournalUnavailable

LINE = {"number": 1, "sku": "1", "amount_minor": 100}


def receipt(**changes: Any) -> dict[str, Any]:
    return {"receipt": {"lines": [LINE | changes]}}


def test_identify_answers_with_the_member(live: LiveBridge) -> None:
    reply = live.call("POST", "/v1/identify", {"code": "1", "unknown": "is ignored"})
    assert (reply.status, reply.json["reference"]) == (200, "m-1")


def test_quote_answers_with_the_calculation(live: LiveBridge) -> None:
    assert live.call("POST", "/v1/quotes", receipt()).json["calculation"]["total_minor"] == 100


def test_sale_is_answered_with_its_own_bytes_and_replays_are_marked(live: LiveBridge) -> None:
    first = live.call("PUT", "/v1/sales/s-1", receipt())
    again = live.call("PUT", "/v1/sales/s-1", receipt())
    assert (first.status, again.status) == (200, 200)
    assert first.body == again.body
    assert "idempotent-replay" not in first.headers
    assert again.headers["idempotent-replay"] == "true"


def test_only_a_new_op_wakes_the_push(live: LiveBridge) -> None:
    before = live.bridge.commits
    live.call("PUT", "/v1/sales/s-3", receipt())
    live.call("PUT", "/v1/sales/s-3", receipt())
    assert live.bridge.commits == before + 1


def test_same_uid_with_another_body_is_a_conflict_with_a_word_for_the_cashier(live: LiveBridge) -> None:
    live.call("PUT", "/v1/sales/s-2", receipt())
    reply = live.call("PUT", "/v1/sales/s-2", receipt(amount_minor=200))
    assert (reply.status, reply.code, reply.json["pointer"]) == (409, "uid_conflict", "/receipt")
    assert reply.json["cashier"] == "cashier: uid_conflict"


def test_problem_of_the_desk_carries_its_numbers_and_whether_a_retry_helps(live: LiveBridge) -> None:
    reply = live.call("POST", "/v1/holds", {"sale_uid": "s", "member": {"reference": "m-1"}, "points": 5})
    assert (reply.status, reply.json["retryable"], reply.json["balance"]) == (503, True, 3)


def test_refusal_speaks_the_language_that_was_asked_for(live: LiveBridge) -> None:
    """In the address or in the body, as the call has it; what can't be read is told in the till's own."""
    wish = {"sale_uid": "s", "member": {"reference": "m-1"}, "points": 5, "language": "kk"}
    refused = live.call("POST", "/v1/holds", wish)
    assert refused.json["cashier"] == "cashier: cloud_unreachable kk"
    assert live.call("POST", "/v1/sales/s/void?language=kk").json["cashier"] == "cashier: sale_unknown kk"
    assert live.call("POST", "/v1/holds", wish | {"points": "many"}).json["cashier"] == "cashier: body_invalid"


def test_released_hold_has_no_body(live: LiveBridge) -> None:
    reply = live.call("DELETE", "/v1/holds/h-1")
    assert (reply.status, reply.body) == (204, b"")
    assert live.bridge.calls == [("release", "h-1")]


def test_return_and_void_go_by_the_uid_of_the_path(live: LiveBridge) -> None:
    assert live.call("PUT", "/v1/returns/r-1", {"sale_uid": "s-1"}).status == 200
    assert live.call("POST", "/v1/sales/s-9/void").code == "sale_unknown"
    assert live.bridge.calls == [("return", "r-1"), ("void", "s-9")]


def test_unknown_sale_is_404(live: LiveBridge) -> None:
    assert live.call("GET", "/v1/sales/nothing").status == 404


@pytest.mark.parametrize("uid", ["a%2Fb", "a%20b", "%D1%8F", "x" * 65, "a%00"])
@pytest.mark.parametrize("path", ["/v1/sales/{}", "/v1/returns/{}"])
def test_uid_of_other_letters_is_named(live: LiveBridge, path: str, uid: str) -> None:
    reply = live.call("PUT", path.format(uid), {"sale_uid": "s"} | receipt())
    assert (reply.status, reply.code) in ((422, "parameter_invalid"), (400, "path_malformed"))
    assert live.bridge.calls == []


MALFORMED = {
    "nothing": b"",
    "cut": b'{"receipt":',
    "not JSON": b"receipt=1",
    "two values": json.dumps(receipt()).encode() + b" {}",
    "not UTF-8": b'{"receipt":{"lines":[{"number":1,"sku":"\xff","amount_minor":1}]}}',
    "a byte order mark": b"\xef\xbb\xbf{}",
    "NaN": b'{"receipt":{"lines":[{"number":1,"sku":"1","amount_minor":NaN}]}}',
    "very deep": b'{"unknown":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
}


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed_json_is_400(live: LiveBridge, body: bytes) -> None:
    reply = live.call("PUT", "/v1/sales/bad", body, headers={"Content-Type": "application/json"})
    assert reply.status == 400
    assert reply.code in ("body_malformed", "body_too_deep")
    assert live.bridge.calls == []


WRONG: dict[str, tuple[Any, str]] = {
    "list instead of object": ([], ""),
    "no receipt": ({}, ""),
    "text as amount": (receipt(amount_minor="100"), "/receipt/lines/0/amount_minor"),
    "fraction as amount": (receipt(amount_minor=1.5), "/receipt/lines/0/amount_minor"),
    "negative amount": (receipt(amount_minor=-1), "/receipt/lines/0/amount_minor"),
    "huge amount": (receipt(amount_minor=10**13 + 1), "/receipt/lines/0/amount_minor"),
    "amount past 64 bits": (receipt(amount_minor=10**30), "/receipt/lines/0/amount_minor"),
    "amount of a thousand digits": (receipt(amount_minor=10**1000), "/receipt/lines/0/amount_minor"),
    "negative quantity": (receipt(quantity_thousandths=-1), "/receipt/lines/0/quantity_thousandths"),
    "line number 0": (receipt(number=0), "/receipt/lines/0/number"),
    "true as number": (receipt(number=True), "/receipt/lines/0/number"),
    "null as SKU": (receipt(sku=None), "/receipt/lines/0/sku"),
    "empty SKU": (receipt(sku=""), "/receipt/lines/0/sku"),
    "long name": (receipt(name="x" * 501), "/receipt/lines/0/name"),
    "points below 0": (receipt() | {"redeem_points": -1}, "/redeem_points"),
    "time of another shape": (receipt() | {"local_time": "2024-01-31 10:00"}, "/local_time"),
    "another language": (receipt() | {"language": "fr"}, "/language"),
    "10,001 lines": ({"receipt": {"lines": [LINE] * 10_001}}, "/receipt/lines"),
}


@pytest.mark.parametrize(("body", "pointer"), WRONG.values(), ids=WRONG.keys())
def test_wrong_value_is_422_and_named_by_its_pointer(live: LiveBridge, body: Any, pointer: str) -> None:
    reply = live.call("PUT", "/v1/sales/wrong", body)
    assert (reply.status, reply.code, reply.json["pointer"]) == (422, "body_invalid", pointer)
    assert live.bridge.calls == []


def test_10000_lines_pass(live: LiveBridge) -> None:
    lines = [LINE | {"number": number, "name": "Молоко пастеризованное 3,2 %"} for number in range(1, 10_001)]
    reply = live.call("PUT", "/v1/sales/long", json.dumps({"receipt": {"lines": lines}}, ensure_ascii=False).encode())
    assert reply.status == 200
    assert live.bridge.calls == [("sell", "long")]


@pytest.mark.parametrize(
    ("query", "accept", "media", "body"),
    [
        ("", None, "text/plain; charset=utf-8", "чек s ru None".encode()),
        ("?format=png", None, "image/png", b"\x89PNG"),
        ("?format=escpos", "text/plain", "application/vnd.tillside.escpos", b"\x1b@"),
        ("?format=frontol", None, "application/vnd.tillside.frontol+json", b'[[{"type":"text","text":"s ru None"}]]'),
        (
            "",
            "application/vnd.tillside.frontol+json",
            "application/vnd.tillside.frontol+json",
            b'[[{"type":"text","text":"s ru None"}]]',
        ),
        ("?columns=32&language=kk", None, "text/plain; charset=utf-8", "чек s kk 32".encode()),
        ("?whatever=1", "image/png", "image/png", b"\x89PNG"),
        ("", "image/webp, image/png;q=0.8, text/plain;q=0.5", "image/png", b"\x89PNG"),
        ("", "text/html, */*;q=0.1", "text/plain; charset=utf-8", "чек s ru None".encode()),
        ("", "application/json", "application/json", b'{"blocks":[{"type":"text","text":"s ru None"}]}'),
    ],
)
def test_slip_comes_in_the_format_that_was_asked_for(
    live: LiveBridge, query: str, accept: str | None, media: str, body: bytes
) -> None:
    reply = live.call("GET", f"/v1/sales/s/slip{query}", headers={"Accept": accept})
    assert (reply.status, reply.headers["content-type"], reply.body) == (200, media, body)


@pytest.mark.parametrize(
    "query", ["?format=pdf", "?columns=15", "?columns=81", "?columns=-1", "?columns=4.8", "?language=fr"]
)
def test_slip_with_a_bad_parameter_is_422(live: LiveBridge, query: str) -> None:
    assert live.call("GET", f"/v1/sales/s/slip{query}").code == "parameter_invalid"


@pytest.mark.parametrize("accept", ["application/pdf", "text/plain;q=0", "image/png;q=x"])
def test_slip_that_there_is_not_is_406(live: LiveBridge, accept: str) -> None:
    assert live.call("GET", "/v1/sales/s/slip", headers={"Accept": accept}).status == 406


def test_reprint_is_accepted_not_awaited(live: LiveBridge) -> None:
    reply = live.call("POST", "/v1/sales/s/slip/print")
    assert (reply.status, reply.json) == (202, {"state": "queued", "printer": "receipt"})


def test_slips_of_voids_and_returns_are_those_documents_own(live: LiveBridge) -> None:
    """Fetched and printed again like a sale's; a void whose slip is not wanted has none."""
    assert live.call("GET", "/v1/sales/s/void/slip").body == b"void s"
    assert live.call("GET", "/v1/returns/r/slip").body == b"return r"
    assert live.call("POST", "/v1/sales/s/void/slip/print").status == 202
    assert live.call("POST", "/v1/returns/r/slip/print").status == 202
    live.call("POST", "/v1/sales/s/void?print_slip=false")
    assert live.bridge.calls[-3:] == [("print", "void", "s"), ("print", "return", "r"), ("void", "s", False)]
    assert live.call("POST", "/v1/sales/s/void?print_slip=0").code == "parameter_invalid"


def test_queue_shows_ops_and_one_with_its_body(live: LiveBridge) -> None:
    assert live.call("GET", "/v1/queue?limit=5", token=ADMIN_TOKEN).json["waiting"] == 7
    assert live.call("GET", "/v1/queue/1", token=ADMIN_TOKEN).json["body"] == {"kind": "sale"}
    assert live.call("GET", "/v1/queue/2", token=ADMIN_TOKEN).code == "op_unknown"
    for bad in (
        "/v1/queue?limit=0",
        "/v1/queue?limit=1001",
        "/v1/queue/0",
        "/v1/queue/x",
        "/v1/queue?which=all",
        "/v1/queue/1?epoch=0",
    ):
        assert live.call("GET", bad, token=ADMIN_TOKEN).status == 422


def test_sync_is_shown_and_started(live: LiveBridge) -> None:
    assert live.call("GET", "/v1/sync", token=ADMIN_TOKEN).json["online"] is True
    assert live.bridge.calls == []
    assert [live.call("POST", "/v1/sync", token=ADMIN_TOKEN).status for _ in range(2)] == [202, 200]
    assert live.bridge.calls == [("sync_now", None)] * 2


def test_health_needs_no_token_and_says_what_is_missing(live: LiveBridge) -> None:
    live.clock.now_ms += 60_000
    assert live.call("GET", "/livez", token=None).json == {"live": True}
    assert live.call("GET", "/readyz", token=None).json == {"ready": True, "reason": "", "missing": ["printer"]}
    live.bridge.not_ready = "till_not_enrolled"
    reply = live.call("GET", "/readyz", token=None)
    assert (reply.status, reply.json) == (503, {"ready": False, "reason": "till_not_enrolled", "missing": ["printer"]})
    head = live.call("HEAD", "/livez", token=None)
    assert (head.status, head.body) == (200, b"")


def test_figures_and_status_need_any_token(live: LiveBridge) -> None:
    assert live.call("GET", "/metrics", token="k" * 43).body == b"tillside_ready 1\n"
    assert live.call("GET", "/v1/status", token="k" * 43).json["till"] == "t"


def test_description_is_served(live: LiveBridge) -> None:
    live.clock.now_ms += 60_000
    assert live.call("GET", "/openapi.json", token=None).json["openapi"] == "3.1.0"


@pytest.mark.parametrize(
    ("failure", "code", "retryable"),
    [
        (JournalUnavailable("disk full"), "journal_unavailable", True),
        (JournalCorrupt("row 5", seq=5), "journal_corrupt", False),
    ],
)
def test_disk_that_refuses_is_503_with_a_word_for_the_cashier(
    live: LiveBridge, failure: Exception, code: str, retryable: bool
) -> None:
    live.bridge.failure = failure
    reply = live.call("PUT", "/v1/sales/s-1", receipt())
    assert (reply.status, reply.code, reply.json["retryable"]) == (503, code, retryable)
    assert reply.json["cashier"] == f"cashier: {code}"


def test_defect_is_500_and_says_nothing_of_the_request(live: LiveBridge) -> None:
    live.bridge.failure = RuntimeError("79161234567")
    reply = live.call("PUT", "/v1/sales/s-1", receipt())
    assert (reply.status, reply.code) == (500, "internal")
    assert b"7916" not in reply.body


def test_every_answer_is_counted_by_operation(live: LiveBridge) -> None:
    live.bridge.answers.clear()
    live.call("POST", "/v1/identify", {"code": "1"})
    live.call("POST", "/v1/identify", {"code": 1})
    assert live.bridge.answers == [("identify", 200), ("identify", 422)]


def test_keep_alive_connection_serves_many_calls(live: LiveBridge) -> None:
    request = f"GET /v1/status HTTP/1.1\r\nHost: 127.0.0.1:{live.port}\r\nAuthorization: Bearer {POS_TOKEN}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", live.port), WAIT_S) as connection:
        for _ in range(5):
            connection.sendall(request.encode())
            assert read_reply(connection).status == 200


def test_unknown_path_and_method_are_problems_with_a_word_for_the_cashier(live: LiveBridge) -> None:
    for reply in (live.call("GET", "/v1/nothing"), live.call("GET", "/v1/quotes")):
        assert reply.status in (404, 405)
        assert reply.headers["content-type"] == "application/problem+json"
        assert reply.json["cashier"]


def test_trailing_slash_is_another_path(live: LiveBridge) -> None:
    """No redirect: a script would follow it with another method."""
    assert live.call("POST", "/v1/identify/", {"code": "1"}).status == 404


NOT_THERE = {"sale_unknown", "op_unknown", "print_unknown", "finding_unknown", "pairing_unknown"}


def test_every_operation_of_the_table_is_routed(live: LiveBridge) -> None:
    for operation in OPERATIONS:
        if operation.id == "events":
            continue
        path = operation.path.format(**IN_PATHS)
        own = {"Origin": f"http://127.0.0.1:{live.port}"} if operation.id == "pair" else None
        reply = live.call(operation.method, path, {} if operation.request else None, token=ADMIN_TOKEN, headers=own)
        assert reply.status != 405
        assert reply.status != 404 or reply.code in NOT_THERE

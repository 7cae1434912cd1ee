"""Hostile requests against the real server: each is refused for the right reason, and none runs a handler."""

import socket
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from integration.bridge.bridge_kit import (
    ADMIN_TOKEN,
    ORIGIN,
    POS_TOKEN,
    WAIT_S,
    LiveBridge,
    basic,
    live_bridge,
    read_reply,
)
from till_config.settings import BridgeSettings


@pytest.fixture(scope="module")
def live() -> Iterator[LiveBridge]:
    with live_bridge() as running:
        yield running


@pytest.fixture(autouse=True)
def forget(live: LiveBridge) -> None:
    live.bridge.calls.clear()
    live.bridge.refusals.clear()
    # The bucket of all who have no token refills by this clock.
    live.clock.now_ms += 60_000


class Hostile(NamedTuple):
    """`request` is raw: HOST, TOKEN, BODY and LENGTH are filled in; the rest stands as written."""

    name: str
    request: str
    status: int
    reason: str


GOOD = (
    "Authorization: Bearer TOKEN\r\nX-Tillside-Client: test\r\n"
    "Content-Type: application/json\r\nContent-Length: LENGTH\r\n"
)
SELL = "PUT /v1/sales/u1 HTTP/1.1\r\nHost: HOST\r\n" + GOOD
END = "\r\nBODY"
READ = "GET /v1/status HTTP/1.1\r\nHost: HOST\r\nAuthorization: Bearer TOKEN\r\n"


def sell_as(host: str) -> str:
    return f"PUT /v1/sales/u1 HTTP/1.1\r\nHost: {host}\r\n{GOOD}{END}"


TABLE = [
    # names that are not ours: a page's own name, rebound to this machine
    Hostile("rebound name", sell_as("evil.example"), 403, "host_foreign"),
    Hostile("rebound name with our port", sell_as("evil.example:PORT"), 403, "host_foreign"),
    Hostile("name that begins like ours", sell_as("localhost.evil.example:PORT"), 403, "host_foreign"),
    Hostile("name that ends like ours", sell_as("evil-localhost:PORT"), 403, "host_foreign"),
    Hostile("localhost without a port", sell_as("localhost"), 403, "host_foreign"),
    Hostile("localhost with another port", sell_as("localhost:1"), 403, "host_foreign"),
    Hostile("127.0.0.1 without a port", sell_as("127.0.0.1"), 403, "host_foreign"),
    Hostile("port with a zero before it", sell_as("127.0.0.1:0PORT"), 403, "host_foreign"),
    Hostile("port followed by more", sell_as("127.0.0.1:PORT.evil.example"), 403, "host_foreign"),
    Hostile("user before the host", sell_as("evil@127.0.0.1:PORT"), 403, "host_foreign"),
    Hostile("host with a trailing dot", sell_as("localhost.:PORT"), 403, "host_foreign"),
    Hostile("IPv4 as one number", sell_as("2130706433:PORT"), 403, "host_foreign"),
    Hostile("IPv4 in hexadecimal", sell_as("0x7f.1:PORT"), 403, "host_foreign"),
    Hostile("another loopback address", sell_as("127.0.0.2:PORT"), 403, "host_foreign"),
    Hostile("any address", sell_as("0.0.0.0:PORT"), 403, "host_foreign"),
    Hostile("IPv6 without brackets", sell_as("::1:PORT"), 403, "host_foreign"),
    Hostile("IPv6 written long", sell_as("[0:0:0:0:0:0:0:1]:PORT"), 403, "host_foreign"),
    Hostile("IPv6 with IPv4 in it", sell_as("[::ffff:127.0.0.1]:PORT"), 403, "host_foreign"),
    Hostile("empty host", sell_as(""), 403, "host_foreign"),
    Hostile("no host", f"PUT /v1/sales/u1 HTTP/1.1\r\n{GOOD}{END}", 403, "host_foreign"),
    Hostile("no host, HTTP/1.0", f"PUT /v1/sales/u1 HTTP/1.0\r\n{GOOD}{END}", 403, "host_foreign"),
    Hostile("two hosts", f"{SELL}Host: evil.example\r\n{END}", 400, "header_repeated"),
    Hostile("the same host twice", f"{SELL}Host: HOST\r\n{END}", 400, "header_repeated"),
    Hostile(
        "target with a foreign host",
        f"PUT http://evil.example/v1/sales/u1 HTTP/1.1\r\nHost: HOST\r\n{GOOD}{END}",
        400,
        "target_not_path",
    ),
    Hostile("tunnel", "CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: HOST\r\n\r\n", 400, "target_not_path"),
    # pages of other sites
    Hostile("foreign origin", f"{SELL}Origin: https://evil.example\r\n{END}", 403, "origin_foreign"),
    Hostile("null origin", f"{SELL}Origin: null\r\n{END}", 403, "origin_foreign"),
    Hostile("empty origin", f"{SELL}Origin:\r\n{END}", 403, "origin_foreign"),
    Hostile("origin like ours, http", f"{SELL}Origin: http://pos.example\r\n{END}", 403, "origin_foreign"),
    Hostile("origin like ours, port", f"{SELL}Origin: https://pos.example:8443\r\n{END}", 403, "origin_foreign"),
    Hostile("origin like ours, longer", f"{SELL}Origin: https://pos.example.evil\r\n{END}", 403, "origin_foreign"),
    Hostile("origin like ours, slash", f"{SELL}Origin: https://pos.example/\r\n{END}", 403, "origin_foreign"),
    Hostile("two origins in one", f"{SELL}Origin: {ORIGIN} https://evil.example\r\n{END}", 403, "origin_foreign"),
    Hostile("two origins", f"{SELL}Origin: {ORIGIN}\r\nOrigin: null\r\n{END}", 400, "header_repeated"),
    Hostile(
        "bridge's own origin, by another site",
        f"{SELL}Origin: http://127.0.0.1:PORT\r\nSec-Fetch-Site: cross-site\r\n{END}",
        403,
        "origin_foreign",
    ),
    Hostile("bridge's other name", f"{SELL}Origin: http://localhost:PORT\r\n{END}", 403, "origin_foreign"),
    Hostile("foreign origin that reads", f"{READ}Origin: https://evil.example\r\n\r\n", 403, "origin_foreign"),
    Hostile(
        "foreign origin on events",
        "GET /v1/events HTTP/1.1\r\nHost: HOST\r\nAuthorization: Bearer TOKEN\r\nOrigin: https://evil.example\r\n\r\n",
        403,
        "origin_foreign",
    ),
    Hostile(
        "null origin on health", "GET /livez HTTP/1.1\r\nHost: HOST\r\nOrigin: null\r\n\r\n", 403, "origin_foreign"
    ),
    Hostile("image of another site", f"{READ}Sec-Fetch-Site: cross-site\r\n\r\n", 403, "site_foreign"),
    Hostile("page of a sister site", f"{READ}Sec-Fetch-Site: same-site\r\n\r\n", 403, "site_foreign"),
    Hostile("unknown kind of site", f"{READ}Sec-Fetch-Site: whatever\r\n\r\n", 403, "site_foreign"),
    Hostile(
        "preflight of a foreign page",
        "OPTIONS /v1/quotes HTTP/1.1\r\nHost: HOST\r\nOrigin: https://evil.example\r\n"
        "Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: authorization\r\n\r\n",
        403,
        "origin_foreign",
    ),
    Hostile(
        "preflight of nobody",
        "OPTIONS /v1/quotes HTTP/1.1\r\nHost: HOST\r\nAccess-Control-Request-Method: POST\r\n\r\n",
        405,
        "method_not_allowed",
    ),
    # what a page may send without asking: forms and plain text
    Hostile("text/plain", SELL.replace("application/json", "text/plain") + END, 415, "not_json"),
    Hostile("form", SELL.replace("application/json", "application/x-www-form-urlencoded") + END, 415, "not_json"),
    Hostile("multipart", SELL.replace("application/json", "multipart/form-data; boundary=x") + END, 415, "not_json"),
    Hostile("no content type", SELL.replace("Content-Type: application/json\r\n", "") + END, 415, "not_json"),
    Hostile(
        "JSON in name only", SELL.replace("application/json", "text/plain; application/json") + END, 415, "not_json"
    ),
    Hostile(
        "JSON in UTF-16", SELL.replace("application/json", "application/json; charset=utf-16") + END, 415, "not_json"
    ),
    Hostile("two content types", f"{SELL}Content-Type: text/plain\r\n{END}", 400, "header_repeated"),
    Hostile("compressed", f"{SELL}Content-Encoding: gzip\r\n{END}", 415, "encoding_unsupported"),
    Hostile("no client header", SELL.replace("X-Tillside-Client: test\r\n", "") + END, 403, "client_header_missing"),
    Hostile("empty client header", SELL.replace("Client: test", "Client:") + END, 403, "client_header_missing"),
    Hostile(
        "deletion without the client header",
        "DELETE /v1/holds/h-1 HTTP/1.1\r\nHost: HOST\r\nAuthorization: Bearer TOKEN\r\n\r\n",
        403,
        "client_header_missing",
    ),
    # who are you
    Hostile("no token", SELL.replace("Authorization: Bearer TOKEN\r\n", "") + END, 401, "token_missing"),
    Hostile("no token on metrics", "GET /metrics HTTP/1.1\r\nHost: HOST\r\n\r\n", 401, "token_missing"),
    Hostile("no token on nothing", "GET /v1/nothing HTTP/1.1\r\nHost: HOST\r\n\r\n", 401, "token_missing"),
    Hostile("wrong token", SELL.replace("TOKEN", "x" * 43) + END, 401, "token_unknown"),
    Hostile("token cut short", SELL.replace("TOKEN", "p" * 42) + END, 401, "token_unknown"),
    Hostile("empty token", SELL.replace("Bearer TOKEN", "Bearer ") + END, 401, "token_unknown"),
    Hostile("token of the wrong kind", SELL.replace("Bearer", "Digest") + END, 401, "token_unknown"),
    Hostile("token in the path", "GET /v1/status?token=TOKEN HTTP/1.1\r\nHost: HOST\r\n\r\n", 401, "token_missing"),
    Hostile(
        "another client's name", SELL.replace("Bearer TOKEN", basic("admin", POS_TOKEN)) + END, 401, "token_unknown"
    ),
    Hostile("broken Basic", SELL.replace("Bearer TOKEN", "Basic %%%") + END, 401, "token_unknown"),
    Hostile("very long token", SELL.replace("TOKEN", "p" * 9000) + END, 401, "token_unknown"),
    Hostile("two tokens", f"{SELL}Authorization: Bearer x\r\n{END}", 400, "header_repeated"),
    Hostile("seller asks for the queue", READ.replace("/v1/status", "/v1/queue") + "\r\n", 403, "scope_missing"),
    Hostile("registrar sells", SELL.replace("TOKEN", "k" * 43) + END, 403, "scope_missing"),
    # one request that two readers would read as two
    Hostile("length and chunks", f"{SELL}Transfer-Encoding: chunked\r\n{END}", 400, "request_malformed"),
    Hostile(
        "chunks and length",
        SELL.replace("Content-Length: LENGTH\r\n", "Transfer-Encoding: chunked\r\nContent-Length: LENGTH\r\n") + END,
        400,
        "request_malformed",
    ),
    Hostile("two lengths", f"{SELL}Content-Length: 5\r\n{END}", 400, "request_malformed"),
    Hostile("the same length twice", f"{SELL}Content-Length: LENGTH\r\n{END}", 400, "request_malformed"),
    Hostile("negative length", SELL.replace("LENGTH", "-5") + END, 400, "request_malformed"),
    Hostile("length with a plus", SELL.replace("LENGTH", "+5") + END, 400, "request_malformed"),
    Hostile(
        "unknown coding",
        SELL.replace("Content-Length: LENGTH", "Transfer-Encoding: gzip, chunked") + "\r\n0\r\n\r\n",
        501,
        "coding_unsupported",
    ),
    Hostile(
        "coding after chunks",
        SELL.replace("Content-Length: LENGTH", "Transfer-Encoding: chunked, identity") + "\r\n0\r\n\r\n",
        400,
        "request_malformed",
    ),
    Hostile("folded header", f"{SELL}X-Extra: one\r\n two\r\n{END}", 400, "request_malformed"),
    Hostile("space before the colon", SELL.replace("Host:", "Host :") + END, 400, "request_malformed"),
    Hostile("line feed alone", SELL.replace("\r\n", "\n") + "\nBODY", 400, "request_malformed"),
    Hostile("zero byte in a header", f"{SELL}X-Extra: a\0b\r\n{END}", 400, "request_malformed"),
    Hostile("not HTTP", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400, "request_malformed"),
    Hostile("HTTP/2 upgrade", f"{READ}Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n", 400, "upgrade_refused"),
    Hostile(
        "WebSocket",
        f"{READ}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        400,
        "upgrade_refused",
    ),
    Hostile(
        "WebSocket of a foreign page",
        f"{READ}Connection: Upgrade\r\nUpgrade: websocket\r\nOrigin: https://evil.example\r\n\r\n",
        403,
        "origin_foreign",
    ),
    # too much
    Hostile("announced too large", SELL.replace("LENGTH", "2097153") + "\r\n", 413, "body_too_large"),
    Hostile("announced absurdly large", SELL.replace("LENGTH", "9" * 18) + "\r\n", 413, "body_too_large"),
    Hostile("too many headers", SELL + "X-A: b\r\n" * 70 + END, 431, "too_many_headers"),
    Hostile("head too large", f"{SELL}X-Extra: {'a' * 40_000}\r\n{END}", 431, "head_too_large"),
    Hostile("path too long", f"GET /{'a' * 40_000} HTTP/1.1\r\nHost: HOST\r\n\r\n", 431, "head_too_large"),
    Hostile(
        "body on a read",
        f"{READ}Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{{}}",
        400,
        "body_not_expected",
    ),
    Hostile("unknown method", f"TRACE{SELL[3:]}{END}", 405, "method_not_allowed"),
    Hostile("PATCH", f"PATCH{SELL[3:]}{END}", 405, "method_not_allowed"),
]
BODY = b'{"receipt":{"lines":[{"number":1,"sku":"1","amount_minor":100}]}}'


def filled(live: LiveBridge, request: str) -> bytes:
    head, mark, rest = request.partition("BODY")
    head = head.replace("HOST", f"127.0.0.1:{live.port}").replace("PORT", str(live.port))
    head = head.replace("TOKEN", POS_TOKEN).replace("LENGTH", str(len(BODY)))
    return head.encode("latin-1") + (BODY if mark else b"") + rest.encode("latin-1")


@pytest.mark.parametrize("hostile", TABLE, ids=lambda hostile: hostile.name)
def test_hostile_request_is_refused_without_running_anything(live: LiveBridge, hostile: Hostile) -> None:
    reply = live.raw(filled(live, hostile.request))
    assert (reply.status, reply.code) == (hostile.status, hostile.reason)
    assert reply.headers["content-type"] == "application/problem+json"
    assert "access-control-allow-origin" not in reply.headers
    assert live.bridge.calls == []
    assert live.bridge.refusals == {hostile.reason: 1}


def test_table_is_as_large_as_promised() -> None:
    """The design asks for at least 50 cases."""
    assert len({hostile.request for hostile in TABLE}) == len(TABLE) >= 50


@pytest.mark.parametrize("host", ["127.0.0.1:PORT", "localhost:PORT", "[::1]:PORT", "LocalHost:PORT"])
def test_the_same_request_passes_by_our_own_names(live: LiveBridge, host: str) -> None:
    """The control of the table: with nothing wrong in it, the request sells."""
    assert live.raw(filled(live, sell_as(host))).status == 200
    assert live.bridge.calls == [("sell", "u1")]
    assert not live.bridge.refusals


def test_page_of_the_bridge_itself_passes(live: LiveBridge) -> None:
    """Its origin is the Host that it called by; nothing of CORS is needed for it."""
    own = f"{SELL}Origin: http://127.0.0.1:PORT\r\nSec-Fetch-Site: same-origin\r\n{END}"
    reply = live.raw(filled(live, own))
    assert reply.status == 200
    assert "access-control-allow-origin" not in reply.headers


def test_ipv6_loopback_is_served_too(live: LiveBridge) -> None:
    if not socket.has_ipv6 or not _ipv6_works():
        pytest.skip("this machine has no IPv6 loopback")
    assert live.raw(filled(live, sell_as("[::1]:PORT")), host="::1").status == 200


def _ipv6_works() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def test_listed_page_may_call_and_read(live: LiveBridge) -> None:
    reply = live.call("POST", "/v1/identify", {"code": "1"}, headers={"Origin": ORIGIN, "Sec-Fetch-Site": "cross-site"})
    assert reply.status == 200
    assert reply.headers["access-control-allow-origin"] == ORIGIN
    assert reply.headers["vary"] == "Origin"
    assert "access-control-allow-credentials" not in reply.headers


def test_listed_page_reads_its_own_refusals(live: LiveBridge) -> None:
    reply = live.call("POST", "/v1/identify", {"code": "1"}, token=None, headers={"Origin": ORIGIN})
    assert (reply.status, reply.headers["access-control-allow-origin"]) == (401, ORIGIN)


def test_preflight_of_a_listed_page_is_answered_without_a_token(live: LiveBridge) -> None:
    reply = live.call(
        "OPTIONS",
        "/v1/sales/u1",
        token=None,
        headers={
            "Origin": ORIGIN,
            "Access-Control-Request-Method": "PUT",
            "Access-Control-Request-Headers": "authorization,content-type,x-tillside-client",
            "Access-Control-Request-Private-Network": "true",
        },
    )
    assert reply.status == 204
    assert "PUT" in reply.headers["access-control-allow-methods"]
    assert "X-Tillside-Client" in reply.headers["access-control-allow-headers"]
    assert reply.headers["access-control-allow-private-network"] == "true"
    assert live.bridge.calls == []


def test_basic_with_the_clients_name_is_a_token_too(live: LiveBridge) -> None:
    headers = {"Authorization": basic("admin", ADMIN_TOKEN)}
    assert live.call("GET", "/v1/queue", headers=headers).status == 200


def test_refusal_never_repeats_the_token(live: LiveBridge) -> None:
    """A wrong secret may be a real one with a slip of the finger."""
    reply = live.call("GET", "/v1/status", token="almost-the-right-token")
    assert reply.status == 401
    assert b"almost" not in reply.body
    assert reply.headers["www-authenticate"].startswith("Bearer")


def test_smuggled_second_request_is_not_run(live: LiveBridge) -> None:
    """A refused body is never read as the next request."""
    inner = filled(live, sell_as("127.0.0.1:PORT"))
    outer = filled(live, READ).replace(b"GET", b"POST") + b"Content-Length: %d\r\n\r\n" % len(inner) + inner
    with socket.create_connection(("127.0.0.1", live.port), WAIT_S) as connection:
        connection.sendall(outer)
        assert read_reply(connection).code == "client_header_missing"
        connection.sendall(filled(live, READ + "\r\n"))
        assert read_reply(connection).json["till"] == "t"
    assert live.bridge.calls == []


def test_body_over_the_limit_in_chunks_is_refused(live: LiveBridge) -> None:
    """No length is announced, so it is found out while reading."""
    head = filled(live, SELL.replace("Content-Length: LENGTH", "Transfer-Encoding: chunked") + "\r\n")
    chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
    reply = live.raw(head + chunk * 33)
    assert (reply.status, reply.code) == (413, "body_too_large")
    assert live.bridge.calls == []
    assert live.bridge.refusals == {"body_too_large": 1}


def test_slow_body_is_refused() -> None:
    """A client that announces a body and sends half of it does not hold the connection for ever."""
    with live_bridge(read_timeout_ms=100) as slow:
        reply = slow.raw(filled(slow, SELL + "\r\n") + BODY[:10])
        assert (reply.status, reply.code) == (408, "body_too_slow")
        assert slow.bridge.calls == []
        assert slow.bridge.refusals == {"body_too_slow": 1}


def test_rate_limit_is_per_client_and_by_the_injected_clock() -> None:
    """Past the limit 429 with Retry-After; another client still passes; time brings it back."""
    with live_bridge(BridgeSettings(port=0, rate_limit_per_second=3)) as live:
        assert [live.call("GET", "/v1/status").status for _ in range(5)] == [200, 200, 200, 429, 429]
        refused = live.call("GET", "/v1/status")
        assert (refused.code, refused.headers["retry-after"], refused.json["retryable"]) == ("rate_limited", "1", True)
        assert live.call("GET", "/v1/status", token=ADMIN_TOKEN).status == 200
        live.clock.now_ms += refused.json["retry_after_ms"]
        assert live.call("GET", "/v1/status").status == 200
        assert live.bridge.refusals == {"rate_limited": 3}


def test_guessing_tokens_is_slowed_and_hinders_nobody() -> None:
    """After ten wrong tokens in a minute the wrong ones hear 429, the right ones are served; a minute later anew."""
    with live_bridge() as live:
        found = [live.call("GET", "/v1/status", token=f"guess-{number}").status for number in range(30)]
        assert found == [401] * 10 + [429] * 20
        refused = live.call("GET", "/v1/status", token="guess")
        assert (refused.code, refused.headers["retry-after"]) == ("locked_out", "60")
        assert live.call("GET", "/v1/status").status == 200
        assert live.call("GET", "/livez", token=None).status == 200
        live.clock.now_ms += 60_000
        assert live.call("GET", "/v1/status", token="guess").status == 401


def test_callers_without_a_token_have_a_bucket_that_is_not_that_of_health() -> None:
    """Whoever asks without a token is slowed, and can't make the agent look dead."""
    with live_bridge() as live:
        found = [live.call("GET", "/v1/status", token=None).status for _ in range(30)]
        assert found == [401] * 20 + [429] * 10
        assert live.call("GET", "/livez", token=None).status == 200

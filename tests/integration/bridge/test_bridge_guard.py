"""Who may call, against the real server: what passes, and what is counted. See `bridge_safety` for what is refused."""

import socket

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

GOOD = (
    "Authorization: Bearer TOKEN\r\nX-Tillside-Client: test\r\n"
    "Content-Type: application/json\r\nContent-Length: LENGTH\r\n"
)
SELL = "PUT /v1/sales/u1 HTTP/1.1\r\nHost: HOST\r\n" + GOOD
END = "\r\nBODY"
READ = "GET /v1/status HTTP/1.1\r\nHost: HOST\r\nAuthorization: Bearer TOKEN\r\n"


def sell_as(host: str) -> str:
    return f"PUT /v1/sales/u1 HTTP/1.1\r\nHost: {host}\r\n{GOOD}{END}"


BODY = b'{"receipt":{"lines":[{"number":1,"sku":"1","amount_minor":100}]}}'


def filled(live: LiveBridge, request: str) -> bytes:
    head, mark, rest = request.partition("BODY")
    head = head.replace("HOST", f"127.0.0.1:{live.port}").replace("PORT", str(live.port))
    head = head.replace("TOKEN", POS_TOKEN).replace("LENGTH", str(len(BODY)))
    return head.encode("latin-1") + (BODY if mark else b"") + rest.encode("latin-1")


@pytest.mark.parametrize("host", ["127.0.0.1:PORT", "localhost:PORT", "[::1]:PORT", "LocalHost:PORT"])
def test_the_same_request_passes_by_our_own_names(live: LiveBridge, host: str) -> None:
    """With nothing wrong in it, a request sells."""
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

"""A browser is made known by a one-time code, may do what its page needs, and is forgotten at once."""

import json
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.bridge.agent_kit import LiveAgent, live_agent, settings_for
from integration.bridge.bridge_kit import ORIGIN, WAIT_S, SteppedClock
from integration.bridge_safety.safety_kit import by_page, call_as, code_for, enrolled
from till_agent.bridge.limits import RateLimiter
from till_agent.bridge.pairing import CODE_LIFE_MS, CODES_LIMIT, FILE, PAIRINGS_LIMIT, Pairing
from till_agent.bridge.tokens import Client, load_tokens
from till_config.settings import BridgeSettings
from till_config.settings_frontol import PageSettings
from till_sync.problems import ProblemError

OPEN_BRIDGE = BridgeSettings(port=0, rate_limit_per_second=10_000, allowed_origins=(ORIGIN,))


@pytest.fixture
def live(tmp_path: Path) -> Iterator[LiveAgent]:
    with live_agent(settings_for(enrolled(tmp_path), bridge=OPEN_BRIDGE)) as running:
        yield running


def test_code_becomes_a_token_that_may_do_what_its_page_needs(live: LiveAgent) -> None:
    found = by_page(live, code_for(live)).json
    assert found["client"].startswith("panel-")
    assert (found["page"], found["scopes"]) == ("panel", ["register", "sale"])
    assert call_as(live, found["token"], "POST", "/v1/identify", {"code": "4006381333931"}).status in (200, 404, 422)
    refused = call_as(live, found["token"], "GET", "/v1/queue")
    assert (refused.status, refused.code) == (403, "scope_missing")
    status = by_page(live, code_for(live, "status")).json
    assert status["scopes"] == ["admin", "sale"]
    assert call_as(live, status["token"], "GET", "/v1/queue").status == 200
    refused = call_as(live, status["token"], "POST", "/v1/members", {})
    assert (refused.status, refused.code) == (403, "scope_missing")


def test_browser_is_known_over_a_restart_and_no_token_is_kept(tmp_path: Path) -> None:
    settings = settings_for(enrolled(tmp_path), bridge=OPEN_BRIDGE)
    with live_agent(settings) as live:
        found = by_page(live, code_for(live)).json
        unused = code_for(live)
    path = live.running.state_dir / "tokens" / FILE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    kept = b"".join(each.read_bytes() for each in live.running.state_dir.rglob("*") if each.is_file())
    assert found["token"].encode() not in kept
    with live_agent(settings) as live:
        assert call_as(live, found["token"], "GET", "/v1/status").status == 200
        assert by_page(live, unused).code == "pairing_code_wrong"
        known = live.call("GET", "/v1/pairings", client="admin").json["pairings"]
        assert [(one["client"], one["page"]) for one in known] == [(found["client"], "panel")]
        assert known[0]["seen_ms"] >= known[0]["since_ms"] > 0


def test_forgotten_browser_is_refused_at_once_and_its_stream_ends_before_the_next_event(live: LiveAgent) -> None:
    found = by_page(live, code_for(live)).json
    with socket.create_connection(("127.0.0.1", live.port), WAIT_S) as stream:
        stream.sendall(
            f"GET /v1/events HTTP/1.1\r\nHost: 127.0.0.1:{live.port}\r\n"
            f"Authorization: Bearer {found['token']}\r\n\r\n".encode()
        )
        assert b"200 OK" in stream.recv(65536)
        forgotten = live.call("DELETE", f"/v1/pairings/{found['client']}", client="admin")
        assert forgotten.status == 204
        assert call_as(live, found["token"], "GET", "/v1/status").code == "token_unknown"
        heard = b""
        while part := _received(stream):
            heard += part
        assert b"event: device" not in heard
        assert b"\n:" not in heard, "no comment that keeps it alive has to come first"
    assert live.call("GET", "/v1/pairings", client="admin").json == {"pairings": []}
    again = live.call("DELETE", f"/v1/pairings/{found['client']}", client="admin")
    assert (again.status, again.code) == (404, "pairing_unknown")


def _received(stream: socket.socket) -> bytes:
    try:
        return stream.recv(65536)
    except ConnectionResetError:
        return b""


def test_code_is_good_once(live: LiveAgent) -> None:
    code = code_for(live)
    assert by_page(live, code).status == 200
    again = by_page(live, code)
    assert (again.status, again.code) == (403, "pairing_code_wrong")


def test_code_is_tried_by_pages_of_the_bridge_alone(live: LiveAgent) -> None:
    """Not by the origin that may call all else, by no program without an origin, by no page on another port."""
    code = code_for(live)
    for origin in (ORIGIN, "null", f"http://127.0.0.1:{live.port + 1}", f"http://localhost:{live.port}"):
        refused = by_page(live, code, Origin=origin)
        assert (refused.status, refused.code) == (403, "origin_foreign")
    assert by_page(live, code, Sec_Fetch_Site="same-site").code == "origin_foreign"
    without = call_as(live, None, "POST", "/v1/pairing", {"code": code})
    assert (without.status, without.code) == (403, "origin_foreign")
    assert call_as(live, None, "GET", "/v1/pairing").status == 403
    assert by_page(live, code).status == 200


def test_code_of_a_page_that_is_off_is_not_made(tmp_path: Path) -> None:
    """And who was paired with it before is not known while it is off."""
    state_dir = enrolled(tmp_path)
    with live_agent(settings_for(state_dir, bridge=OPEN_BRIDGE)) as live:
        token = by_page(live, code_for(live)).json["token"]
    with live_agent(settings_for(state_dir, bridge=OPEN_BRIDGE, pages=PageSettings(panel=False))) as live:
        refused = live.call("POST", "/v1/pairing/codes", {"page": "panel"}, client="admin")
        assert (refused.status, refused.code) == (409, "page_off")
        assert call_as(live, token, "GET", "/v1/status").status == 401


def test_address_hands_the_code_over_where_no_browser_sends_it(live: LiveAgent) -> None:
    found = live.call("POST", "/v1/pairing/codes", {"page": "status"}, client="admin").json
    assert found["url"] == f"http://127.0.0.1:{live.port}/status/#code={found['code']}"
    assert found["expires_in_ms"] == CODE_LIFE_MS


@pytest.mark.parametrize(
    "content", [b"", b"[", b'[{"client":1}]', b'[{"client":"x","page":"panel","token":"zz","since_ms":1}]']
)
def test_list_that_is_unusable_counts_as_none(tmp_path: Path, content: bytes) -> None:
    state_dir = enrolled(tmp_path)
    (state_dir / "tokens").mkdir(mode=0o700)
    (state_dir / "tokens" / FILE).write_bytes(content)
    with live_agent(settings_for(state_dir, bridge=OPEN_BRIDGE)) as live:
        assert live.call("GET", "/v1/pairings", client="admin").json == {"pairings": []}
        assert by_page(live, code_for(live)).status == 200


class Codes:
    """Pairing by itself, with a clock that is told."""

    def __init__(self, folder: Path) -> None:
        self.clock = SteppedClock()
        self.tokens = load_tokens(folder, (Client("pos", frozenset({"sale"})),), clock=self.clock)
        self.limiter = RateLimiter(10, ("pos",), self.clock)
        self.pairing = Pairing(self.tokens, self.limiter, self.clock, PageSettings())

    def offer(self) -> str:
        return self.pairing.offer("panel", "http://127.0.0.1:1").code

    def tried(self, code: str) -> str:
        """ "" when it was right, else the problem's code."""
        import asyncio

        try:
            asyncio.run(self.pairing.pair(code))
        except ProblemError as error:
            return error.problem.code
        return ""


def test_code_ends_by_time(tmp_path: Path) -> None:
    codes = Codes(tmp_path)
    late, timely = codes.offer(), ""
    codes.clock.now_ms += CODE_LIFE_MS - 1
    timely = codes.offer()
    codes.clock.now_ms += 1
    assert codes.tried(late) == "pairing_code_wrong"
    assert codes.tried(timely) == ""


def test_code_ends_by_five_wrong_tries(tmp_path: Path) -> None:
    codes = Codes(tmp_path)
    code = codes.offer()
    wrong = f"{(int(code) + 1) % 10**8:08}"
    assert [codes.tried(wrong) for _ in range(4)] == ["pairing_code_wrong"] * 4
    codes.offer()
    assert codes.tried(wrong) == "pairing_code_wrong"
    assert codes.tried(code) == "pairing_code_wrong", "five tries are used up"


def test_wrong_codes_are_locked_out_and_a_right_one_passes(tmp_path: Path) -> None:
    codes = Codes(tmp_path)
    found = [codes.tried("00000000") for _ in range(12)]
    assert found == ["pairing_code_wrong"] * 10 + ["locked_out"] * 2
    assert codes.tried(codes.offer()) == ""


def test_few_codes_are_open_at_once(tmp_path: Path) -> None:
    codes = Codes(tmp_path)
    made = [codes.offer() for _ in range(CODES_LIMIT + 1)]
    assert codes.tried(made[0]) == "pairing_code_wrong"
    assert codes.tried(made[1]) == ""


def test_browsers_are_bounded(tmp_path: Path) -> None:
    codes = Codes(tmp_path)
    (tmp_path / "tokens" / FILE).write_text(
        json.dumps(
            [
                {"client": f"panel-{number:06}", "page": "panel", "token": "00" * 32, "since_ms": 1}
                for number in range(PAIRINGS_LIMIT)
            ]
        )
    )
    codes = Codes(tmp_path)
    assert codes.tried(codes.offer()) == "pairings_full"


def test_pairing_that_the_disk_does_not_take_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No token is told that the next start would not know."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    codes = Codes(tmp_path)
    monkeypatch.setattr("till_agent.bridge.pairing.write_private", full)
    assert codes.tried(codes.offer()) == "pairing_unavailable"
    assert codes.pairing.known().pairings == ()
    assert codes.tokens.clients == ("pos",)

"""The bridge's parts alone: buckets, tokens, header checks, the ring of events."""

import asyncio
import os
import stat
from pathlib import Path

import pytest

from till_agent.bridge.checks import Refusal, allowed_hosts, check_framing, check_host, check_peer, read_headers
from till_agent.bridge.events import LISTENER_QUEUE_LIMIT, RING_LIMIT, EventHub
from till_agent.bridge.exceptions import TokenError
from till_agent.bridge.limits import TokenBucket
from till_agent.bridge.slip_routes import accepted_format
from till_agent.bridge.tokens import Client, Tokens, load_tokens, read_token, token_path

POS = Client("pos", frozenset({"sale"}))
ADMIN = Client("admin", frozenset({"admin"}))


class StillClock:
    boot = "test"
    now_ms = 5_000

    def wall_ms(self) -> int:
        return self.now_ms

    def mono_ms(self) -> int:
        return self.now_ms

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)


def test_bucket_lets_its_rate_through_and_says_how_long_to_wait() -> None:
    bucket = TokenBucket(4, 0)
    assert [bucket.take(0) for _ in range(6)] == [0, 0, 0, 0, 250, 250]
    assert bucket.take(249) == 1
    assert bucket.take(250) == 0
    assert [bucket.take(10_000) for _ in range(5)] == [0, 0, 0, 0, 250]


def test_bucket_gains_nothing_when_the_clock_runs_back() -> None:
    bucket = TokenBucket(1, 10_000)
    assert bucket.take(10_000) == 0
    assert bucket.take(1) > 0


def test_tokens_are_made_once_and_kept_to_their_owner(tmp_path: Path) -> None:
    first = load_tokens(tmp_path, (POS, ADMIN))
    token = read_token(tmp_path, "pos")
    assert token is not None
    assert first.find(b"Bearer " + token.encode()) == POS
    assert load_tokens(tmp_path, (POS, ADMIN)).find(b"Bearer " + token.encode()) == POS
    assert read_token(tmp_path, "admin") not in (None, token)
    if os.name == "posix":
        assert stat.S_IMODE((tmp_path / "tokens").stat().st_mode) == 0o700
        assert stat.S_IMODE(token_path(tmp_path, "pos").stat().st_mode) == 0o600


@pytest.mark.skipif(os.name != "posix", reason="rights are access lists on Windows")
def test_token_file_that_others_may_read_is_narrowed_and_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    load_tokens(tmp_path, (POS,))
    path = token_path(tmp_path, "pos")
    path.chmod(0o644)
    load_tokens(tmp_path, (POS,))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "open to other users" in caplog.text
    assert path.read_text().strip() not in caplog.text


@pytest.mark.parametrize("content", ["", "short", "x" * 44, "я" * 43, "x" * 5000])
def test_token_file_with_something_else_is_made_anew(tmp_path: Path, content: str) -> None:
    (tmp_path / "tokens").mkdir()
    token_path(tmp_path, "pos").write_text(content)
    load_tokens(tmp_path, (POS,))
    made = read_token(tmp_path, "pos")
    assert made is not None
    assert made != content


@pytest.mark.parametrize("name", ["", "../admin", "a/b", "x" * 41, ".hidden"])
def test_client_name_never_leaves_the_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(TokenError):
        token_path(tmp_path, name)


def test_folder_that_can_not_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text("a file")
    with pytest.raises(TokenError, match="folder for tokens"):
        load_tokens(tmp_path, (POS,))


def test_later_client_does_not_hide_an_earlier_one() -> None:
    tokens = Tokens({POS: "p" * 43, ADMIN: "a" * 43})
    assert tokens.find(b"bearer " + b"p" * 43) == POS
    assert tokens.find(b"Bearer   " + b"a" * 43) == ADMIN
    assert tokens.find(b"Bearer " + b"q" * 43) is None


@pytest.mark.parametrize(
    ("peer", "passes"),
    [
        (("127.0.0.1", 1), True),
        (("127.8.8.8", 1), True),
        (("::1", 1), True),
        (("::ffff:127.0.0.1", 1), True),
        (("10.0.0.5", 1), False),
        (("::ffff:10.0.0.5", 1), False),
        (("fe80::1%eth0", 1), False),
        (("", 1), False),
        (None, False),
    ],
)
def test_only_this_machine_is_a_peer(peer: tuple[str, int] | None, passes: bool) -> None:
    assert (check_peer(peer) is None) is passes


def test_nothing_is_our_name_before_the_port_is_known() -> None:
    assert isinstance(check_host({b"host": b"127.0.0.1:0"}, frozenset()), Refusal)
    assert check_host({b"host": b"127.0.0.1:80"}, allowed_hosts(80)) is None


def test_header_with_a_line_break_is_refused_whoever_parsed_it() -> None:
    """The parser refuses it too; a second line of defence that no socket test can reach."""
    assert isinstance(read_headers([(b"x", b"a\r\nb")]), Refusal)


def test_length_together_with_chunks_is_refused_whoever_parsed_it() -> None:
    refusal = check_framing({b"content-length": b"1", b"transfer-encoding": b"chunked"}, "POST", 10)
    assert refusal is not None
    assert refusal.reason == "framing_ambiguous"
    refusal = check_framing({b"content-length": b"1x"}, "POST", 10)
    assert refusal is not None
    assert refusal.reason == "length_invalid"


def test_accept_is_weighed() -> None:
    assert accepted_format(b"") == "text"
    assert accepted_format(b"application/json;q=0.2, image/png") == "png"


def test_ring_forgets_and_says_so() -> None:
    async def run() -> None:
        hub = EventHub(StillClock(), run="0123abcd")
        for number in range(RING_LIMIT + 1):
            hub.publish("device", number)
        lost = hub.listen("0123abcd.0")
        assert lost is not None
        assert b"event: reset" in await lost.next(0)
        kept = hub.listen(f"0123abcd.{RING_LIMIT - 5}")
        assert kept is not None
        assert (await kept.next(0)).count(b"event: device") == 6
        far = hub.listen("0123abcd.1")
        assert far is not None
        assert b"event: reset" in await far.next(0), "more than one queue holds"

    asyncio.run(run())


def test_listener_that_falls_behind_is_dropped_and_the_rest_stay() -> None:
    async def run() -> None:
        hub = EventHub(StillClock())
        slow, quick = hub.listen(), hub.listen()
        assert slow is not None
        assert quick is not None
        for number in range(LISTENER_QUEUE_LIMIT + 1):
            hub.publish("device", number)
            await quick.next(0)
        assert slow.fell_behind
        assert not quick.closed
        assert (hub.listener_count, hub.listeners_dropped) == (1, 1)

    asyncio.run(run())

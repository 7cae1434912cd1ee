"""Server-sent events over real sockets: order, resuming, limits, and clients that do not read."""

import contextlib
import json
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

import pytest

from integration.bridge.bridge_kit import POS_TOKEN, WAIT_S, LiveBridge, live_bridge
from till_agent.bridge import stream
from till_agent.bridge.events import LISTENER_LIMIT


@pytest.fixture
def live() -> Iterator[LiveBridge]:
    with live_bridge() as running:
        yield running


@dataclass
class Stream:
    """An open stream, read event by event."""

    connection: socket.socket
    rest: bytes = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.connection.close()

    def read_to_end(self) -> None:
        """Until the server closes."""
        while True:
            self.block()

    def block(self) -> dict[str, str]:
        """The next block between empty lines; its comments under ""."""
        while b"\n\n" not in self.rest:
            part = self.connection.recv(65536)
            if not part:
                raise ConnectionError("the stream has ended")
            self.rest += part
        found, _, self.rest = self.rest.partition(b"\n\n")
        fields: dict[str, str] = {}
        for line in found.decode().split("\n"):
            name, _, value = line.partition(":")
            # Sizes of chunks stand between the events of a chunked answer.
            fields[name] = value.strip()
        return fields

    def event(self) -> tuple[str, str, Any]:
        """(id, name, data) of the next event; comments are passed over."""
        while True:
            fields = self.block()
            if "event" in fields:
                return fields["id"], fields["event"], json.loads(fields["data"])


def listen(live: LiveBridge, last_event_id: str = "") -> Stream:
    connection = socket.create_connection(("127.0.0.1", live.port), WAIT_S)
    resume = f"Last-Event-ID: {last_event_id}\r\n" if last_event_id else ""
    connection.sendall(
        f"GET /v1/events HTTP/1.1\r\nHost: 127.0.0.1:{live.port}\r\nAuthorization: Bearer {POS_TOKEN}\r\n"
        f"{resume}\r\n".encode()
    )
    opened = Stream(connection)
    head = b""
    while b"\r\n\r\n" not in head:
        head += connection.recv(65536)
    head, _, opened.rest = head.partition(b"\r\n\r\n")
    assert b"200 OK" in head
    assert b"text/event-stream" in head
    assert "retry" in "".join(opened.block())
    return opened


def publish(live: LiveBridge, name: Any, data: Any) -> None:
    live.on_loop(lambda: live.bridge.events.publish(name, data))


def wait_until(live: LiveBridge, listeners: int) -> None:
    deadline = time.monotonic() + WAIT_S
    while live.on_loop(lambda: live.bridge.events.listener_count) != listeners:
        assert time.monotonic() < deadline, "the listeners did not change"
        time.sleep(0.01)


def test_events_come_in_order_with_ids(live: LiveBridge) -> None:
    with listen(live) as opened:
        publish(live, "scan", {"text": "4601"})
        publish(live, "device", {"state": "ready\n\ndata: no"})
        assert opened.event() == ("0123abcd.1", "scan", {"text": "4601"})
        assert opened.event() == ("0123abcd.2", "device", {"state": "ready\n\ndata: no"})


def test_every_listener_gets_every_event(live: LiveBridge) -> None:
    with listen(live) as one, listen(live) as other:
        publish(live, "sync", {"online": False})
        assert one.event() == other.event() == ("0123abcd.1", "sync", {"online": False})


def test_stream_resumes_after_the_last_seen_event(live: LiveBridge) -> None:
    with listen(live) as opened:
        publish(live, "device", 1)
        last = opened.event()[0]
    publish(live, "device", 2)
    publish(live, "device", 3)
    with listen(live, last) as again:
        assert [again.event()[2] for _ in range(2)] == [2, 3]
        publish(live, "device", 4)
        assert again.event()[2] == 4


def test_newcomer_is_told_nothing_of_the_past(live: LiveBridge) -> None:
    publish(live, "device", "past")
    with listen(live) as opened:
        publish(live, "device", "now")
        assert opened.event()[2] == "now"


@pytest.mark.parametrize("last", ["ffffffff.1", "0123abcd.99", "nonsense", "1"])
def test_unknown_last_id_begins_with_a_reset(live: LiveBridge, last: str) -> None:
    publish(live, "device", 1)
    with listen(live, last) as opened:
        assert opened.event()[1] == "reset"


def test_old_scan_is_not_told_again(live: LiveBridge) -> None:
    """It was for a receipt that is no longer on the screen; a device's state still counts."""
    publish(live, "sync", "seen")
    publish(live, "scan", "old card")
    publish(live, "device", "lost")
    live.clock.now_ms += 60_000
    with listen(live, "0123abcd.1") as opened:
        assert opened.event()[2] == "lost"


def test_silence_is_filled_with_comments(live: LiveBridge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream.send_events, "__kwdefaults__", {"keep_alive_s": 0.02, "send_timeout_s": 5.0})
    with listen(live) as opened:
        assert "keep-alive" in opened.block().values()


def test_too_many_streams_are_refused_and_a_left_one_makes_room(live: LiveBridge) -> None:
    with contextlib.ExitStack() as held:
        for _ in range(LISTENER_LIMIT - 1):
            held.enter_context(listen(live))
        with listen(live):
            reply = live.call("GET", "/v1/events")
            assert (reply.status, reply.code, reply.json["retryable"]) == (503, "too_many_listeners", True)
        wait_until(live, LISTENER_LIMIT - 1)
        held.enter_context(listen(live))
    wait_until(live, 0)


def test_client_that_does_not_read_is_cut_off(live: LiveBridge, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others go on; it finds its connection closed."""
    monkeypatch.setattr(stream.send_events, "__kwdefaults__", {"keep_alive_s": 5.0, "send_timeout_s": 0.1})
    with listen(live) as reader, listen(live) as deaf:
        # More than socket buffers hold on both sides, in bites that a queue takes.
        for number in range(100):
            publish(live, "alert", {"number": number, "padding": "x" * 200_000})
            assert reader.event()[2]["number"] == number
        wait_until(live, 1)
        assert live.bridge.events.listeners_dropped == 1
        with pytest.raises(ConnectionError):
            deaf.read_to_end()


def test_head_of_a_stream_is_refused(live: LiveBridge) -> None:
    assert live.call("HEAD", "/v1/events").status == 405


def test_stream_needs_the_scope(live: LiveBridge) -> None:
    assert live.call("GET", "/v1/events", token="k" * 43).code == "scope_missing"


def test_stop_ends_streams(live: LiveBridge) -> None:
    with listen(live) as opened:
        live.on_loop(lambda: live.bridge.events.close())
        with pytest.raises(ConnectionError):
            opened.read_to_end()
    assert live.call("GET", "/v1/events").status == 503

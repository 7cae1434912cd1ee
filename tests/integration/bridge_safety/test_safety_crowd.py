"""A program that opens connections and says nothing does not keep the cash software out."""

import contextlib
import socket

from integration.bridge.bridge_kit import WAIT_S, live_bridge, read_reply
from till_agent.bridge.limits import CONNECTION_LIMIT


def test_idle_connections_make_room_for_one_that_calls() -> None:
    """The oldest by which nobody known has called is cut; that of the cash software stays."""
    with live_bridge() as live, contextlib.ExitStack() as stack:

        def connected() -> socket.socket:
            made = stack.enter_context(socket.create_connection(("127.0.0.1", live.port), WAIT_S))
            made.settimeout(WAIT_S)
            return made

        request = (
            f"GET /v1/queue HTTP/1.1\r\nHost: 127.0.0.1:{live.port}\r\nAuthorization: Bearer {'a' * 43}\r\n\r\n"
        ).encode()
        known = connected()
        known.sendall(request)
        assert read_reply(known).status == 200
        idle = [connected() for _ in range(CONNECTION_LIMIT + 20)]
        assert live.call("GET", "/livez", token=None).status == 200
        assert idle[0].recv(1) == b"", "the oldest is cut"
        known.sendall(request)
        assert read_reply(known).status == 200
        assert live.bridge.refusals["connection_cut"] >= 20
        assert live.bridge.refusals["too_many_connections"] == 0

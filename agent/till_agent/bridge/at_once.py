"""What a connection lends to a call: its whole body where it is there, and one write for the whole answer.

ASGI hands over bodies and answers in parts, by a message each. A call of cash software comes in one packet and is
answered in one: without these two it takes a timer, a dozen coroutines and two packets, and the second packet alone
costs as much as to look a member up. Where anything is out of the ordinary (a body under way, a caller who asks before
sending it, one who does not read) both decline, and the call goes the way of all others.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from uvicorn.protocols.http.httptools_impl import HEADER_VALUE_RE, STATUS_LINE, RequestResponseCycle

from till_agent.bridge.answers import Answer, head_lines

READ_KEY = "tillside.read"
"""In the ASGI scope: gives the whole body, or None when it has to be waited for."""
ANSWER_KEY = "tillside.answer"
"""In the ASGI scope: sends a whole answer; False when it has to go through ASGI's `send`. What wraps `send` to change
answers has to take this out of the scope, as the guard does for pages of other origins."""

Read = Callable[[], bytes | None]
Send = Callable[[Answer], bool]


def lend(scope: Any, cycle: RequestResponseCycle) -> None:
    """Put both into the scope of a request that begins."""
    scope[READ_KEY] = partial(read_whole, cycle)
    scope[ANSWER_KEY] = partial(answer_whole, cycle)


def read_whole(cycle: RequestResponseCycle) -> bytes | None:
    """The body, taken away as `receive` would, if all of it has come."""
    if cycle.more_body or cycle.disconnected or cycle.response_started or cycle.waiting_for_100_continue:
        return None
    body = bytes(cycle.body)
    cycle.body = bytearray()
    cycle.message_event.clear()
    return body


def answer_whole(cycle: RequestResponseCycle, answer: Answer) -> bool:
    """What `send` does with the two messages of an answer, with all its lines and its body in one write."""
    if cycle.response_started or cycle.flow.write_paused or not _are_clean(answer):
        return False
    if cycle.disconnected:
        return True
    cycle.response_started = True
    cycle.waiting_for_100_continue = False
    ending = b"\r\n" if cycle.keep_alive else b"connection: close\r\n\r\n"
    body = b"" if cycle.scope["method"] == "HEAD" else answer.body
    cycle.transport.write(STATUS_LINE[answer.status] + head_lines(answer) + ending + body)
    cycle.response_complete = True
    cycle.message_event.set()
    if not cycle.keep_alive:
        cycle.transport.close()
    cycle.on_response()
    return True


def _are_clean(answer: Answer) -> bool:
    """An answer with headers of its own that would end a line, or the connection, is left to those who refuse it."""
    return not any(HEADER_VALUE_RE.search(value) or name == b"connection" for name, value in answer.headers)

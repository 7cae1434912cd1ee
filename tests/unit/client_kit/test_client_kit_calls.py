"""The client for Python has every call of the bridge's description, with the types that the bridge itself takes."""

import inspect
import keyword
import typing
from typing import Any

import pytest

from house.client_kit import OPENAPI
from house.client_kit_calls import Description
from till_agent.bridge.operations import OPERATIONS
from till_agent.bridge.slip_operations import SLIP_KINDS
from till_agent.client import AsyncTill, Till
from till_agent.client.events import KINDS, EventReader
from till_agent.client.exceptions import BY_STATUS, AnswerMalformedError, RefusedError
from till_agent.client.table import SPECS
from till_agent.client.wire import refused

HAND_MADE = {"close", "wait_ready", "from_state_dir"}


def method_name(operation: str) -> str:
    """As Python can say it."""
    return f"{operation}_" if keyword.iskeyword(operation) else operation


@pytest.mark.parametrize("client", [Till, AsyncTill])
def test_every_call_is_there_and_no_other(client: type) -> None:
    """Of the description as it is written down."""
    public = {name for name, _ in inspect.getmembers(client, callable) if not name.startswith("_")}
    wanted = {method_name(call.id) for call in Description(OPENAPI.read_text("utf-8")).calls}
    assert public - HAND_MADE == wanted
    assert set(SPECS) == {call.id for call in Description(OPENAPI.read_text("utf-8")).calls}


@pytest.mark.parametrize("client", [Till, AsyncTill])
@pytest.mark.parametrize("operation", [each for each in OPERATIONS if each.id not in ("events", *SLIP_KINDS)])
def test_a_call_takes_and_gives_the_types_of_the_bridge(client: type, operation: Any) -> None:
    """Body, answer, parameters of path and query."""
    function = getattr(client, method_name(operation.id))
    hints = typing.get_type_hints(function)
    assert hints.pop("return") in (operation.answer or dict[str, Any], str, type(None))
    if operation.answer is not None:
        assert typing.get_type_hints(function)["return"] is operation.answer
    assert hints.pop("request", None) is operation.request
    hints.pop("timeout_ms")
    parameters = [*operation.path_parameters, *operation.query_parameters]
    assert sorted(hints) == sorted(parameter.name for parameter in parameters)
    for parameter in operation.path_parameters:
        assert hints[parameter.name] is str


def test_what_may_not_be_done_twice_is_not_repeated() -> None:
    """Prints, and whatever is made anew by each call."""
    once = {name for name, spec in SPECS.items() if not spec.again}
    assert {"print", "print_return", "print_void", "try_printer"} <= once
    assert {name for name in once if SPECS[name].method != "POST"} == set()


def test_every_status_of_the_description_has_its_error() -> None:
    """And any other status is a refusal too."""
    told = {
        int(status) for call in Description(OPENAPI.read_text("utf-8")).calls for status in call.described["responses"]
    }
    assert {status for status in told if status >= 400} <= set(BY_STATUS)
    body = b'{"code": "odd", "detail": "odd", "retryable": false}'
    assert isinstance(refused("quote", 418, {}, body), RefusedError)
    assert isinstance(refused("quote", 502, {}, b"<html>"), AnswerMalformedError)


FRAMES = (
    b'retry: 250\n\nid: a.1\nevent: alert\ndata: {"code": "one",\ndata:  "text": "\xd0\xbe"}\n\n: keep-alive\n\n'
    b"event: later\r\ndata: {}\r\n\r\nid: a.2\nevent: reset\ndata: {}\n\n"
)


@pytest.mark.parametrize("size", [1, 7, len(FRAMES)])
def test_events_are_read_whatever_pieces_they_come_in(size: int) -> None:
    """Fields over several lines, comments, an unknown event, and the pause that is asked for."""
    reader = EventReader()
    found = [event for at in range(0, len(FRAMES), size) for event in reader.feed(FRAMES[at : at + size])]
    assert [(event.id, event.name, getattr(event.data, "text", None)) for event in found] == [
        ("a.1", "alert", "о"),
        ("a.1", "later", None),
        ("a.2", "reset", None),
    ]
    assert (reader.retry_ms, reader.last_id) == (250, "a.2")


def test_events_that_no_agent_sends_are_refused() -> None:
    """Another type's JSON, and a line without an end."""
    with pytest.raises(AnswerMalformedError):
        list(EventReader().feed(b'event: scan\ndata: {"device": 1}\n\n'))
    with pytest.raises(AnswerMalformedError):
        list(EventReader().feed(b"data: " + b"x" * 5_000_000))
    assert set(KINDS) == {"scan", "device", "sync", "alert"}

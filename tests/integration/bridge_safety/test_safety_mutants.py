"""Each check of the guard left out: a row of the table notices. What no mutant fails would be no table."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from integration.bridge_safety.hostile_operations import GUARDED, rows_of
from integration.bridge_safety.hostile_wire import TABLE
from integration.bridge_safety.hostile_world import World, told, world_at
from till_agent.bridge import checks, endpoint, guard, pairing, server, tokens
from till_agent.bridge.tokens import Client

ANYBODY = Client("pos", frozenset({"sale", "register", "admin"}))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world_at(tmp_path_factory.mktemp("mutants")) as made:
        yield made


def passes(*_: object, **__: object) -> None:
    """A check that finds nothing wrong."""


def takes_any_port(headers: Any, hosts: frozenset[bytes]) -> Any:
    names = {host.rpartition(b":")[0] for host in hosts}
    return None if headers.get(b"host", b"").partition(b":")[0] in names else checks.check_host(headers, hosts)


def trusts_null(headers: Any, origins: frozenset[bytes], **options: Any) -> Any:
    return checks.check_origin(headers, origins | {b"null"}, **options) if headers.get(b"origin") != b"null" else None


def forgets_own_only(headers: Any, origins: frozenset[bytes], **_: Any) -> Any:
    return checks.check_origin(headers, origins)


def takes_beginnings(headers: Any, origins: frozenset[bytes], **options: Any) -> Any:
    origin = headers.get(b"origin", b"")
    return (
        None if any(origin.startswith(each) for each in origins) else checks.check_origin(headers, origins, **options)
    )


def forgets_fetch_metadata(headers: Any, origins: frozenset[bytes], **options: Any) -> Any:
    kept = {name: value for name, value in headers.items() if not name.startswith(b"sec-fetch-")}
    return checks.check_origin(kept, origins, **options)


def keeps_the_last(raw: Any) -> Any:
    return dict(raw)


def counts_no_headers(raw: Any) -> Any:
    return checks.read_headers(list(raw)[:60])


def finds_anybody(_self: Any, authorization: bytes) -> Client | None:
    return ANYBODY if authorization else None


def ignores_the_name(self: Any, authorization: bytes) -> Client | None:
    kind, _, rest = authorization.partition(b" ")
    if kind == b"Basic":
        import base64
        import contextlib

        with contextlib.suppress(ValueError):
            rest = base64.b64decode(rest).partition(b":")[2]
    return FIND(self, b"Bearer " + rest)


def takes_any_key(self: Any, _authorization: bytes, _body: bytes) -> Client | None:
    return next((each.client for each in self._keys), None)


def ignores_the_body(self: Any, authorization: bytes, _body: bytes) -> Client | None:
    return FIND_FRONTOL(self, authorization, b'{"client":{}}')


def takes_any_target(self: Any) -> None:
    self.url = b"/" + self.url.partition(b"//")[2].partition(b"/")[2] if b"://" in self.url else b"/v1/quotes"
    server.LimitedProtocol.on_headers_complete(self)


def takes_headers_behind(self: Any, name: bytes, value: bytes) -> None:
    server.LimitedProtocol.on_header(self, name, value)


def never_uses_up(self: Any, _said: str) -> Any:
    return pairing._Code(page="panel", code="", until_ms=0)


FIND = tokens.Tokens.find
FIND_FRONTOL = tokens.Tokens.find_frontol
MUTANTS: list[tuple[str, Any, str, Callable[..., Any], str]] = [
    ("any host", guard, "check_host", passes, "Names"),
    ("any port", guard, "check_host", takes_any_port, "Names"),
    ("any origin", guard, "check_origin", passes, "Pages"),
    ("null origin", guard, "check_origin", trusts_null, "Pages"),
    ("origins by their beginning", guard, "check_origin", takes_beginnings, "Pages"),
    ("codes for every listed page", guard, "check_origin", forgets_own_only, "Pages"),
    ("no fetch metadata", guard, "check_origin", forgets_fetch_metadata, "Pages"),
    ("the last of two headers", guard, "read_headers", keeps_the_last, "Names"),
    ("any number of headers", guard, "read_headers", counts_no_headers, "Too much"),
    ("any method", guard, "check_method", passes, "What a page"),
    ("any body", guard, "check_framing", passes, "What a page"),
    ("any path", guard, "check_path", passes, "Paths"),
    ("pages at Frontol's door", guard, "check_no_page", passes, "Frontol"),
    ("any token", tokens.Tokens, "find", finds_anybody, "Secrets"),
    ("Basic by the token alone", tokens.Tokens, "find", ignores_the_name, "Secrets"),
    ("any key of Frontol", tokens.Tokens, "find_frontol", takes_any_key, "Frontol"),
    ("a digest for every body", tokens.Tokens, "find_frontol", ignores_the_body, "Frontol"),
    ("any scope", endpoint, "check_scope", passes, "Secrets"),
    ("any code", pairing.Pairing, "_find", never_uses_up, "Replays"),
    ("any target", server.BridgeProtocol, "on_headers_complete", takes_any_target, "Paths"),
    ("headers behind the body", server.BridgeProtocol, "on_header", takes_headers_behind, "Bytes"),
    ("no headers of safety", guard, "guarded", lambda send: send, "Secrets"),
    ("no limit of heads", server.BridgeProtocol, "_refuse_head", passes, "Too much"),
]

OF_OPERATIONS = {"any host", "any origin", "no fetch metadata", "any method", "any body", "any token", "any scope"}


@pytest.mark.parametrize("mutant", MUTANTS, ids=[mutant[0] for mutant in MUTANTS])
def test_check_that_is_left_out_is_noticed(
    world: World, monkeypatch: pytest.MonkeyPatch, mutant: tuple[str, Any, str, Callable[..., Any], str]
) -> None:
    _, owner, name, broken, group = mutant
    rows = next(each.rows for each in TABLE if each.title.startswith(group))
    monkeypatch.setattr(owner, name, broken)
    assert any(told(world, row) for row in rows), "no row notices"
    monkeypatch.undo()
    assert [row.name for row in rows[:3] if told(world, row)] == [], "mended, the rows pass again"


@pytest.mark.parametrize("mutant", [each for each in MUTANTS if each[0] in OF_OPERATIONS], ids=lambda mutant: mutant[0])
def test_operation_that_is_open_to_more_is_noticed(
    world: World, monkeypatch: pytest.MonkeyPatch, mutant: tuple[str, Any, str, Callable[..., Any], str]
) -> None:
    _, owner, name, broken, _ = mutant
    rows = [row for each in GUARDED if each.id == "print_note" for row in rows_of(each)]
    monkeypatch.setattr(owner, name, broken)
    assert any(told(world, row) for row in rows), "no row notices"
    monkeypatch.undo()
    assert [row.name for row in rows if told(world, row)] == [], "mended, the rows pass again"

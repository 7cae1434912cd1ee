"""Proxies before the cloud do what proxies do to paths, headers and bodies; honest tills sign, push and pull on."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import httpx
import msgspec
import pytest

from integration.cloud.signing_kit import Machine, World, push_body, world
from kit.loops import run
from till_sync import packing
from till_sync.asking import SaleQuestion
from till_sync.exceptions import CloudRefused, SaleRefused

LIKE_NGINX = "!$&'()*+,-./:;=@_~"
"""What `proxy_pass` with a path leaves as it is when it writes a decoded path anew."""


class Proxy:
    """A reverse proxy on loopback: takes off a prefix, decodes paths and writes them anew, adds headers."""

    def __init__(self, upstream: str, *, prefix: str = "/loyalty", rewrite: bool = True) -> None:
        self.upstream, self.prefix, self.rewrite = upstream, prefix, rewrite
        self.on_request: Callable[[dict[str, str], bytes], tuple[dict[str, str], bytes]] | None = None
        self.on_answer: Callable[[dict[str, str], bytes], tuple[dict[str, str], bytes]] | None = None
        self.refuses: Callable[[str, bytes], bool] | None = None
        self.passed: list[str] = []
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await self._serve(reader, writer)
        writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with httpx.AsyncClient(trust_env=False, timeout=20) as client:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                method, target, _ = head[0].split(" ")
                headers = {
                    name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:-2])
                }
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                status, answered, content = await self._pass(client, method, target, headers, body)
                lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(content)}"]
                lines += [f"{name.title()}: {value}" for name, value in answered.items()]
                writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + content)
                await writer.drain()

    async def _pass(
        self, client: httpx.AsyncClient, method: str, target: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        path, mark, query = target.partition("?")
        path = path.removeprefix(self.prefix)
        if self.rewrite:
            path = quote(unquote(path), safe=LIKE_NGINX)
        self.passed.append(path)
        if self.refuses is not None and self.refuses(path, body):
            return 403, {"content-type": "text/html"}, b"<html>Request blocked</html>"
        if self.on_request is not None:
            headers, body = self.on_request(headers, body)
        kept = {
            name.upper(): value
            for name, value in headers.items()
            if name not in ("host", "content-length", "connection")
        }
        kept |= {"X-Forwarded-For": "10.0.0.1", "X-Forwarded-Proto": "https", "Via": "1.1 proxy", "Connection": "close"}
        request = client.build_request(method, self.upstream + path + mark + query, headers=kept, content=body or None)
        async with contextlib.AsyncExitStack() as stack:
            answer = await client.send(request, stream=True)
            stack.push_async_callback(answer.aclose)
            content = b"".join([chunk async for chunk in answer.aiter_raw()])
        answered = {
            name: value for name, value in answer.headers.items() if name not in ("content-length", "connection")
        }
        if self.on_answer is not None:
            answered, content = self.on_answer(answered, content)
        return answer.status_code, answered, content


@contextlib.asynccontextmanager
async def behind(folder: Path, **options: Any) -> AsyncIterator[tuple[World, Machine, Proxy]]:
    """A machine whose cloud's address is the proxy's, with a path and a slash at its end; enrolled through it."""
    async with world(folder) as made:
        proxy = Proxy(made.url, **options)
        server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
        proxy.port = server.sockets[0].getsockname()[1]
        machine = made.machine("first")
        machine.url = f"http://127.0.0.1:{proxy.port}{proxy.prefix}/"
        try:
            await machine.enrol(made.code())
            await machine.start()
            yield made, machine, proxy
        finally:
            await machine.stop()
            server.close()


def many(made: World, count: int) -> bytes:
    for number in range(count):
        made.ops.sale(f"s{number}", "m-1", 10_000 + number)
    return push_body(made.ops)


def without_encoding(headers: dict[str, str], body: bytes) -> tuple[dict[str, str], bytes]:
    return {name: value for name, value in headers.items() if name != "content-encoding"}, body


def unpacking(headers: dict[str, str], body: bytes) -> tuple[dict[str, str], bytes]:
    if headers.get("content-encoding") != packing.ZSTD:
        return headers, body
    return without_encoding(headers, packing.unpack(body, limit_bytes=10**8))


def test_a_prefix_a_slash_and_headers_in_capitals_change_no_signature(tmp_path: Path) -> None:
    """Hello, push, pull; signed and packed, through a proxy that takes off the path that it is found by."""

    async def case() -> None:
        async with behind(tmp_path) as (made, machine, proxy):
            await machine.client.hello()
            answer = await machine.client.push(many(made, 50))
            assert [result.status for result in answer.results] == ["applied"] * 50
            page = await machine.client.changes("", limit=10)
            assert page.rows
            assert made.till()["public_key"]
            assert all(path.startswith("/v1/") for path in proxy.passed)

    run(case())


@pytest.mark.parametrize("name", ["c:1:abcdefgh", "c.2_abc-def", "c~!$&'()*+,;=@"])
def test_a_path_that_is_decoded_and_written_anew_is_still_signed(name: str, tmp_path: Path) -> None:
    """What nginx does with `proxy_pass http://cloud/`: the cloud must not take it for a forged request."""

    async def case() -> None:
        async with behind(tmp_path) as (_, machine, _):
            await machine.client.hello()
            with pytest.raises(CloudRefused) as caught:
                await machine.client.give_code(name, "123456", timeout_ms=5_000)
            assert caught.value.code == "confirmation_unknown"

    run(case())


@pytest.mark.parametrize("uid", ["a/b", "a%2Fb", "%", "б", "a b", "..", "a?b", "a#b", "a;b"])
def test_no_uid_that_somebody_types_looks_like_a_forged_signature(uid: str, tmp_path: Path) -> None:
    """A return asks for whatever number the cashier typed: unknown, and never 401, which would halt the till."""

    async def case() -> None:
        async with behind(tmp_path) as (_, machine, _):
            await machine.client.hello()
            with pytest.raises((CloudRefused, SaleRefused)) as caught:
                await machine.client.sale(SaleQuestion(sale_uid=uid), timeout_ms=5_000)
            assert getattr(caught.value, "status", 404) == 404

    run(case())


@pytest.mark.parametrize("meddles", [without_encoding, unpacking], ids=["strips Content-Encoding", "unpacks requests"])
def test_a_proxy_that_meddles_with_packed_requests_costs_no_op(
    meddles: Callable[[dict[str, str], bytes], tuple[dict[str, str], bytes]], tmp_path: Path
) -> None:
    """The push goes through as it is or plain, in the same exchange: nothing is refused, so nothing can be parked."""

    async def case() -> None:
        async with behind(tmp_path) as (made, machine, proxy):
            proxy.on_request = meddles
            await machine.client.hello()
            answer = await machine.client.push(many(made, 50))
            assert [result.status for result in answer.results] == ["applied"] * 50

    run(case())


@pytest.mark.parametrize("meddles", [without_encoding, unpacking], ids=["strips Content-Encoding", "unpacks answers"])
def test_a_proxy_that_meddles_with_packed_answers_keeps_no_page_back(
    meddles: Callable[[dict[str, str], bytes], tuple[dict[str, str], bytes]], tmp_path: Path
) -> None:
    async def case() -> None:
        async with behind(tmp_path) as (made, machine, proxy):
            for number in range(100):
                made.chain.member(f"m-{number + 100}", points=number)
            proxy.on_answer = meddles
            await machine.client.hello()
            page = await machine.client.changes("", limit=1_000)
            assert len(page.rows) > 100

    run(case())


def test_ops_that_pack_very_well_go_through(tmp_path: Path) -> None:
    """A long receipt of the same thing is no bomb: what the cloud would take for one is sent plain."""

    async def case() -> None:
        async with behind(tmp_path) as (made, machine, _):
            await machine.client.hello()
            made.ops.sale("long", "m-1", 10_000)
            body = msgspec.json.decode(push_body(made.ops))
            raw = msgspec.json.encode(body) + b" " * 2_000_000
            assert len(raw) > packing.RATIO_LIMIT * len(packing.pack(raw))
            answer = await machine.client.push(raw)
            assert [result.status for result in answer.results] == ["applied"]

    run(case())


def test_an_unpacked_request_of_no_json_is_told_so(tmp_path: Path) -> None:
    """A packed body without its header is read as what it is only where packed bodies are taken."""

    async def case() -> None:
        async with world(tmp_path) as made:
            headers = {"authorization": f"Bearer {made.ops.token}", "content-type": "application/json"}
            answer = await made.http.post("/v1/enrolments", content=packing.pack(b"{}" * 600), headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (400, "body_malformed")

    run(case())

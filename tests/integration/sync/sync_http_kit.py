"""An application with every kind of failure, served by the server that bridge and cloud share."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Annotated, Any

import httpx
import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from kit.loops import run
from till_sync.http.bodies import read_json
from till_sync.http.problems import install_problem_handlers
from till_sync.http.serving import Server
from till_sync.problems import PROBLEM_MEDIA_TYPE, ProblemError

LIMIT_BYTES = 4_000
HEAD = b"POST /take HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: "
TIMEOUT_MS = 250


class Line(msgspec.Struct):
    """Part of what the test's route takes."""

    number: Annotated[int, msgspec.Meta(ge=1, le=10**9)]
    name: str = ""


class Receipt(msgspec.Struct):
    """What the test's route takes."""

    lines: list[Line]
    notes: dict[str, int] = {}


_decoder = msgspec.json.Decoder(Receipt)


async def take(request: Request) -> Response:
    receipt = await read_json(request, _decoder, limit_bytes=LIMIT_BYTES, timeout_ms=TIMEOUT_MS)
    return Response(msgspec.json.encode(receipt), media_type="application/json")


async def refuse(request: Request) -> Response:
    raise ProblemError(
        409,
        "uid_conflict",
        "expected the same body",
        headers={"X-Seen": "1"},
        extras={"pointer": "/uid", "cashier": "Ой"},
    )


async def defect(request: Request) -> Response:
    raise ValueError(request.query_params["card"])


async def broken_stream(request: Request) -> Response:
    async def parts() -> AsyncIterator[bytes]:
        yield b"first"
        raise ValueError(request.query_params["card"])

    return StreamingResponse(parts(), media_type="text/plain")


async def hang(request: Request) -> Response:
    await asyncio.Event().wait()
    return Response()


async def bad_status(request: Request) -> Response:
    raise HTTPException(418, "teapot")


async def bad_stored(request: Request) -> Response:
    _decoder.decode(await request.body())
    return Response()


def make_app() -> Starlette:
    app = Starlette(
        routes=[
            Route("/take", take, methods=["POST"]),
            Route("/refuse", refuse),
            Route("/defect", defect),
            Route("/broken", broken_stream),
            Route("/hang", hang),
            Route("/teapot", bad_status),
            Route("/raw", bad_stored, methods=["POST"]),
        ]
    )
    install_problem_handlers(app)
    return app


@contextlib.asynccontextmanager
async def serving(**options: Any) -> AsyncIterator[Server]:
    server = Server(make_app(), **options)
    await server.start()
    try:
        yield server
    finally:
        await server.stop(grace_ms=200)


def ask(method: str, path: str, **options: Any) -> httpx.Response:
    """One request to a server of its own."""

    async def case() -> httpx.Response:
        async with serving() as server, httpx.AsyncClient(trust_env=False, timeout=5) as client:
            return await client.request(method, f"http://127.0.0.1:{server.port}{path}", **options)

    return run(case())


def post(body: bytes, content_type: str = "application/json", path: str = "/take", **headers: str) -> httpx.Response:
    return ask("POST", path, content=body, headers={"Content-Type": content_type, **headers})


async def raw(port: int, data: bytes, *, host: str = "127.0.0.1", close: bool = False) -> bytes:
    """Send bytes, read until the server closes."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(data)
        await writer.drain()
        if close:
            writer.write_eof()
        return await asyncio.wait_for(reader.read(), 5)
    finally:
        writer.close()


def problem_of(answer: httpx.Response) -> dict[str, Any]:
    assert answer.headers["content-type"] == PROBLEM_MEDIA_TYPE
    members: dict[str, Any] = answer.json()
    assert members["status"] == answer.status_code
    assert members["type"] == "https://tillside.dev/problems/" + members["code"].replace("_", "-")
    assert members["title"]
    assert isinstance(members["retryable"], bool)
    return members

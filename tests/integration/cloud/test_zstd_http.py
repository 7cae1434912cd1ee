"""zstd between till and cloud: used where both say so, refused where it is no good, never needed."""

from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from backports import zstd

from integration.cloud.signing_kit import Machine, World, push_body, world
from kit.loops import run
from till_sync import packing
from till_sync.exceptions import CloudRefused, NotOurCloud
from till_sync.secured import SecuredTransport
from till_sync.transport import Reply

OPS = "/v1/tills/k1/ops"
JSON = {"content-type": "application/json"}


class Seen:
    """What went over the line under a machine's transport."""

    def __init__(self, transport: SecuredTransport) -> None:
        self.sent: list[tuple[str, dict[str, str], bytes]] = []
        self.got: list[Reply] = []
        self._exchange = transport._inner.exchange
        transport._inner.exchange = self.exchange

    async def exchange(self, method: str, path: str, **parts: Any) -> Reply:
        self.sent.append((path, dict(parts["headers"]), parts["body"]))
        self.got.append(await self._exchange(method, path, **parts))
        return self.got[-1]


async def greeted(world: World) -> tuple[Machine, Seen]:
    machine = world.machine("first")
    await machine.enrol(world.code())
    client = await machine.start()
    seen = Seen(machine.transport)
    await client.hello()
    return machine, seen


def many(world: World, count: int) -> bytes:
    for number in range(count):
        world.ops.sale(f"s{number}", "m-1", 10_000 + number)
    return push_body(world.ops)


def test_a_push_goes_out_packed_and_means_the_same(tmp_path: Path) -> None:
    """A tenth of the bytes; the digest that is signed is of the bytes on the line."""

    async def case() -> None:
        async with world(tmp_path) as made:
            machine, seen = await greeted(made)
            body = many(made, 100)
            answer = await machine.client.push(body)
            assert [result.status for result in answer.results] == ["applied"] * 100
            _, headers, sent = seen.sent[-1]
            assert headers["Content-Encoding"] == "zstd"
            assert len(sent) < len(body) / 8
            assert packing.unpack(sent, limit_bytes=len(body)) == body
            assert seen.got[-1].headers["content-encoding"] == "zstd"

    run(case())


def test_small_bodies_go_out_as_they_are(tmp_path: Path) -> None:
    async def case() -> None:
        async with world(tmp_path) as made:
            machine, seen = await greeted(made)
            await machine.client.hello()
            assert "Content-Encoding" not in seen.sent[-1][1]
            assert "content-encoding" not in seen.got[-1].headers

    run(case())


def test_a_page_comes_packed_and_ranges_do_not(tmp_path: Path) -> None:
    """What is fetched by ranges is a file with a digest of its own."""

    async def case() -> None:
        async with world(tmp_path) as made:
            for number in range(200):
                made.chain.member(f"m-{number + 100}", points=number)
            machine, seen = await greeted(made)
            page = await machine.client.changes("", limit=1_000)
            assert len(page.rows) == 203
            assert seen.got[-1].headers["content-encoding"] == "zstd"
            assert len(seen.got[-1].body) < len(msgspec.json.encode(page)) / 4
            path = "/v1/tills/k1/changes?since=&limit=1000"
            headers = {"Authorization": f"Bearer {machine.identity.token}", "Range": "bytes=0-9"}
            reply = await machine.transport.exchange("GET", path, headers=headers, body=b"", answer_limit_bytes=10**7)
            assert "Accept-Encoding" not in seen.sent[-1][1]
            assert "content-encoding" not in reply.headers

    run(case())


def test_nothing_is_packed_before_the_cloud_has_said_that_it_takes_it(tmp_path: Path) -> None:
    """A push right after the start, to whatever cloud there is."""

    async def case() -> None:
        async with world(tmp_path) as made:
            machine = made.machine("first")
            await machine.enrol(made.code())
            client = await machine.start()
            seen = Seen(machine.transport)
            await client.push(many(made, 10))
            assert "Content-Encoding" not in seen.sent[-1][1]
            assert "Accept-Encoding" not in seen.sent[-1][1]

    run(case())


@pytest.mark.parametrize(("status", "code"), [(415, "encoding_unsupported"), (400, "encoding_broken")])
def test_a_cloud_that_no_longer_takes_it_gets_it_plain(status: int, code: str, tmp_path: Path) -> None:
    """Set back to a former release while the till runs: the same push goes out again at once."""

    async def case() -> None:
        async with world(tmp_path) as made:
            machine, _ = await greeted(made)
            exchange = machine.transport._inner.exchange

            async def former(method: str, path: str, **parts: Any) -> Reply:
                if "Content-Encoding" in parts["headers"]:
                    problem = {"status": status, "code": code, "detail": ""}
                    return Reply(status, {"content-type": "application/problem+json"}, msgspec.json.encode(problem))
                return await exchange(method, path, **parts)

            machine.transport._inner.exchange = former
            assert (await machine.client.push(many(made, 10))).acked_seq == 10

    run(case())


BOMBS = {
    "over the limit": (zstd.compress(bytes(64 * 1024 * 1024)), 413, "batch_too_large"),
    "within the limit, over the ratio": (zstd.compress(bytes(4 * 1024 * 1024)), 413, "batch_too_large"),
    "garbage": (b"not zstd at all", 400, "encoding_broken"),
    "nothing": (b"", 400, "encoding_broken"),
    "half a frame": (packing.pack(b"[1, 2, 3]" * 500)[:-5], 400, "encoding_broken"),
    "two frames": (packing.pack(b"{}") * 2, 400, "encoding_broken"),
    "a frame of nothing": (packing.pack(b""), 400, "body_malformed"),
    "a frame of no JSON": (packing.pack(b"\xff\xfe"), 400, "body_malformed"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_and_garbage_are_refused(name: str, tmp_path: Path) -> None:
    """By their own code, with nothing changed, and the cloud goes on."""
    body, status, code = BOMBS[name]

    async def case() -> None:
        async with world(tmp_path) as made:
            headers = {"authorization": f"Bearer {made.ops.token}", "content-encoding": "zstd", **JSON}
            before = made.everything()
            answer = await made.http.post(OPS, content=body, headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (status, code)
            assert made.everything() == before
            made.ops.sale("a", "m-1", 10_000)
            good = await made.http.post(OPS, content=packing.pack(push_body(made.ops)), headers=headers)
            assert good.json()["acked_seq"] == 1

    run(case())


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate", "zstd, zstd", "zstd;q=1", "x" * 200])
def test_other_encodings_are_refused(encoding: str, tmp_path: Path) -> None:
    async def case() -> None:
        async with world(tmp_path) as made:
            headers = {"authorization": f"Bearer {made.ops.token}", **JSON}
            headers |= {"content-encoding": encoding}
            answer = await made.http.post(OPS, content=push_body(made.ops), headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (415, "encoding_unsupported")
            assert answer.headers["accept-encoding"] == "zstd"

    run(case())


def test_only_pushes_may_be_packed(tmp_path: Path) -> None:
    """Holds are smaller than what packing saves."""

    async def case() -> None:
        async with world(tmp_path) as made:
            headers = {"authorization": f"Bearer {made.ops.token}", "content-encoding": "zstd", **JSON}
            answer = await made.http.post("/v1/holds", content=packing.pack(b"{}"), headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (415, "encoding_unsupported")

    run(case())


PORTALS = {
    "gzip": ("gzip", b"{}"),
    "zstd that is none": ("zstd", b"<html>"),
    "a bomb": ("zstd", zstd.compress(bytes(64 * 1024 * 1024))),
    "two codings": ("zstd, gzip", b"{}"),
}


@pytest.mark.parametrize("name", PORTALS)
def test_an_answer_in_another_packing_is_not_our_clouds(name: str, tmp_path: Path) -> None:
    """Nothing that it says counts, and a bomb goes off at the till as little as at the cloud."""
    encoding, body = PORTALS[name]

    async def case() -> None:
        async with world(tmp_path) as made:
            machine, _ = await greeted(made)

            async def portal(*_: Any, **__: Any) -> Reply:
                return Reply(200, {"content-type": "application/json", "content-encoding": encoding}, body)

            machine.transport._inner.exchange = portal
            with pytest.raises(NotOurCloud):
                await machine.client.changes("", limit=10)

    run(case())


def test_packed_answers_only_go_to_who_takes_them(tmp_path: Path) -> None:
    """Neither a browser's list of codings with weights nor an asterisk counts as asking for it."""

    async def case() -> None:
        async with world(tmp_path) as made:
            for number in range(100):
                made.chain.member(f"m-{number + 100}")
            async with httpx.AsyncClient(base_url=made.url, trust_env=False) as http:
                for asked in ("identity", "*", "zstd;q=0", "gzip, deflate", ""):
                    headers = {"authorization": f"Bearer {made.ops.token}", "accept-encoding": asked}
                    answer = await http.get("/v1/tills/k1/changes", headers=headers)
                    assert (answer.status_code, answer.headers.get("content-encoding")) == (200, None)
                headers = {"authorization": f"Bearer {made.ops.token}", "accept-encoding": "zstd"}
                async with http.stream("GET", "/v1/tills/k1/changes", headers=headers) as stream:
                    raw = b"".join([chunk async for chunk in stream.aiter_raw()])
                assert stream.headers["content-encoding"] == "zstd"
                assert stream.headers["vary"] == "Accept-Encoding"
                assert int(stream.headers["content-length"]) == len(raw)
                assert packing.unpack(raw, limit_bytes=10**6) == answer.content

    run(case())


def test_problems_come_plain(tmp_path: Path) -> None:
    """They are read by whoever stands before the machine, with whatever is at hand."""

    async def case() -> None:
        async with world(tmp_path) as made:
            machine, seen = await greeted(made)
            with pytest.raises(CloudRefused):
                await machine.client.changes("rubbish", limit=10)
            assert "content-encoding" not in seen.got[-1].headers

    run(case())


def test_mutant_without_limits_a_bomb_goes_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test of bombs notices."""
    monkeypatch.setattr(packing, "RATIO_LIMIT", 10**9)
    with pytest.raises(AssertionError):
        test_bombs_and_garbage_are_refused("within the limit, over the ratio", tmp_path)

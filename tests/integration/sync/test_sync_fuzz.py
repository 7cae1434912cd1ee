"""Whatever a till, or somebody with its token, sends to any route of the cloud: an answer or a problem, never a 500."""

import asyncio
import random
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from integration.cloud.signing_kit import Signer, World, push_body, world
from integration.sync.sync_http_kit import raw
from kit.loops import run
from till_sync import keys, packing
from till_sync.signing import KEY_PATH
from till_sync.wire import PATHS

REQUESTS = 150

TEXTS = [
    "", "k1", "m-1", "c:1:abcdefgh", "0", "-1", "1e9",
    "9" * 17, "9" * 400, "x" * 3_000, "\u0000", "\u0436", "\U0001f600",
    "../..", "a/b", "%2F", "' OR 1=1 --", "\u202e", "TSV1.x.y", "g-k1-1", "bytes=0-9", "\u0085", "null",
]  # fmt: skip
WHOLE = [0, 1, -1, 2**31, 2**53, 2**53 + 1, 2**63, 2**64, 10**30, -(2**63)]
OTHERS: list[Any] = [None, True, 1.5, 1e308, [], {}, [[]], {"a": {}}, [None] * 50]

BODIES: dict[str, Any] = {
    "holds": {"hold": "h-k1-abcdefgh", "till": "k1", "sale_uid": "s", "member_id": "m-1", "points": 100, "pin": "1234"},
    "grants": {"member_id": "m-1", "points": 100},
    "coupons": {"codes": ["A", "B"], "member_id": "m-1"},
    "confirmations": {
        "confirmation": "c-1-abcdefgh", "purpose": "spend", "tag": "phone:0", "phone": "+7",
        "member_id": "m-1", "language": "ru",
    },
    "confirm": {"code": "123456"},
    "enrolments": {"code": "k1.AAAA-BBBB-CCCC-DDDD", "salt": "s", "public_key": "0" * 64},
    "key": {"public_key": "0" * 64},
}  # fmt: skip
ROUTES = {**PATHS, "key": KEY_PATH}
QUERY = (
    "since",
    "limit",
    "wait",
    "grants",
    "check",
    "form",
    "members_after",
    "members_to",
    "waiting",
    "till",
    "of_till",
    "date",
)


class Fuzzer:
    def __init__(self, seed: int, made: World) -> None:
        self.chance = random.Random(seed)
        self.bodies = {**BODIES, "ops": msgspec.json.decode(push_body(made.ops))}

    def value(self) -> Any:
        return self.chance.choice([*TEXTS, *WHOLE, *OTHERS])

    def spoilt(self, value: Any) -> Any:
        """One place of a valid body changed, left out, or doubled into a list."""
        if isinstance(value, dict) and value and self.chance.random() < 0.8:
            name = self.chance.choice(list(value))
            if self.chance.random() < 0.15:
                return {key: each for key, each in value.items() if key != name}
            return {**value, name: self.spoilt(value[name])}
        if isinstance(value, list) and value and self.chance.random() < 0.8:
            at = self.chance.randrange(len(value))
            return [*value[:at], self.spoilt(value[at]), *value[at + 1 :]]
        return self.value()

    def target(self, name: str) -> str:
        filled = ROUTES[name]
        for part in ("till", "sale_uid", "confirmation", "snapshot"):
            text = "k1" if part == "till" and self.chance.random() < 0.8 else self.chance.choice(TEXTS)
            filled = filled.replace("{" + part + "}", httpx.QueryParams({"x": text}).__str__()[2:])
        chosen = self.chance.sample(QUERY, self.chance.randint(0, 3))
        asked = httpx.QueryParams({each: str(self.value())[:500] for each in chosen})
        return f"{filled}?{asked}" if asked else filled

    def body(self, name: str) -> bytes:
        if name not in self.bodies:
            return b""
        made = self.bodies[name]
        for _ in range(self.chance.randint(0, 2)):
            made = self.spoilt(made)
        try:
            encoded = msgspec.json.encode(made)
        except (OverflowError, msgspec.EncodeError):
            encoded = str(made).replace("'", '"').encode("utf-8", "replace")
        if self.chance.random() < 0.1:
            at = self.chance.randrange(len(encoded) + 1)
            encoded = encoded[:at] + bytes(self.chance.randrange(256) for _ in range(2)) + encoded[at + 1 :]
        return encoded


@pytest.mark.parametrize("signed", [False, True], ids=["token", "signed"])
@pytest.mark.parametrize("seed", range(3))
def test_no_request_breaks_the_cloud(seed: int, *, signed: bool, tmp_path: Path) -> None:
    """By token alone and signed; paths, queries and bodies that are nearly right. The books are whole afterwards."""

    async def case() -> None:
        async with world(tmp_path) as made:
            made.ops.sale("s1", "m-1", 10_000)
            private = keys.new_key()
            if signed:
                assert made.chain.centre.add_key("k1", keys.public_of(private)).result()
            signer = Signer(made.ops.token, private)
            fuzzer = Fuzzer(seed, made)
            seen: set[int] = set()
            for _ in range(REQUESTS):
                name = fuzzer.chance.choice(list(ROUTES))
                method = "POST" if name in fuzzer.bodies else "GET"
                target, body = fuzzer.target(name), fuzzer.body(name)
                headers = {"authorization": f"Bearer {made.ops.token}", "content-type": "application/json"}
                if name == "ops" and fuzzer.chance.random() < 0.3:
                    body, headers["content-encoding"] = packing.pack(body), "zstd"
                if signed:
                    headers |= signer.request(method, target, body)["headers"]
                answer = await made.http.request(method, target, headers=headers, content=body)
                seen.add(answer.status_code)
                told = (method, target, body, answer.text[:300])
                assert answer.status_code != 500, told
                if answer.status_code >= 400:
                    assert answer.headers["content-type"] == "application/problem+json", told
            assert seen >= {200, 404, 422}  # it gets through to the handlers

    run(case())


HEADS = [
    b"GET /v1/tills/\xff\xfe/hello HTTP/1.1",
    b"GET /v1/tills/k1/changes?since=%ff&check=%00&form=1 HTTP/1.1",
    b"GET //v1//tills/k1/hello HTTP/1.1",
    b"GET http://other/v1/tills/k1/hello HTTP/1.1",
    b"OPTIONS * HTTP/1.1",
    b"HEAD /v1/snapshots/x?till=k1 HTTP/1.1",
    b"GET /v1/snapshots/%2e%2e%2fc.db?till=k1&till=k2 HTTP/1.1",
    b"POST /v1/tills/k1/ops HTTP/1.0",
]
FIELDS = [
    b"Signature: till=:" + b"A" * 86 + b"==:",
    b"Signature-Input: till=()\r\nSignature: x",
    b"Signature-Input: \xff\r\nSignature: \xff",
    b"Tillside-Till: \xc3\xbf\r\nTillside-Counter: 9999999999999999999999",
    b"Authorization: Bearer \xff\xfe",
    b"Authorization: Basic x",
    b"Range: bytes=0-0," * 1 + b"1-1\r\nIf-Range: \xff",
    b"Content-Length: 5\r\nContent-Encoding: zstd\r\nContent-Type: application/json",
    b"Content-Digest: sha-256=:x:, sha-512=:y:",
    b"Accept-Encoding: zstd;q=1, \xff",
]


def test_no_head_breaks_the_cloud(tmp_path: Path) -> None:
    """Bytes that no client of ours sends, over a bare socket: refused or cut, never a 500."""

    async def case() -> None:
        async with world(tmp_path) as made:
            port = int(made.url.rstrip("/").rpartition(":")[2])
            token = b"Authorization: Bearer " + made.ops.token.encode()
            for head in HEADS:
                for field in FIELDS:
                    fields = field if b"Authorization" in field else token + b"\r\n" + field
                    data = head + b"\r\nHost: x\r\nConnection: close\r\n" + fields + b"\r\n\r\n12345"
                    said = await asyncio.wait_for(raw(port, data, close=True), 10)
                    assert not said.startswith(b"HTTP/1.1 500"), (head, field, said[:300])

    run(case())

"""Foreign, replayed and tampered requests: each is refused for what it is, and nothing at all is changed by it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from integration.cloud.signing_kit import NOON_MS, Signer, World, push_body, world
from kit.loops import run
from till_cloud.guard import AGE_LIMIT_S, WINDOW
from till_sync import keys, packing, signing

NOW_S = NOON_MS // 1000
HELLO = "/v1/tills/k1/hello"
OPS = "/v1/tills/k1/ops"
HOLDS = "/v1/holds"
OTHER = keys.new_key()

Request = dict[str, Any]
Make = Callable[[World, Signer, bytes], Request]


def changed(request: Request, *, body: bytes | None = None, url: str = "", method: str = "", **headers: str) -> Request:
    """The request after somebody on the way had it; header names with _ for -; "" takes a header out."""
    sent = dict(request["headers"])
    for name, value in headers.items():
        sent[name.replace("_", "-")] = value
    return {
        "method": method or request["method"],
        "url": url or request["url"],
        "headers": {name: value for name, value in sent.items() if value},
        "content": request["content"] if body is None else body,
    }


def other_key(world: World, signer: Signer, body: bytes) -> Request:
    return Signer(signer.token, keys.new_key()).request("POST", OPS, body)


def packed_but_not_signed_so(world: World, signer: Signer, body: bytes) -> Request:
    """The digest is of the bytes on the wire: who packs on the way changes them."""
    request = signer.request("POST", OPS, body)
    return changed(request, body=packing.pack(body), content_encoding="zstd")


def other_input(request: Request, old: str, new: str) -> Request:
    """The request with something else in what was said to be signed."""
    return changed(request, signature_input=request["headers"]["signature-input"].replace(old, new))


def key_request(signer: Signer, private: str) -> Request:
    """Somebody hands in the public key of `private`."""
    return signer.request("POST", "/v1/tills/k1/key", msgspec.json.encode({"public_key": keys.public_of(private)}))


def hold(points: int, till: str = "k1") -> bytes:
    return msgspec.json.encode(
        {"hold": "h-k1-1", "till": till, "sale_uid": "a", "member_id": "m-1", "points": points, "ttl_ms": 60_000}
    )


ROWS: dict[str, tuple[Make, int, str]] = {
    "no signature": (
        lambda w, s, b: changed(s.request("POST", OPS, b), signature="", signature_input=""),
        401,
        "missing",
    ),
    "no signature, hello": (
        lambda w, s, b: changed(s.request("GET", HELLO), signature="", signature_input=""),
        401,
        "missing",
    ),
    "no signature, hold": (
        lambda w, s, b: changed(s.request("POST", HOLDS, hold(5)), signature="", signature_input="", tillside_till=""),
        401,
        "missing",
    ),
    "input alone": (lambda w, s, b: changed(s.request("POST", OPS, b), signature=""), 401, "wrong"),
    "signature alone": (lambda w, s, b: changed(s.request("POST", OPS, b), signature_input=""), 401, "wrong"),
    "another key": (other_key, 401, "wrong"),
    "another till's name": (lambda w, s, b: s.request("POST", OPS, b, till="k2"), 401, "wrong"),
    "another till's header": (lambda w, s, b: changed(s.request("POST", OPS, b), tillside_till="k2"), 401, "wrong"),
    "another method": (lambda w, s, b: changed(s.request("GET", OPS, b), method="POST"), 401, "wrong"),
    "another path": (lambda w, s, b: changed(s.request("POST", HELLO, b), url=OPS), 401, "wrong"),
    "another query": (
        lambda w, s, b: changed(
            s.request("GET", "/v1/tills/k1/changes?since=&limit=5"), url="/v1/tills/k1/changes?limit=9"
        ),
        401,
        "wrong",
    ),
    "a query that was not signed": (
        lambda w, s, b: changed(s.request("GET", HELLO), url=HELLO + "?waiting=9"),
        401,
        "wrong",
    ),
    "another counter": (lambda w, s, b: changed(s.request("POST", OPS, b), tillside_counter="99"), 401, "wrong"),
    "no counter": (lambda w, s, b: changed(s.request("POST", OPS, b), tillside_counter=""), 401, "wrong"),
    "another run": (lambda w, s, b: changed(s.request("POST", OPS, b), tillside_instance="f" * 16), 401, "wrong"),
    "a later time than was signed": (
        lambda w, s, b: other_input(s.request("POST", OPS, b), str(NOW_S), str(NOW_S + 9)),
        401,
        "wrong",
    ),
    "no digest": (lambda w, s, b: changed(s.request("POST", OPS, b), content_digest=""), 401, "wrong"),
    "another digest": (
        lambda w, s, b: changed(s.request("POST", OPS, b), content_digest=signing.digest_of(b"{}")),
        401,
        "wrong",
    ),
    "a digest by another name": (
        lambda w, s, b: changed(s.request("POST", OPS, b), content_digest="unixsum=:30637:"),
        401,
        "wrong",
    ),
    "another body": (
        lambda w, s, b: changed(s.request("POST", OPS, b), body=b.replace(b"m-1", b"m-2")),
        400,
        "digest_mismatch",
    ),
    "one byte more": (lambda w, s, b: changed(s.request("POST", OPS, b), body=b + b" "), 400, "digest_mismatch"),
    "no body": (lambda w, s, b: changed(s.request("POST", OPS, b), body=b""), 400, "digest_mismatch"),
    "a body to a request without": (
        lambda w, s, b: changed(s.request("POST", OPS), body=b, content_type="application/json"),
        400,
        "digest_mismatch",
    ),
    "packed on the way": (packed_but_not_signed_so, 400, "digest_mismatch"),
    "a hold for more points": (
        lambda w, s, b: changed(s.request("POST", HOLDS, hold(5)), body=hold(500)),
        400,
        "digest_mismatch",
    ),
    "a hold in another till's name": (
        lambda w, s, b: s.request("POST", HOLDS, hold(5, till="k2")),
        401,
        "token_invalid",
    ),
    "signed too long ago": (lambda w, s, b: s.request("POST", OPS, b, created_s=NOW_S - AGE_LIMIT_S - 1), 401, "stale"),
    "signed before the cloud began": (lambda w, s, b: s.request("POST", OPS, b, created_s=NOW_S - 1), 401, "stale"),
    "signed in the future": (
        lambda w, s, b: s.request("POST", OPS, b, created_s=NOW_S + AGE_LIMIT_S + 1),
        401,
        "stale",
    ),
    "signed ten years ago": (lambda w, s, b: s.request("POST", OPS, b, created_s=NOW_S - 315_360_000), 401, "stale"),
    "a stranger's token": (
        lambda w, s, b: changed(s.request("POST", OPS, b), authorization="Bearer x"),
        401,
        "token_invalid",
    ),
    "no token": (lambda w, s, b: changed(s.request("POST", OPS, b), authorization=""), 401, "token_invalid"),
    "a till that is not there": (
        lambda w, s, b: s.request("POST", "/v1/tills/k9/ops", b, till="k9"),
        401,
        "token_invalid",
    ),
    "a counter far behind": (lambda w, s, b: s.request("POST", OPS, b, counter=0), 409, "counter_behind"),
    "a run that begins behind": (
        lambda w, s, b: s.request("POST", OPS, b, run="e" * 16, counter=2),
        409,
        "counter_behind",
    ),
    "a signature over too little": (
        lambda w, s, b: other_input(s.request("POST", OPS, b), ' "tillside-counter"', ""),
        401,
        "wrong",
    ),
    "another key handed in": (lambda w, s, b: key_request(Signer(s.token, OTHER), OTHER), 409, "key_known"),
    "a key that the sender has not": (lambda w, s, b: key_request(s, OTHER), 401, "wrong"),
}


async def prepared(world: World) -> Signer:
    """A till with a key that has said a hundred things."""
    private = keys.new_key()
    signer = Signer(world.ops.token, private)
    assert world.chain.centre.add_key("k1", keys.public_of(private)).result()
    signer.counter = 2 * WINDOW
    assert (await world.http.request(**signer.request("GET", HELLO))).status_code == 200
    return signer


@pytest.mark.parametrize("name", ROWS)
def test_what_was_not_signed_so_is_refused_and_changes_nothing(name: str, tmp_path: Path) -> None:
    """And the till itself goes on."""
    make, status, code = ROWS[name]

    async def case() -> None:
        async with world(tmp_path) as made:
            signer = await prepared(made)
            made.ops.sale("a", "m-1", 10_000)
            body = push_body(made.ops)
            before = made.everything()
            answer = await made.http.request(**make(made, signer, body))
            found = answer.json()
            assert (answer.status_code, found.get("code", "").removeprefix("signature_")) == (status, code), answer.text
            assert made.everything() == before
            honest = await made.http.request(**signer.request("POST", OPS, body))
            assert (honest.status_code, honest.json()["acked_seq"]) == (200, 1), honest.text
            assert made.till()["quarantined_at_ms"] == 0

    run(case())


@pytest.mark.parametrize("target", [HELLO, OPS])
def test_a_request_that_is_played_again_does_nothing(target: str, tmp_path: Path) -> None:
    """Not at once, not after others, not a hundred times; and it puts nobody into quarantine."""

    async def case() -> None:
        async with world(tmp_path) as made:
            signer = await prepared(made)
            made.ops.sale("a", "m-1", 10_000)
            body = push_body(made.ops) if target == OPS else b""
            request = signer.request("POST" if body else "GET", target, body)
            assert (await made.http.request(**request)).status_code == 200
            before = made.everything()
            for _ in range(5):
                again = await made.http.request(**request)
                assert (again.status_code, again.json()["code"]) == (409, "counter_behind")
            for _ in range(WINDOW + 2):
                assert (await made.http.request(**signer.request("GET", HELLO))).status_code == 200
            again = await made.http.request(**request)
            assert (again.status_code, again.json()["code"]) == (409, "counter_behind")
            assert made.everything() == before

    run(case())


def test_requests_that_overtake_each_other_are_all_taken(tmp_path: Path) -> None:
    """Within the window, in whatever order, each once."""

    async def case() -> None:
        async with world(tmp_path) as made:
            signer = await prepared(made)
            requests = [signer.request("GET", HELLO) for _ in range(WINDOW)]
            for request in reversed(requests):
                assert (await made.http.request(**request)).status_code == 200
            assert {(await made.http.request(**request)).status_code for request in requests} == {409}

    run(case())


MUTANTS: dict[str, tuple[str, Any, str]] = {
    "signature not checked": (
        "till_cloud.guard.verify",
        lambda public, head, till: signing.Signed(
            till, int(head.headers.get("tillside-counter") or 0), head.headers.get("tillside-instance", ""), NOW_S, b"m"
        ),
        "another key",
    ),
    "digest not checked": ("till_sync.http.bodies._check_digest", lambda request, sha256: None, "another body"),
    "time not checked": ("till_cloud.guard.AGE_LIMIT_S", 10**12, "signed in the future"),
    "counter ignored": ("till_cloud.guard.Guard._count", lambda self, known, signed: None, "a counter far behind"),
    "signature not required": ("till_cloud.guard.Guard.admit", lambda *_, **__: None, "no signature"),
    "body not covered": (
        "till_sync.signing.COVERED",
        tuple(name for name in signing.COVERED if name != "content-digest"),
        "another digest",
    ),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_signing_mutant_is_caught(mutant: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the check taken out, the row of the table that it is for fails."""
    where, what, row = MUTANTS[mutant]
    monkeypatch.setattr(where, what)
    with pytest.raises(AssertionError):
        test_what_was_not_signed_so_is_refused_and_changes_nothing(row, tmp_path)

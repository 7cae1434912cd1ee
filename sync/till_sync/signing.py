"""Requests signed by RFC 9421 (HTTP Message Signatures, Ed25519), with the body's digest of RFC 9530.

Only what our tills send is written and read: one signature `till` over `COVERED` in that order, with the parameters
`created`, `keyid` and `alg`. tests/unit/sync/test_signing_rfc.py holds it against the RFC's own example and against
another implementation.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Annotated
from urllib.parse import quote_from_bytes, unquote_to_bytes

from msgspec import Meta, Struct

from till_sync import keys
from till_sync.wire import Count

TILL_HEADER = "tillside-till"
COUNTER_HEADER = "tillside-counter"
RUN_HEADER = "tillside-instance"

COVERED = ("@method", "@path", "@query", "content-digest", TILL_HEADER, COUNTER_HEADER, RUN_HEADER)
"""What a signature is over. `@authority` is not: a proxy before the cloud may rewrite it, and no other cloud knows the
till's key. The path is the protocol's own, from `/v1` on, whatever prefix the cloud's address has, and in one spelling
of what is percent-encoded in it: nginx decodes a path and writes it anew.
"""

_PLAIN_IN_PATHS = "/!$&'()*+,;=:@-._~"
"""What a path may hold as it is (RFC 3986, 3.3), letters and digits beside."""

COUNTER_LIMIT = 2**53

KEY_PATH = "/v1/tills/{till}/key"
"""Where a till that was enrolled before it had a key hands it in."""

_LIST = "(" + " ".join(f'"{name}"' for name in COVERED) + ")"
_INPUT = re.compile(
    re.escape(f"till={_LIST}") + r';created=([0-9]{1,12});keyid="([A-Za-z0-9][A-Za-z0-9_-]{0,39})";alg="ed25519"'
)
_SIGNATURE = re.compile(r"till=:([A-Za-z0-9+/]{86}==):")
_DIGEST = re.compile(r"sha-256=:[A-Za-z0-9+/]{43}=:")
_COUNTER = re.compile(r"0|[1-9][0-9]{0,15}")
_RUN = re.compile(r"[0-9a-f]{16}")


class KeyRequest(Struct, frozen=True, kw_only=True):
    """The till's public key, hex; the request is signed by it."""

    public_key: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]


class KeyAnswer(Struct, frozen=True, kw_only=True):
    """The key counts from now on."""

    server_time_ms: Count


class Signed(Struct, frozen=True):
    """What a signature says once it is proven. `counter` rises within a `run`; `created_s` is UTC seconds; `mark` tells
    this request from any other.
    """

    till: str
    counter: int
    run: str
    created_s: int
    mark: bytes


class Head(Struct, frozen=True):
    """A request as it is signed. `path` as sent, without query; `query` without its question mark; header names in
    lower case.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]


def digest_of(body: bytes) -> str:
    """Content-Digest of a body as it goes over the wire."""
    return digest_field(hashlib.sha256(body).digest())


def digest_field(sha256: bytes) -> str:
    return f"sha-256=:{base64.b64encode(sha256).decode()}:"


def base(components: Sequence[tuple[str, str]], parameters: str) -> bytes:
    """The signature base of RFC 9421, 2.5; `parameters` is the value of `@signature-params`."""
    lines = [f'"{name}": {value}' for name, value in components]
    return "\n".join([*lines, f'"@signature-params": {parameters}']).encode("ascii")


def sign(
    private_key: str, *, till: str, run: str, counter: int, created_s: int, method: str, target: str, body: bytes
) -> dict[str, str]:
    """The headers that sign a request; `target` is path and query. ValueError when `private_key` is no key."""
    path, _, query = target.partition("?")
    headers = {
        "content-digest": digest_of(body),
        TILL_HEADER: till,
        COUNTER_HEADER: str(counter),
        RUN_HEADER: run,
    }
    parameters = f'{_LIST};created={created_s};keyid="{till}";alg="ed25519"'
    signature = keys.sign(private_key, base(_components(Head(method, path, query, headers)), parameters))
    headers["signature-input"] = f"till={parameters}"
    headers["signature"] = f"till=:{base64.b64encode(signature).decode()}:"
    return headers


def is_signed(headers: Mapping[str, str]) -> bool:
    """Whether a request claims to be signed at all."""
    return "signature" in headers or "signature-input" in headers


def verify(public_key: str, head: Head, *, till: str) -> Signed | None:
    """What was signed, if it was signed by that key for that till; None for anything else. Never raises."""
    headers = head.headers
    found = _INPUT.fullmatch(headers.get("signature-input", ""))
    given = _SIGNATURE.fullmatch(headers.get("signature", ""))
    counter, run = headers.get(COUNTER_HEADER, ""), headers.get(RUN_HEADER, "")
    if found is None or given is None or found[2] != till or headers.get(TILL_HEADER) != till:
        return None
    if not (_COUNTER.fullmatch(counter) and int(counter) <= COUNTER_LIMIT and _RUN.fullmatch(run)):
        return None
    if not _DIGEST.fullmatch(headers.get("content-digest", "")):
        return None
    try:
        signature = base64.b64decode(given[1], validate=True)
        data = base(_components(head), found[0].removeprefix("till="))
    except (binascii.Error, UnicodeEncodeError):
        return None
    if not keys.verify(public_key, data, signature):
        return None
    return Signed(till=till, counter=int(counter), run=run, created_s=int(found[1]), mark=signature[:8])


def _components(head: Head) -> list[tuple[str, str]]:
    derived = {"@method": head.method, "@path": _spelt(head.path or "/"), "@query": f"?{head.query}"}
    return [(name, derived[name] if name in derived else head.headers[name]) for name in COVERED]


def _spelt(path: str) -> str:
    """A path with everything percent-encoded, in capitals, that need not stand as it is. ValueError: not ASCII."""
    return quote_from_bytes(unquote_to_bytes(path.encode("ascii")), safe=_PLAIN_IN_PATHS)

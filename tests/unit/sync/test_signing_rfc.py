"""Signed requests held against RFC 9421's own example and against another implementation."""

import base64
import datetime as dt
import hashlib
import time
from typing import Any

import pytest
from http_message_signatures import (
    HTTPMessageSigner,
    HTTPMessageVerifier,
    HTTPSignatureKeyResolver,
    algorithms,
)

from till_sync import keys, signing

RFC_PRIVATE = base64.b64decode("MC4CAQAwBQYDK2VwBCIEIJ+DYvh6SEqVTm50DFtMDoQikTmiCqirVv9mWG9qfSnF")[-32:].hex()
RFC_PUBLIC = base64.b64decode("MCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=")[-32:].hex()
RFC_BASE = b"""\
"date": Tue, 20 Apr 2021 02:07:55 GMT
"@method": POST
"@path": /foo
"@authority": example.com
"content-type": application/json
"content-length": 18
"@signature-params": ("date" "@method" "@path" "@authority" "content-type" "content-length")\
;created=1618884473;keyid="test-key-ed25519\""""
RFC_SIGNATURE = "wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw=="

BODY = '{"что": "ä"}'.encode()
TARGET = "/v1/tills/t1/changes?since=a%2Bb&limit=10&wait="


class Message:
    """A request as the other implementation reads it."""

    def __init__(self, method: str, url: str, headers: dict[str, str], body: bytes = b"") -> None:
        self.method, self.url, self.headers, self.body = method, url, headers, body
        self.content = body


class OurKeys(HTTPSignatureKeyResolver):
    def __init__(self, private: str) -> None:
        self._private = private

    def resolve_public_key(self, key_id: str) -> Any:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        return Ed25519PublicKey.from_public_bytes(bytes.fromhex(keys.public_of(self._private)))

    def resolve_private_key(self, key_id: str) -> Any:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(self._private))


def signed(private: str, **changes: Any) -> dict[str, str]:
    wanted = {
        "till": "t1",
        "run": "0123456789abcdef",
        "counter": 7,
        "created_s": 1_800_000_000,
        "method": "POST",
        "target": TARGET,
        "body": BODY,
    } | changes
    return signing.sign(private, **wanted)


def head(headers: dict[str, str], method: str = "POST", target: str = TARGET) -> signing.Head:
    path, _, query = target.partition("?")
    return signing.Head(method, path, query, headers)


def test_the_rfcs_example_comes_out() -> None:
    """B.2.6: the signature base byte for byte, its signature, and its verification."""
    components = [
        ("date", "Tue, 20 Apr 2021 02:07:55 GMT"),
        ("@method", "POST"),
        ("@path", "/foo"),
        ("@authority", "example.com"),
        ("content-type", "application/json"),
        ("content-length", "18"),
    ]
    names = " ".join(f'"{name}"' for name, _ in components)
    base = signing.base(components, f'({names});created=1618884473;keyid="test-key-ed25519"')
    assert base == RFC_BASE
    assert base64.b64encode(keys.sign(RFC_PRIVATE, base)).decode() == RFC_SIGNATURE
    assert keys.public_of(RFC_PRIVATE) == RFC_PUBLIC
    assert keys.verify(RFC_PUBLIC, base, base64.b64decode(RFC_SIGNATURE))


def test_the_rfcs_digest_comes_out() -> None:
    """RFC 9530, appendix D: the SHA-256 of its example's body."""
    assert signing.digest_of(b'{"hello": "world"}\n') == "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:"


@pytest.mark.parametrize("target", [TARGET, "/v1/tills/t1/hello", "/v1/tills/t1/sales/a%D0%B1%20c?of_till=t2"])
@pytest.mark.parametrize(("method", "body"), [("POST", BODY), ("GET", b""), ("POST", b"")])
def test_another_implementation_takes_what_we_sign(method: str, body: bytes, target: str) -> None:
    private = keys.new_key()
    headers = signed(private, method=method, body=body, target=target, created_s=now_s())
    verifier = HTTPMessageVerifier(signature_algorithm=algorithms.ED25519, key_resolver=OurKeys(private))
    message = Message(method, f"https://cloud.example{target}", headers, body)
    results = verifier.verify(message)
    assert len(results) == 1
    covered = {name.strip('"') for name in results[0].covered_components}
    assert set(signing.COVERED) <= covered


@pytest.mark.parametrize("target", [TARGET, "/v1/tills/t1/hello"])
def test_we_take_what_another_implementation_signs(target: str) -> None:
    private = keys.new_key()
    ours = signed(private, target=target)
    headers = {name: value for name, value in ours.items() if not name.startswith("signature")}
    message = Message("POST", f"https://cloud.example{target}", headers, BODY)
    HTTPMessageSigner(signature_algorithm=algorithms.ED25519, key_resolver=OurKeys(private)).sign(
        message,
        key_id="t1",
        created=dt.datetime.fromtimestamp(1_800_000_000, tz=dt.UTC),
        label="till",
        include_alg=True,
        use_existing_digest=True,
        covered_component_ids=signing.COVERED,
    )
    lower = {name.lower(): value for name, value in message.headers.items()}
    found = signing.verify(keys.public_of(private), head(lower, target=target), till="t1")
    assert found is not None
    assert (found.counter, found.run, found.created_s) == (7, "0123456789abcdef", 1_800_000_000)
    assert lower["signature"] == ours["signature"]


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("signature", lambda value: value.replace("till=", "sig1=")),
        ("signature", lambda value: value[:-3] + ":"),
        ("signature", lambda value: "till=::"),
        ("signature", lambda value: value + ", other=:AAAA:"),
        ("signature", lambda value: ""),
        ("signature-input", lambda value: value.replace('"@query" ', "")),
        ("signature-input", lambda value: value.replace(";created=1800000000", "")),
        ("signature-input", lambda value: value.replace("1800000000", "1800000001")),
        ("signature-input", lambda value: value.replace('keyid="t1"', 'keyid="t2"')),
        ("signature-input", lambda value: value.replace("ed25519", "hmac-sha256")),
        ("signature-input", lambda value: value + ";expires=1900000000"),
        ("signature-input", lambda value: value + "\n"),
        ("signature-input", lambda value: "till=()"),
        ("signature-input", lambda value: "ж" * 10),
        ("content-digest", lambda value: signing.digest_of(b"other")),
        ("content-digest", lambda value: value.replace("sha-256", "sha-512")),
        ("content-digest", lambda value: value + ", md5=:AAAA:"),
        ("tillside-till", lambda value: "t2"),
        ("tillside-counter", lambda value: "8"),
        ("tillside-counter", lambda value: "07"),
        ("tillside-counter", lambda value: "-7"),
        ("tillside-counter", lambda value: "7" * 30),
        ("tillside-counter", lambda value: "٧"),
        ("tillside-instance", lambda value: "fedcba9876543210"),
        ("tillside-instance", lambda value: ""),
        ("tillside-instance", lambda value: '0123456789abcdef"\n"@method": GET'),
    ],
)
def test_a_header_that_was_changed_proves_nothing(name: str, change: Any) -> None:
    """And is never an exception."""
    private = keys.new_key()
    headers = signed(private)
    assert signing.verify(keys.public_of(private), head(headers), till="t1") is not None
    assert signing.verify(keys.public_of(private), head(headers | {name: change(headers[name])}), till="t1") is None
    without = {each: value for each, value in headers.items() if each != name}
    assert signing.verify(keys.public_of(private), head(without), till="t1") is None


@pytest.mark.parametrize(
    ("method", "target"),
    [("GET", TARGET), ("POST", TARGET + "0"), ("POST", TARGET.replace("%2B", "+")), ("POST", "/v1/tills/t1/hello")],
)
def test_another_request_is_not_the_one_that_was_signed(method: str, target: str) -> None:
    private = keys.new_key()
    found = signing.verify(keys.public_of(private), head(signed(private), method, target), till="t1")
    assert found is None


def test_another_key_another_till_and_no_key_prove_nothing() -> None:
    private = keys.new_key()
    headers = signed(private)
    assert signing.verify(keys.public_of(keys.new_key()), head(headers), till="t1") is None
    assert signing.verify(keys.public_of(private), head(headers), till="t2") is None
    assert signing.verify("", head(headers), till="t1") is None
    assert signing.verify("00" * 32, head(headers), till="t1") is None


def test_no_secret_is_in_the_headers() -> None:
    private = keys.new_key()
    text = " ".join(f"{name}: {value}" for name, value in signed(private).items())
    assert private not in text
    assert hashlib.sha256(BODY).hexdigest() not in text


def now_s() -> int:
    return int(time.time())

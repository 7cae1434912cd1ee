"""What may be said about a request by looking at its head alone. Pure: bytes in, a `Refusal` or the parts out.

Starlette's own TrustedHost and CORS middleware ran a foreign page's text/plain POST and took `Host: localhost:1`:
the former ignores the port, the latter only withholds the answer. So the bridge looks for itself.
"""

import ipaddress
import re
from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

from till_agent.bridge.limits import HEADER_COUNT_LIMIT

SAFE_METHODS = frozenset({"GET", "HEAD"})
UNSAFE_METHODS = frozenset({"POST", "PUT", "DELETE"})
CLIENT_HEADER = b"x-tillside-client"
CLIENT_VALUE = re.compile(rb"[\x21-\x7e]{1,64}")
ALLOWED_REQUEST_HEADERS = "Authorization, Content-Type, X-Tillside-Client, Last-Event-ID"

SINGLE_HEADERS = frozenset(
    {
        b"host",
        b"origin",
        b"authorization",
        b"content-type",
        b"content-length",
        b"content-encoding",
        b"transfer-encoding",
        b"expect",
        b"upgrade",
        b"last-event-id",
        b"sec-fetch-site",
        b"access-control-request-method",
        b"access-control-request-headers",
        b"access-control-request-private-network",
        CLIENT_HEADER,
    }
)
"""Headers that mean something here: two of one kind would let two readers see two different requests."""

_LINE_ENDS = re.compile(rb"[\r\n\0]")
_LOOPBACK = frozenset({"127.0.0.1", "::1"})
_JSON = re.compile(rb'application/json(\s*;\s*charset\s*=\s*"?utf-8"?)?\s*', re.IGNORECASE)
_FETCH_SITES_OF_NOBODY = frozenset({b"none", b"same-origin"})


class Refusal(Struct, frozen=True, kw_only=True):
    """Why a request is not let in. `reason` is the problem's code and the metric's label."""

    reason: str
    status: int
    detail: str
    retryable: bool = False
    headers: tuple[tuple[str, str], ...] = ()
    extras: Mapping[str, Any] = {}


Headers = dict[bytes, bytes]


def read_headers(raw: Iterable[tuple[bytes, bytes]]) -> Headers | Refusal:
    """Headers by lower-case name; a Refusal when one that counts is there twice or has line breaks in it."""
    pairs = list(raw)
    found: Headers = dict(pairs)
    if len(found) == len(pairs) <= HEADER_COUNT_LIMIT and not _LINE_ENDS.search(b"".join(found.values())):
        return found  # nearly all: no name comes twice
    found.clear()
    count = 0
    for name, value in pairs:
        count += 1
        if name in found and name in SINGLE_HEADERS:
            return Refusal(
                reason="header_repeated", status=400, detail=f"expected one {name.decode('latin-1')} header, not two"
            )
        if _LINE_ENDS.search(value):
            return Refusal(reason="header_malformed", status=400, detail="expected header values on one line")
        found.setdefault(name, value)
    if count > HEADER_COUNT_LIMIT:
        return Refusal(
            reason="too_many_headers", status=431, detail=f"expected at most {HEADER_COUNT_LIMIT} headers, not {count}"
        )
    return found


def check_peer(client: "tuple[str, int] | None") -> Refusal | None:
    """Only programs on this machine may call, whatever address the socket came to listen on."""
    host = client[0] if client else ""
    if host in _LOOPBACK:
        return None
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
        mapped = getattr(address, "ipv4_mapped", None)
        local = (mapped or address).is_loopback
    except ValueError:
        local = False
    if local:
        return None
    return Refusal(reason="peer_not_local", status=403, detail="expected a caller on this machine")


def allowed_hosts(port: int) -> frozenset[bytes]:
    """The only names that the bridge answers to; any other means that a page had its own name point here."""
    return frozenset({f"{name}:{port}".encode() for name in ("127.0.0.1", "[::1]", "localhost")})


def check_host(headers: Headers, hosts: frozenset[bytes]) -> Refusal | None:
    """Exact host and port: a page whose name was rebound to 127.0.0.1 still sends its own name."""
    host = headers.get(b"host")
    if host is not None and (host in hosts or host.lower() in hosts):
        return None
    detail = "expected Host to be 127.0.0.1, [::1] or localhost with the bridge's port"
    return Refusal(reason="host_foreign", status=403, detail=detail)


def check_path(raw: bytes, path: str) -> Refusal | None:
    """None that another reader, or a folder of files, would take for another path."""
    parts = path.split("/")
    if b"%2f" not in raw.lower() and "" not in parts[1:-1] and "." not in parts and ".." not in parts:
        return None
    return Refusal(
        reason="path_malformed", status=400, detail="expected a path without empty or dotted parts and encoded slashes"
    )


def own_origin(headers: Headers) -> bytes:
    """The origin of the bridge's own pages, by the name that the caller used for it; of a Host that was checked."""
    return b"http://" + headers.get(b"host", b"").lower()


def check_origin(headers: Headers, origins: frozenset[bytes], *, own_only: bool = False) -> Refusal | None:
    """A web page may call only from a configured origin or the bridge's own; `null` is nobody's name.

    `own_only`: pages of the bridge itself, and nobody else.
    """
    origin = headers.get(b"origin")
    site = headers.get(b"sec-fetch-site")
    if origin is not None and origin == own_origin(headers) and site in (None, b"same-origin"):
        return None
    if own_only or origin is not None:
        if origin in origins and origin != b"null" and not own_only:
            return None
        wanted = "the bridge's own Origin" if own_only else "an Origin from bridge.allowed_origins, or none"
        return Refusal(reason="origin_foreign", status=403, detail=f"expected {wanted}")
    if site is None or site in _FETCH_SITES_OF_NOBODY:
        return None
    return Refusal(
        reason="site_foreign", status=403, detail="expected no call from another site's page (Sec-Fetch-Site)"
    )


def check_no_page(headers: Headers) -> Refusal | None:
    """Where only cash software calls, nothing that a browser adds to what its pages send may be there."""
    if b"origin" in headers:
        return Refusal(reason="origin_foreign", status=403, detail="expected no Origin: no web page may call here")
    if any(name.startswith(b"sec-fetch-") for name in headers):
        detail = "expected no Sec-Fetch header: no web page may call here"
        return Refusal(reason="site_foreign", status=403, detail=detail)
    return None


def check_framing(headers: Headers, method: str, limit_bytes: int) -> Refusal | None:
    """Length and kind of the body, from the headers alone."""
    if b"upgrade" in headers:
        return Refusal(reason="upgrade_refused", status=400, detail="expected plain HTTP, not an upgrade")
    length = headers.get(b"content-length")
    coding = headers.get(b"transfer-encoding")
    if length is not None and coding is not None:
        return Refusal(
            reason="framing_ambiguous", status=400, detail="expected Content-Length or Transfer-Encoding, not both"
        )
    if coding is not None and coding.lower() != b"chunked":
        return Refusal(reason="coding_unsupported", status=501, detail="expected no transfer coding but chunked")
    if length is not None and not (length.isdigit() and len(length) <= 18):
        return Refusal(reason="length_invalid", status=400, detail="expected a whole number as Content-Length")
    size = int(length) if length is not None else 0
    if size > limit_bytes:
        return Refusal(
            reason="body_too_large",
            status=413,
            detail=f"expected at most {limit_bytes} bytes, not {size}",
            extras={"limit_bytes": limit_bytes},
        )
    has_body = size > 0 or coding is not None
    if not has_body:
        return None
    if method in SAFE_METHODS:
        return Refusal(reason="body_not_expected", status=400, detail=f"expected no body with {method}")
    if headers.get(b"content-encoding", b"identity").lower() != b"identity":
        return Refusal(reason="encoding_unsupported", status=415, detail="expected a body without Content-Encoding")
    if not _JSON.fullmatch(headers.get(b"content-type", b"")):
        # A page may send text/plain and forms to anyone without being asked; JSON it may not.
        return Refusal(
            reason="not_json",
            status=415,
            detail="expected Content-Type application/json",
            headers=(("Accept", "application/json"),),
        )
    return None


def check_post(method: str) -> Refusal | None:
    """What Frontol calls is called by POST alone; it carries a header of its own choosing, no page's."""
    if method == "POST":
        return None
    return Refusal(
        reason="method_not_allowed",
        status=405,
        detail=f"this path does not take {method[:20]}",
        headers=(("Allow", "POST"),),
    )


def check_method(headers: Headers, method: str) -> Refusal | None:
    """Known methods only; those that change something carry a header that a page can't add without asking first."""
    if method in SAFE_METHODS:
        return None
    if method not in UNSAFE_METHODS:
        return Refusal(
            reason="method_not_allowed",
            status=405,
            detail=f"this server does not take {method[:20]}",
            headers=(("Allow", "GET, HEAD, POST, PUT, DELETE"),),
        )
    if CLIENT_VALUE.fullmatch(headers.get(CLIENT_HEADER, b"")):
        return None
    return Refusal(
        reason="client_header_missing",
        status=403,
        detail="expected an X-Tillside-Client header with the calling program's name",
    )

"""The way to the cloud step by step, up to where it ends: name, connection, certificate, answer. Blocking, bounded."""

import contextlib
import email.utils
import http.client
import socket
import ssl
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Literal
from urllib.parse import urlsplit

from msgspec import Struct

NAME_S = 2.0
CONNECT_S = 1.5
ANSWER_S = 2.0
"""Together under the doctor's limit for one check; the line to a cloud takes tens of milliseconds."""
ANSWER_LIMIT_BYTES = 65_536
PROBE = "/livez"
_OURS = b"alive"
"""What the cloud says of itself at PROBE."""

Step = Literal["name", "connect", "tls", "answer", "through"]
"""Where the way ends; `through`: the cloud itself answered."""
_HTML = b"<"


class CloudLook(Struct, frozen=True, kw_only=True):
    """`step` is the first that failed, with `why` in words; `reason` tells kinds of one step apart."""

    step: Step
    host: str
    port: int
    why: str = ""
    reason: str = ""
    addresses: tuple[str, ...] = ()
    status: int = 0
    offset_ms: int | None = None
    """Cloud's clock minus ours, to the second, by the answer's `Date`; None without one."""
    expires_s: int = 0
    """When the certificate ends (UTC seconds); 0 without one."""


def look_at_cloud(url: str, *, now_ms: Callable[[], int], context: ssl.SSLContext | None = None) -> CloudLook:
    """How far the way to `url` goes."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        addresses = _resolved(host, port)
    except OSError as exc:
        return CloudLook(step="name", host=host, port=port, why=exc.strerror or str(exc))
    try:
        line = socket.create_connection((addresses[0], port), CONNECT_S)
    except OSError as exc:
        why = "nobody answers" if isinstance(exc, TimeoutError) else exc.strerror or str(exc)
        return CloudLook(step="connect", host=host, port=port, addresses=addresses, why=f"{addresses[0]}: {why}")
    with contextlib.closing(line):
        line.settimeout(ANSWER_S)
        expires_s = 0
        if parts.scheme == "https":
            try:
                line = _secured(line, host, context)
                expires_s = _end_of(line)
            except (ssl.SSLError, OSError) as exc:
                reason, why = tls_reason(exc)
                return CloudLook(
                    step="tls", host=host, port=port, addresses=addresses, why=why, reason=reason,
                    offset_ms=None,
                )  # fmt: skip
        return _asked(line, host, port, parts.path.rstrip("/"), addresses, expires_s, now_ms)


def _resolved(host: str, port: int) -> tuple[str, ...]:
    """Addresses of a name, within the time; a resolver that hangs is left behind."""
    import queue
    import threading

    done: queue.SimpleQueue[tuple[str, ...] | OSError] = queue.SimpleQueue()

    def look() -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as exc:
            done.put(exc)
        except UnicodeError as exc:
            done.put(OSError(f"{host!r} can't be a name: {exc}"))
        else:
            done.put(tuple(dict.fromkeys(str(each[4][0]) for each in found)))

    threading.Thread(target=look, daemon=True, name="doctor name").start()
    try:
        found = done.get(timeout=NAME_S)
    except queue.Empty:
        raise OSError(f"no name server answered within {NAME_S:g} s") from None
    if isinstance(found, OSError):
        raise found
    return found


def _secured(line: socket.socket, host: str, context: ssl.SSLContext | None) -> ssl.SSLSocket:
    if context is None:
        import truststore

        context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return context.wrap_socket(line, server_hostname=host)


def _end_of(line: socket.socket) -> int:
    found = line.getpeercert() if isinstance(line, ssl.SSLSocket) else None
    end = found.get("notAfter") if found else None
    return int(ssl.cert_time_to_seconds(end)) if isinstance(end, str) else 0


def tls_reason(exc: Exception) -> tuple[str, str]:
    """What is wrong with a certificate, as a stable word and as a sentence."""
    text = str(exc).lower()
    if isinstance(exc, ssl.SSLCertVerificationError) or "certificate" in text:
        if "expired" in text:
            return "expired", "its certificate has expired, or this till's clock is ahead"
        if "not yet valid" in text:
            return "not_yet", "its certificate is not valid yet: this till's clock is behind"
        if "mismatch" in text or "doesn't match" in text or "not valid for" in text:
            return "wrong_host", "its certificate is another host's: a portal, a filter, or a wrong cloud.url"
        if "self-signed" in text or "self signed" in text or "local issuer" in text or "unknown" in text:
            return "untrusted", "nobody that this machine trusts vouches for its certificate: a filter, or a private CA"
        return "refused", f"its certificate is refused: {getattr(exc, 'verify_message', '') or exc}"
    if isinstance(exc, TimeoutError):
        return "silent", "it takes the connection and says nothing"
    if "wrong_version" in text or "wrong version" in text or "unknown protocol" in text or "http_request" in text:
        return "no_tls", "what listens there speaks no TLS: cloud.url needs http or another port"
    return "broken_off", f"the connection broke off: {getattr(exc, 'reason', '') or exc}"


def _asked(
    line: socket.socket,
    host: str,
    port: int,
    prefix: str,
    addresses: tuple[str, ...],
    expires_s: int,
    now_ms: Callable[[], int],
) -> CloudLook:
    told = {"host": host, "port": port, "addresses": addresses}
    connection = http.client.HTTPConnection(host, port)
    connection.sock = line
    begun = time.monotonic()
    try:
        connection.request("GET", prefix + PROBE, headers={"User-Agent": "tillside", "Cache-Control": "no-store"})
        answer = connection.getresponse()
        body = answer.read(ANSWER_LIMIT_BYTES)
    except (OSError, http.client.HTTPException) as exc:
        why = "it says nothing" if isinstance(exc, TimeoutError) else f"no answer in HTTP ({type(exc).__name__})"
        return CloudLook(step="answer", why=why, reason="silent", expires_s=expires_s, **told)  # type: ignore[arg-type] # Reason: the three names above with their types
    spent_ms = int((time.monotonic() - begun) * 1000)
    offset_ms = _offset(answer.headers.get("Date", ""), now_ms() - spent_ms // 2)
    more = told | {"status": answer.status, "offset_ms": offset_ms, "expires_s": expires_s}
    if answer.status == HTTPStatus.OK and body.strip() == _OURS:
        return CloudLook(step="through", **more)  # type: ignore[arg-type] # Reason: as above
    if answer.status in (301, 302, 303, 307, 308, 511) or body.lstrip().startswith(_HTML):
        where = answer.headers.get("Location", "")
        why = f"a page answers instead of the cloud ({answer.status}{' to ' + where if where else ''})"
        return CloudLook(step="answer", why=why, reason="portal", **more)  # type: ignore[arg-type] # Reason: as above
    return CloudLook(step="answer", why=f"it answered {answer.status}", reason="status", **more)  # type: ignore[arg-type] # Reason: as above


def _offset(date: str, now_ms: int) -> int | None:
    try:
        there = email.utils.parsedate_to_datetime(date)
    except (TypeError, ValueError, IndexError):
        return None
    # The header tells whole seconds, cut off: half of one is added.
    return int(there.timestamp() * 1000) + 500 - now_ms

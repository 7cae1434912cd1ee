"""Enrolment: a one-time code becomes this till's identity."""

import ssl

from till_sync.client import REQUEST_TIMEOUT_MS, CloudClient
from till_sync.clock import SystemClock
from till_sync.httpx_transport import HttpxTransport
from till_sync.ports import Clock
from till_sync.transport import Transport
from till_sync.wire import EnrolmentAnswer, EnrolmentRequest


async def enrol(
    url: str,
    code: str,
    salt: str,
    *,
    public_key: str = "",
    clock: Clock | None = None,
    transport: Transport | None = None,
    ssl_context: ssl.SSLContext | None = None,
    request_timeout_ms: int = REQUEST_TIMEOUT_MS,
) -> EnrolmentAnswer:
    """Trade `code` at the cloud of `url`; `salt` names the till's journal. Nothing is retried: a code counts its tries.

    `public_key` (hex) is what the till's requests will be checked by; "": it will not sign them.

    ValueError: `url` is no address. CloudRefused with the cloud's code (code_wrong, code_used, code_expired,
    code_locked); CloudUnreachable, NotOurCloud, CloudBusy as ever. After CloudUnreachable the code may have been used.
    """
    client = CloudClient(
        transport or HttpxTransport(url, request_timeout_ms=request_timeout_ms, ssl_context=ssl_context),
        till="",
        token="",
        clock=clock or SystemClock(),
        request_timeout_ms=request_timeout_ms,
    )
    try:
        return await client.enrol(EnrolmentRequest(code=code, salt=salt, public_key=public_key))
    finally:
        await client.close()

"""One question to the agent on this machine, with a short wait: a doctor can't wait as a command may. Blocking."""

import http.client
import time
from typing import Any

import msgspec
from msgspec import Struct

TIMEOUT_S = 2.5
"""A healthy agent answers in milliseconds."""
ANSWER_LIMIT_BYTES = 4 * 1024 * 1024


class Answer(Struct, frozen=True):
    """Status, whole body, and how long it took."""

    status: int
    body: bytes
    took_ms: int

    def json(self) -> Any:
        """Of the body; None when it is none."""
        try:
            return msgspec.json.decode(self.body)
        except msgspec.DecodeError:
            return None


def ask(port: int, path: str, token: str = "", *, timeout_s: float = TIMEOUT_S) -> Answer:
    """GET on 127.0.0.1, past every proxy. OSError when nobody answers, or not in HTTP."""
    headers = {"X-Tillside-Client": "tillside-doctor"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    begun = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        body = answer.read(ANSWER_LIMIT_BYTES)
    except http.client.HTTPException as exc:
        raise OSError(f"what listens on port {port} does not speak HTTP: {type(exc).__name__}") from exc
    finally:
        connection.close()
    return Answer(answer.status, body, int((time.monotonic() - begun) * 1000))

"""What the waiting and the awaiting client have in common: where the agent is, and how often it is tried."""

import time
from pathlib import Path
from typing import Any, Self

import httpx
from tenacity import retry_if_exception, stop_after_attempt, stop_any, stop_before_delay

from till_agent.bridge.shapes import Ready
from till_agent.client.events import CONNECT_S, IDLE_S
from till_agent.client.exceptions import ClientError, NoAnswerError, RefusedError, UnavailableError
from till_agent.client.wire import (
    DEFAULT_URL,
    KEEP_ALIVE_S,
    PAUSES_MS,
    Address,
    Finder,
    Wanted,
    found_in,
    may_repeat,
    pause_s,
    wanted,
)

READY_PATIENCE_MS = 30_000
LEAST_ATTEMPT_S = 0.001


class Connected:
    """Settings of a client, and the address that it found last."""

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        token: str = "",
        client: str = "tillside-python",
        timeout_ms: int | None = None,
        patience_ms: int | None = None,
        finder: Finder | None = None,
    ) -> None:
        self._finder = finder
        self._client = client
        self._timeout_ms = timeout_ms
        self._patience_ms = patience_ms
        self._address = None if finder else Address(url.rstrip("/"), token)

    @classmethod
    def from_state_dir(cls, state_dir: Path, client: str = "pos", **settings: Any) -> Self:
        """The agent that runs on a state directory, with the token of one of its clients, both read from there.

        They are read again when the agent is gone or knows the token no more. Calls raise NotRunningError while none
        runs. `settings` as of the class.
        """
        return cls(finder=found_in(state_dir, client), client=client, **settings)

    def _where(self) -> Address:
        if self._address is None:
            if self._finder is None:
                raise ValueError("expected an address, not None, where nothing finds one")
            self._address = self._finder()
        return self._address

    def _failed(self, error: ClientError) -> bool:
        """Forget an address that may be old; True when the same call should be tried at once with another token."""
        unknown = isinstance(error, RefusedError) and error.code == "token_unknown"
        if self._finder is None or not (unknown or isinstance(error, NoAnswerError)):
            return False
        old, self._address = self._address, None
        return unknown and old != self._where()


class Attempts:
    """The attempts of one call: how long each may take, and tenacity's settings for the pauses between them."""

    def __init__(self, call: Wanted, timeout_ms: int | None, patience_ms: int | None) -> None:
        self._attempt_s = (timeout_ms if timeout_ms is not None else call.spec.timeout_ms) / 1000
        self._patience_s = 2 * self._attempt_s if patience_ms is None else patience_ms / 1000
        self._until = time.monotonic() + max(self._patience_s, self._attempt_s)
        self._call = call

    def timeout_s(self) -> float:
        """Of the attempt that begins now."""
        return min(self._attempt_s, max(self._until - time.monotonic(), LEAST_ATTEMPT_S))

    def settings(self) -> dict[str, Any]:
        """For Retrying and AsyncRetrying."""

        def repeats(error: BaseException) -> bool:
            return may_repeat(self._call, error)

        most = len(PAUSES_MS) + 1 if self._patience_s else 1
        stop = stop_any(stop_after_attempt(most), stop_before_delay(self._patience_s))
        return {"stop": stop, "wait": pause_s, "retry": retry_if_exception(repeats), "reraise": True}


def request(call: Wanted, where: Address, client: str, timeout_s: float) -> dict[str, Any]:
    """Arguments of httpx's `request`."""
    return {
        "method": call.spec.method,
        "url": where.url + call.target,
        "headers": call.headers(where.token, client),
        "content": call.content,
        "timeout": timeout_s,
    }


def listening(where: Address, client: str, last_id: str) -> dict[str, Any]:
    """Arguments of httpx's `stream` for the events."""
    call = wanted("events", {}, {}, None)
    headers = call.headers(where.token, client) | {"Accept": "text/event-stream"}
    if last_id:
        headers["Last-Event-ID"] = last_id
    timeout = httpx.Timeout(CONNECT_S, read=IDLE_S)
    return {"method": "GET", "url": where.url + call.target, "headers": headers, "timeout": timeout}


def pool() -> dict[str, Any]:
    """Settings of httpx's clients."""
    return {
        # A proxy of the machine has no way to this machine's own loopback, and nothing here is encrypted.
        "trust_env": False,
        "verify": False,
        "follow_redirects": False,
        "limits": httpx.Limits(keepalive_expiry=KEEP_ALIVE_S),
    }


def not_ready(found: Ready) -> ClientError:
    """An agent that answers, but takes no sales yet."""
    reason = found.reason or "not_ready"
    return UnavailableError("readyz", 503, reason, "the agent takes no sales yet", retryable=True)


def ends_events(error: ClientError) -> bool:
    """Whether coming back would be refused again."""
    return isinstance(error, RefusedError) and not error.retryable and error.status < 500

"""What both clients do alike: calls become requests, answers become values or errors, and what may be repeated."""

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast
from urllib.parse import quote, urlencode

import msgspec
from msgspec import Struct

from till_agent.bridge.exceptions import AgentStartError
from till_agent.bridge.tokens import read_token
from till_agent.client.exceptions import (
    BY_STATUS,
    AgentFaultError,
    AnswerMalformedError,
    ClientError,
    NoAnswerError,
    NotRunningError,
    RefusedError,
    TimedOutError,
)
from till_agent.client.table import SPECS, Spec
from till_agent.instance import RUNNING_FILE, Running, is_running

if TYPE_CHECKING:
    import httpx
    from tenacity import RetryCallState

DEFAULT_URL = "http://127.0.0.1:17532"
PAUSES_MS = (200, 600, 1_800)
"""Before each repetition: an agent that is started anew answers again within a second or two."""
PAUSE_LIMIT_MS = 86_400_000
"""A day: whoever asks for a longer pause is no agent."""
SECONDS_DIGITS = 6
"""Of a Retry-After header: eleven days."""
KEEP_ALIVE_S = 10.0
"""Shorter than the 15 s after which the agent closes an idle connection."""
ANSWER_LIMIT_BYTES = 32 * 1024 * 1024
"""A quote of 10,000 lines that is explained takes 20 MB."""

T = TypeVar("T")


class Address(Struct, frozen=True):
    """Where the agent listens, and the token to show."""

    url: str
    token: str


Finder = Callable[[], Address]


class Wanted(Struct, frozen=True):
    """One call, ready to be sent as often as it takes: encoded once, so that a repetition is the same bytes."""

    operation: str
    spec: Spec
    target: str
    content: bytes | None
    again: bool

    def headers(self, token: str, client: str) -> dict[str, str]:
        """What goes with it."""
        found = {"X-Tillside-Client": client}
        if token:
            found["Authorization"] = f"Bearer {token}"
        if self.content is not None:
            found["Content-Type"] = "application/json"
        return found


def found_in(state_dir: Path, client: str) -> Finder:
    """Address and token as the agent of `state_dir` has written them down, read anew each time. NotRunningError."""

    def find() -> Address:
        try:
            # A killed agent leaves its file behind: the port may be another program's, which must not get the token.
            if not is_running(state_dir):
                raise NotRunningError(f"no agent is running on {state_dir}")
            running = msgspec.json.decode((state_dir / RUNNING_FILE).read_bytes(), type=Running)
            token = read_token(state_dir, client)
        except FileNotFoundError:
            raise NotRunningError(f"no agent is running on {state_dir}") from None
        except (AgentStartError, OSError, msgspec.DecodeError) as exc:
            raise NotRunningError(f"the agent of {state_dir} can't be found: {exc}") from exc
        if token is None:
            raise NotRunningError(f"no token of the client {client!r} in {state_dir}: is it in bridge.clients?")
        return Address(f"http://127.0.0.1:{running.port}", token)

    return find


def wanted(operation: str, path: Mapping[str, str], query: Mapping[str, object], request: Struct | None) -> Wanted:
    """The call, encoded. ValueError for a part of the path that would be taken for something else."""
    spec = SPECS[operation]
    for name, value in path.items():
        if value in ("", ".", ".."):
            raise ValueError(f"expected {name} to be a part of a path, not {value!r}")
    target = spec.path.format_map({name: quote(value, safe="") for name, value in path.items()})
    asked = {name: value for name, value in query.items() if value is not None}
    if asked:
        target += "?" + urlencode(asked)
    content = None if request is None else msgspec.json.encode(request)
    again = spec.again and not (spec.careful and getattr(request, spec.careful, ""))
    return Wanted(operation, spec, target, content, again)


def may_repeat(call: Wanted, error: BaseException) -> bool:
    """A refusal says when to come again, or the answer was lost of what can't be done twice, or nothing was sent."""
    if not isinstance(error, ClientError):
        return False
    if isinstance(error, NotRunningError):
        return True
    return (error.retryable and error.retry_after_ms > 0) or (error.lost and call.again)


def pause_s(state: "RetryCallState") -> float:
    """How long to wait before the next attempt; a tenacity wait strategy."""
    error = state.outcome.exception() if state.outcome is not None else None
    told = error.retry_after_ms if isinstance(error, ClientError) and error.retryable else 0
    return (told or PAUSES_MS[min(state.attempt_number, len(PAUSES_MS)) - 1]) / 1000


def broken(operation: str, error: "httpx.HTTPError") -> ClientError:
    """An exchange that came to nothing."""
    import httpx

    if isinstance(error, httpx.TimeoutException):
        return TimedOutError(operation, f"no answer in time ({type(error).__name__})")
    return NoAnswerError(operation, f"no connection or no whole answer ({type(error).__name__}: {error})")


def refused(operation: str, status: int, headers: Mapping[str, str], body: bytes) -> ClientError:
    """What the agent says when it does not do a thing."""
    try:
        said = json.loads(body)
        code = said["code"]
        detail = said["detail"]
    except (ValueError, KeyError, TypeError):
        return AnswerMalformedError(
            operation, f"expected the agent, not an answer {status} of another kind", lost=status >= 500
        )
    kind = BY_STATUS.get(status, AgentFaultError if status > 500 else RefusedError)
    return kind(
        operation,
        status,
        str(code),
        str(detail),
        retryable=said.get("retryable") is True,
        retry_after_ms=_asked_ms(said.get("retry_after_ms"), headers.get("retry-after", "")),
        extras=said,
    )


def _asked_ms(told: object, seconds: str) -> int:
    """The pause that is asked for; 0 for what is none."""
    if isinstance(told, int) and not isinstance(told, bool) and 0 < told <= PAUSE_LIMIT_MS:
        return told
    whole = int(seconds) if seconds.isdecimal() and len(seconds) <= SECONDS_DIGITS else 0
    return min(whole * 1000, PAUSE_LIMIT_MS)


class Body:
    """An answer's body, taken piece by piece: only so much, and only so long, whatever listens on the agent's port."""

    def __init__(self, operation: str, timeout_s: float) -> None:
        self._operation = operation
        self._until = time.monotonic() + timeout_s
        self._pieces: list[bytes] = []
        self._size = 0

    def add(self, piece: bytes) -> None:
        """One more. AnswerMalformedError, TimedOutError."""
        self._size += len(piece)
        if self._size > ANSWER_LIMIT_BYTES:
            detail = f"expected an answer of at most {ANSWER_LIMIT_BYTES} bytes"
            raise AnswerMalformedError(self._operation, detail, lost=True)
        if time.monotonic() > self._until:
            raise TimedOutError(self._operation, "no whole answer in time")
        self._pieces.append(piece)

    def whole(self) -> bytes:
        """All of it."""
        return b"".join(self._pieces)


def read(call: Wanted, kind: type[T], status: int, headers: Mapping[str, str], body: bytes) -> T:
    """The value of an answer. ClientError when it is a refusal, or not of that kind."""
    if not (200 <= status < 300 or status in call.spec.also):
        raise refused(call.operation, status, headers, body)
    plain: dict[Any, Any] = {type(None): None, bytes: body, str: body.decode("utf-8", "replace") if kind is str else ""}
    if kind in plain:
        return cast("T", plain[kind])
    media = headers.get("content-type", "").partition(";")[0]
    if media != "application/json" and not media.endswith("+json"):
        raise AnswerMalformedError(call.operation, f"expected JSON, not {media!r}", lost=True)
    try:
        found: T = msgspec.json.decode(body, type=kind)
    except msgspec.DecodeError as exc:
        # A success in words of another release: what was asked for may well be done.
        detail = f"expected {kind}, not such JSON: {exc}"
        raise AnswerMalformedError(call.operation, detail, lost=True) from exc
    return found

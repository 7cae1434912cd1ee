"""How long one call waits for the cloud: within one budget for all that it asks, not one for each question.

The first question has the whole budget; those after it have what is left. That a later one was cut short says nothing
of the line, so it is not told of it.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext
from contextvars import ContextVar
from datetime import timedelta
from functools import wraps
from typing import Any, Literal, Protocol, TypeVar, cast

from till_agent.exceptions import CloudUnreachable

T = TypeVar("T")

Of = Literal["cloud", "code"]
"""What is waited for: the cloud itself, or a provider of messages behind it, which has a budget of its own."""

LEAST_MS = 20
"""With less left nothing is asked: no line brings an answer so soon, and the cloud would work for nobody."""


class Patience:
    """What one call has waited so far. Questions that run beside each other count once."""

    def __init__(self, mono_ms: Callable[[], int]) -> None:
        self._mono_ms = mono_ms
        self._waited: dict[Of, int] = {}
        self._since: dict[Of, int] = {}
        self._asking: dict[Of, int] = {}

    def left_ms(self, budget_ms: int, of: Of) -> int:
        """What is left of a budget; all of it before the first question."""
        under_way = self._mono_ms() - self._since[of] if self._asking.get(of) else 0
        return budget_ms - self._waited.get(of, 0) - under_way

    @contextmanager
    def waiting(self, of: Of) -> Iterator[None]:
        """Counts the time until its end."""
        if not self._asking.get(of):
            self._since[of] = self._mono_ms()
        self._asking[of] = self._asking.get(of, 0) + 1
        try:
            yield
        finally:
            self._asking[of] -= 1
            if not self._asking[of]:
                self._waited[of] = self._waited.get(of, 0) + self._mono_ms() - self._since[of]


_patience: ContextVar[Patience | None] = ContextVar("patience", default=None)


@contextmanager
def one_call(mono_ms: Callable[[], int]) -> Iterator[None]:
    """All that is asked within has one budget; within a call that has begun already, it is that call's."""
    if _patience.get() is not None:
        yield
        return
    token = _patience.set(Patience(mono_ms))
    try:
        yield
    finally:
        _patience.reset(token)


class Timed(Protocol):
    """Whose calls are bounded."""

    def mono_ms(self) -> int: ...


Call = TypeVar("Call", bound=Callable[..., Coroutine[Any, Any, Any]])


def bounded(call: Call) -> Call:
    """A method of somebody `Timed` that is one call."""

    @wraps(call)
    async def within_one(desk: Timed, *args: Any, **named: Any) -> Any:
        # As `one_call`, without its two steps through a generator: each call of cash software goes this way.
        if _patience.get() is not None:
            return await call(desk, *args, **named)
        token = _patience.set(Patience(desk.mono_ms))
        try:
            return await call(desk, *args, **named)
        finally:
            _patience.reset(token)

    return cast("Call", within_one)


async def ask(budget_ms: int, question: Callable[[], Awaitable[T]], *, of: Of = "cloud") -> T:
    """The answer of `question`, which ends by itself within the whole budget; CloudUnreachable where less is left of
    this call's than it takes."""
    patience = _patience.get()
    if patience is None:
        return await question()
    left_ms = patience.left_ms(budget_ms, of)
    with patience.waiting(of):
        if left_ms >= budget_ms:
            return await question()
        if left_ms < LEAST_MS:
            raise CloudUnreachable(f"this call has waited for the cloud as long as it may ({budget_ms} ms)")
        try:
            async with asyncio.timeout(timedelta(milliseconds=left_ms).total_seconds()):
                return await question()
        except TimeoutError:
            detail = f"no answer within the {left_ms} ms that were left of this call's {budget_ms} ms"
            raise CloudUnreachable(detail) from None


@asynccontextmanager
async def in_turn(turn: asyncio.Lock, budget_ms: int) -> AsyncIterator[None]:
    """Has `turn`, whose holder may be asking the cloud: waiting for it is waiting for the cloud. CloudUnreachable where
    that takes longer than is left of this call's budget."""
    patience = _patience.get()
    left_ms = budget_ms if patience is None else max(LEAST_MS, patience.left_ms(budget_ms, "cloud"))
    try:
        with patience.waiting("cloud") if patience is not None else nullcontext():
            async with asyncio.timeout(timedelta(milliseconds=left_ms).total_seconds()):
                await turn.acquire()
    except TimeoutError:
        raise CloudUnreachable(f"another call has asked the cloud for longer than {left_ms} ms") from None
    try:
        yield
    finally:
        turn.release()

"""Tillside's client for Python: every call of the bridge, typed, with repeats that are safe.

    from till_agent.client import Till
    with Till(token=token, client="my-pos") as till:
        member = till.identify(Identify(scan=code))

`Till` waits for its answers, `AsyncTill` is for asyncio; the types of bodies and answers are in `till_agent.api`,
`till_agent.member_api` and `till_agent.page_api`, the errors in `till_agent.client.exceptions`.
"""

from till_agent.client.async_till import AsyncTill
from till_agent.client.events import Event
from till_agent.client.exceptions import (
    AgentFaultError,
    AnswerMalformedError,
    ClientError,
    ConflictError,
    InvalidError,
    NoAnswerError,
    NotAllowedError,
    NotFoundError,
    NotRunningError,
    RefusedError,
    TimedOutError,
    UnavailableError,
)
from till_agent.client.till import EventStream, Till

__all__ = [
    "AgentFaultError",
    "AnswerMalformedError",
    "AsyncTill",
    "ClientError",
    "ConflictError",
    "Event",
    "EventStream",
    "InvalidError",
    "NoAnswerError",
    "NotAllowedError",
    "NotFoundError",
    "NotRunningError",
    "RefusedError",
    "Till",
    "TimedOutError",
    "UnavailableError",
]

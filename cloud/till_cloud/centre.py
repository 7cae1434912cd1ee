"""The cloud without HTTP: the composition root of store, ingest, holds and feed."""

import secrets
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import TypeVar

from till_cloud import changes, confirmations, holding, pins
from till_cloud.auth import authenticate
from till_cloud.budgets import top_up, totals, wanting
from till_cloud.enrolment import redeem_code
from till_cloud.exceptions import RefusedError
from till_cloud.facts import answer_codes
from till_cloud.ingest.push import Ingest
from till_cloud.registry import Registry
from till_cloud.sold import answer_sale
from till_cloud.store import meta
from till_cloud.store import pins as pin_rows
from till_cloud.store.connection import open_reader
from till_cloud.store.readers import Readers
from till_cloud.store.tills import TillRow
from till_cloud.store.writer import Writer
from till_sync.clock import SystemClock
from till_sync.wire import (
    ChangesAnswer,
    ConfirmationAnswer,
    ConfirmationRequest,
    CouponAnswer,
    CouponQuestion,
    EnrolmentAnswer,
    EnrolmentRequest,
    HelloAnswer,
    HoldAnswer,
    HoldRequest,
    Limits,
    PushAnswer,
    PushRequest,
    SaleAnswer,
    SaleQuestion,
)

T = TypeVar("T")

MEMBER_ID_BYTES = 10
"""80 random bits: no two of a thousand million members share an id."""


def new_member_id() -> str:
    return f"m-{secrets.token_hex(MEMBER_ID_BYTES)}"


def _nothing() -> None:
    pass


class Centre:
    """One open database and what tills may ask of it. Usable from several threads; `close` ends it.

    Writes answer futures that resolve after their commit. RefusedError says why a request is not carried out;
    StoreUnavailableError, that the database can't be used now. `on_commit` is called in the writer's thread.
    """

    def __init__(
        self,
        path: Path,
        *,
        wall_ms: Callable[[], int] | None = None,
        new_id: Callable[[], str] = new_member_id,
        limits: Limits | None = None,
    ) -> None:
        self.path = path
        self.limits = limits or Limits()
        self.wall_ms = wall_ms or SystemClock().wall_ms
        self.registry = Registry()
        self._ingest = Ingest(self.registry, limits=self.limits, new_id=new_id)
        self.on_commit: Callable[[], None] = _nothing
        self._writer = Writer(path, on_commit=self._committed)
        try:
            self._writer.call(meta.initialise)
            self._readers = Readers(path)
            self._quick = open_reader(path)
        except BaseException:
            self._writer.close()
            raise
        self._quick_lock = threading.Lock()

    def _committed(self) -> None:
        self.on_commit()

    def close(self) -> None:
        """Finish the writes taken on, then close every connection."""
        self._readers.close()
        with self._quick_lock:
            self._quick.close()
        self._writer.close()

    def quick(self, read: Callable[[sqlite3.Connection], T]) -> T:
        """A few indexed reads, microseconds each, each in its own transaction: may be called on an event loop."""
        with self._quick_lock:
            return read(self._quick)

    def read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """Reads of one moment, however many; call it from a worker thread."""
        with self._readers.snapshot() as connection:
            return query(connection)

    def write(self, work: Callable[[sqlite3.Connection], T]) -> "Future[T]":
        """`work` in a transaction of the one writer."""
        return self._writer.submit(work)

    def authenticate(self, till_id: str, authorization: str) -> TillRow:
        """See `till_cloud.auth`."""
        return self.quick(lambda connection: authenticate(connection, till_id, authorization))

    def hello(self, till: TillRow) -> HelloAnswer:
        now_ms = self.wall_ms()
        return self.read(lambda connection: changes.hello(connection, till, limits=self.limits, now_ms=now_ms))

    def push(self, till_id: str, request: PushRequest) -> "Future[PushAnswer]":
        """Check and apply a batch; RefusedError at once, or from the future."""
        self._ingest.check(request)
        now_ms = self.wall_ms()
        return self._writer.submit(lambda connection: self._ingest.push(connection, till_id, request, now_ms))

    def changes(self, till: TillRow, *, since: str, limit: int) -> ChangesAnswer:
        """One page; CursorError when `since` is not a cursor of this database. Call it from a worker thread."""
        self._grant_shares(till.till)
        now_ms = self.wall_ms()
        return self.read(
            lambda connection: changes.page(connection, self.registry, till, since=since, limit=limit, now_ms=now_ms)
        )

    def _grant_shares(self, till_id: str) -> None:
        """Give a till more of the budgets where it runs short: before its page is read, which then tells of it."""
        version = self.quick(self.registry.active)
        if version is None or not totals(version.programme):
            return
        programme = version.programme
        if self.quick(lambda connection: wanting(connection, till_id, programme)):
            self._writer.call(lambda connection: top_up(connection, till_id, programme))

    def pin_of(self, request: HoldRequest) -> pins.HashedPin | None:
        """The request's PIN, hashed to be compared by `hold`. Milliseconds of work: call it from a worker thread."""
        if not request.pin:
            return None
        row = self.quick(lambda connection: pin_rows.find(connection, request.member_id))
        return pins.guess(row, request.pin, self.wall_ms())

    def hold(self, request: HoldRequest, pin: pins.HashedPin | None = None) -> "Future[HoldAnswer | RefusedError]":
        """The hold; `pin` is what `pin_of` said. A wrong PIN must be counted, so it is no exception that undoes it."""
        now_ms = self.wall_ms()

        def reserve(connection: sqlite3.Connection) -> HoldAnswer | RefusedError:
            version = self.registry.active(connection)
            redemption = None if version is None else version.programme.redemption
            return holding.reserve(connection, request, now_ms, redemption, pin)

        return self._writer.submit(reserve)

    def enrol(self, request: EnrolmentRequest) -> "Future[EnrolmentAnswer | RefusedError]":
        """The identity, or why not: a wrong guess must be counted, so it is no exception that undoes the count."""
        now_ms = self.wall_ms()
        return self._writer.submit(lambda connection: redeem_code(connection, request, now_ms))

    def start_confirmation(self, till_id: str, request: ConfirmationRequest) -> "Future[confirmations.Started]":
        """Make a one-time code. Sending it is the caller's, after the commit; RefusedError from the future."""
        now_ms = self.wall_ms()
        return self._writer.submit(lambda connection: confirmations.start(connection, till_id, request, now_ms))

    def give_code(self, till_id: str, confirmation: str, code: str) -> "Future[ConfirmationAnswer]":
        """Compare a code that a member said; RefusedError from the future."""
        now_ms = self.wall_ms()
        return self._writer.submit(
            lambda connection: confirmations.give(connection, till_id, confirmation, code, now_ms)
        )

    def coupons(self, question: CouponQuestion) -> CouponAnswer:
        """How often codes were used. A read: call it from a worker thread."""
        now_ms = self.wall_ms()

        def answer(connection: sqlite3.Connection) -> CouponAnswer:
            return answer_codes(connection, self.registry.active(connection), question, now_ms)

        return self.read(answer)

    def sale(self, question: SaleQuestion) -> SaleAnswer:
        """A sale of any till; RefusedError. A read: call it from a worker thread."""
        now_ms = self.wall_ms()
        return self.read(lambda connection: answer_sale(connection, question, now_ms))

    def position(self) -> int:
        """The newest change's number."""
        return self.quick(meta.position)

"""The cloud without HTTP: the composition root of store, ingest, holds and feed."""

import logging
import secrets
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import TypeVar

from till_cloud import changes, confirmations, holding, pins
from till_cloud.auth import authenticate
from till_cloud.budgets import top_up, totals, wanting
from till_cloud.enrolment import redeem_code
from till_cloud.exceptions import RefusedError, StoreUnavailableError
from till_cloud.facts import answer_codes
from till_cloud.former import expect_window
from till_cloud.founding import found
from till_cloud.guard import TWO_HISTORIES, CloneFoundError, Guard
from till_cloud.ingest.push import Ingest
from till_cloud.rationing import Rationed
from till_cloud.registry import Registry
from till_cloud.sold import answer_sale
from till_cloud.store import meta, tills
from till_cloud.store import pins as pin_rows
from till_cloud.store.connection import open_reader
from till_cloud.store.grants import set_takes, stopped_taking, takes
from till_cloud.store.readers import Readers
from till_cloud.store.tills import TillRow
from till_cloud.store.windows import set_takes as set_takes_window
from till_cloud.store.windows import takes as takes_window
from till_cloud.store.writer import Writer
from till_sync.asking import (
    ConfirmationAnswer,
    ConfirmationRequest,
    CouponAnswer,
    CouponQuestion,
    HoldAnswer,
    HoldRequest,
    SaleAnswer,
    SaleQuestion,
)
from till_sync.clock import SystemClock
from till_sync.signing import Head
from till_sync.wire import (
    ChangesAnswer,
    EnrolmentAnswer,
    EnrolmentRequest,
    HelloAnswer,
    Limits,
    PushAnswer,
    PushRequest,
)

log = logging.getLogger(__name__)

T = TypeVar("T")

OTHER_HISTORY = frozenset({"salt_mismatch", "chain_mismatch", "fingerprint_mismatch"})
"""Refusals of a push that greeted fitting what the cloud holds: somebody else has pushed in the same epoch since."""

MEMBER_ID_BYTES = 10
"""80 random bits: no two of a thousand million members share an id."""


def new_member_id() -> str:
    return f"m-{secrets.token_hex(MEMBER_ID_BYTES)}"


def _nothing() -> None:
    pass


class Centre:
    """One open database and what tills may ask of it. Usable from several threads; `close` ends it.

    Writes answer futures that resolve after their commit. RefusedError says why a request is not carried out;
    StoreUnavailableError, that the database can't be used now. `phone_cost` is for a new database, as of
    `till_cloud.founding.found`. `on_commit` is called in the writer's thread.
    """

    def __init__(
        self,
        path: Path,
        *,
        wall_ms: Callable[[], int] | None = None,
        new_id: Callable[[], str] = new_member_id,
        limits: Limits | None = None,
        phone_cost: int = 0,
    ) -> None:
        self.path = path
        self.limits = limits or Limits()
        self.wall_ms = wall_ms or SystemClock().wall_ms
        self.registry = Registry()
        self._guard = Guard(self.wall_ms())
        self._ingest = Ingest(self.registry, limits=self.limits, new_id=new_id)
        self.on_commit: Callable[[], None] = _nothing
        self._writer = Writer(path, on_commit=self._committed)
        try:
            self._writer.call(partial(found, phone_cost=phone_cost))
            self._readers = Readers(path)
            self._quick = open_reader(path)
        except BaseException:
            self._writer.close()
            raise
        self._quick_lock = threading.Lock()
        self._digests = Rationed(self.wall_ms)
        self._refused_window: set[str] = set()

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

    def authenticate(self, till_id: str, authorization: str, head: Head | None = None) -> TillRow:
        """See `till_cloud.auth` for the token, `till_cloud.guard` for what `head` has to prove."""
        stored = self._guard.stored(till_id)
        row = self.bearer(till_id, authorization)
        try:
            self._guard.admit(row, head, self.wall_ms(), stored=stored)
        except CloneFoundError as found:
            self._quarantine(found)
            raise
        return row

    def bearer(self, till_id: str, authorization: str) -> TillRow:
        """The till by its token alone: for handing in a key."""
        return self.quick(lambda connection: authenticate(connection, till_id, authorization))

    def add_key(self, till_id: str, public_key: str) -> "Future[bool]":
        """Take a till's key; False when it has handed in another one before."""

        def add(connection: sqlite3.Connection) -> bool:
            if tills.add_key(connection, till_id, public_key):
                return True
            row = tills.till(connection, till_id)
            return row is not None and row.public_key == public_key

        return self._writer.submit(add)

    def _told_twice(self, till_id: str, pushed: "Future[PushAnswer]") -> None:
        """A till with a key that tells another history of an epoch than the cloud holds is two machines."""
        error = None if pushed.cancelled() else pushed.exception()
        if isinstance(error, RefusedError) and error.code in OTHER_HISTORY:
            # Here the answer is not on its way yet: the till can't ask again before it is refused.
            self._guard.refuse(till_id, TWO_HISTORIES)
            self._quarantine(CloneFoundError(till_id, TWO_HISTORIES))

    def _quarantine(self, found: CloneFoundError) -> None:
        """Store it; should that fail, the guard still refuses, and the next request tries again."""
        now_ms = self.wall_ms()

        def put(connection: sqlite3.Connection) -> None:
            row = tills.till(connection, found.till)
            if row is not None and row.public_key:
                log.error("Till %s is put into quarantine: %s", found.till, found.reason)
                tills.quarantine(connection, found.till, found.reason, now_ms)

        try:
            writing = self._writer.submit(put)
        except StoreUnavailableError as error:
            log.error("The quarantine of till %s could not be stored: %s", found.till, error)  # noqa: TRY400 - says it all
            return
        writing.add_done_callback(lambda done: self._guard.keep(found.till) if done.exception() is None else None)

    def hello(self, till: TillRow) -> HelloAnswer:
        now_ms = self.wall_ms()
        return self.read(lambda connection: changes.hello(connection, till, limits=self.limits, now_ms=now_ms))

    def push(self, till_id: str, request: PushRequest) -> "Future[PushAnswer]":
        """Check and apply a batch; RefusedError at once, or from the future."""
        self._ingest.check(request)
        now_ms = self.wall_ms()
        counter = self._guard.highest(till_id)

        def apply(connection: sqlite3.Connection) -> PushAnswer:
            if counter:
                tills.count(connection, till_id, counter)
            return self._ingest.push(connection, till_id, request, now_ms)

        pushing = self._writer.submit(apply)
        pushing.add_done_callback(lambda done: self._told_twice(till_id, done))
        return pushing

    def changes(
        self,
        till: TillRow,
        *,
        since: str,
        limit: int,
        with_grants: bool = False,
        windowed: bool = False,
        check: str | None = None,
    ) -> ChangesAnswer:
        """One page; CursorError when `since` is not a cursor of this database. Call it from a worker thread.

        `check`: with the last page, the digest of members after that id, when there is time for digests now.
        """
        self._grant_shares(till.till)
        if with_grants is not self.quick(lambda connection: takes(connection, till.till)):
            # Only a till that reads of its grants gets any: nobody would give those of another back.
            if with_grants:
                self._writer.call(lambda connection: set_takes(connection, till.till, asks=True))
            else:
                self._writer.call(lambda connection: stopped_taking(connection, till.till))
        self.note_window(till.till, asks=windowed)
        now_ms = self.wall_ms()

        def page(connection: sqlite3.Connection) -> ChangesAnswer:
            return changes.page(
                connection,
                self.registry,
                till,
                since=since,
                limit=limit,
                now_ms=now_ms,
                with_grants=with_grants,
                windowed=windowed,
                check=check if turn else None,
            )

        with self._digests.turn(wanted=check is not None) as turn:
            return self.read(page)

    def note_window(self, till_id: str, *, asks: bool) -> None:
        """Remember whether a till can do with its store's members: snapshots are made of what tills ask for.

        RefusedError 409 `window_needed` for one that asks for all of them and may not.
        """
        if not asks:
            self.expect_window(till_id)
        now_ms = self.wall_ms()
        takes, since_ms = self.quick(lambda connection: takes_window(connection, till_id))
        if asks is not takes or asks is not bool(since_ms):
            if not asks:
                log.warning(
                    "Till %s asks for the whole base, not for its store's members any more: "
                    "is it of a former release again?",
                    till_id,
                )
            self._writer.call(lambda connection: set_takes_window(connection, till_id, asks=asks, now_ms=now_ms))

    def expect_window(self, till_id: str) -> None:
        """For a till that asks for the whole base; RefusedError 409 `window_needed`."""
        now_ms = self.wall_ms()
        try:
            self.quick(lambda connection: expect_window(connection, till_id, now_ms))
        except RefusedError:
            if till_id not in self._refused_window:
                log.warning("Till %s asks for the whole base and is refused: is it stolen, or an old release?", till_id)
            self._refused_window.add(till_id)
            raise

    def stretch(self, till: TillRow, *, since: str, after: str, last: str, windowed: bool = False) -> ChangesAnswer:
        """Members of a stretch as they are now; CursorError. A read: call it from a worker thread."""
        if not windowed:
            self.expect_window(till.till)
        now_ms = self.wall_ms()

        def read(connection: sqlite3.Connection) -> ChangesAnswer:
            return changes.stretch(
                connection, till, since=since, after=after, last=last, now_ms=now_ms, windowed=windowed
            )

        return self.read(read)

    def _grant_shares(self, till_id: str) -> None:
        """Give a till more of the budgets where it runs short: before its page is read, which then tells of it."""
        version = self.quick(lambda connection: self.registry.of_till(connection, till_id))
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
            version = self.registry.of_till(connection, request.till)
            redemption = None if version is None else version.programme.redemption
            return holding.reserve(connection, request, now_ms, redemption, pin)

        return self._writer.submit(reserve)

    def enrol(self, request: EnrolmentRequest) -> "Future[EnrolmentAnswer | RefusedError]":
        """The identity, or why not: a wrong guess must be counted, so it is no exception that undoes the count."""
        now_ms = self.wall_ms()
        return self._writer.submit(lambda connection: redeem_code(connection, request, now_ms))

    def start_confirmation(self, till_id: str, request: ConfirmationRequest) -> "Future[confirmations.Started]":
        """Make a one-time code. Sending it is the caller's, after the commit; RefusedError from the future.

        A slow tag is worked out here: call it from a worker thread.
        """
        now_ms = self.wall_ms()
        fits = self.read(lambda connection: confirmations.is_tag_of(connection, request))
        return self._writer.submit(
            lambda connection: confirmations.start(connection, till_id, request, now_ms, fits=fits)
        )

    def give_code(self, till_id: str, confirmation: str, code: str) -> "Future[ConfirmationAnswer]":
        """Compare a code that a member said; RefusedError from the future."""
        now_ms = self.wall_ms()
        return self._writer.submit(
            lambda connection: confirmations.give(connection, till_id, confirmation, code, now_ms)
        )

    def coupons(self, question: CouponQuestion, till: str = "") -> CouponAnswer:
        """How often codes were used, by the programme that `till` sells by. A read: call it from a worker thread."""
        now_ms = self.wall_ms()

        def answer(connection: sqlite3.Connection) -> CouponAnswer:
            return answer_codes(connection, self.registry.of_till(connection, till), question, now_ms)

        return self.read(answer)

    def sale(self, question: SaleQuestion) -> SaleAnswer:
        """A sale of any till; RefusedError. A read: call it from a worker thread."""
        now_ms = self.wall_ms()
        return self.read(lambda connection: answer_sale(connection, question, now_ms))

    def position(self) -> int:
        """The newest change's number."""
        return self.quick(meta.position)

"""A till asks for a member whom it does not hold: the answer serves the receipt, and they are in its store then."""

import logging
import sqlite3
import threading

from till_cloud import windows
from till_cloud.exceptions import RefusedError
from till_cloud.facts import open_keys
from till_cloud.ledger.book import Book
from till_cloud.store import members, meta, people, slow_tags, tills
from till_cloud.store.windows import is_inside
from till_sync.asking import MemberAnswer, MemberQuestion
from till_sync.wire import MemberRow

log = logging.getLogger(__name__)

HOUR_MS = 3_600_000

ASKED_AN_HOUR = 600
"""Questions of one till: a customer each six seconds."""

STRANGERS_AN_HOUR = 300
"""Different tags and ids of one till by which its store knew nobody. A customer of another store is one or two, once:
150 of them within an hour is more than a till serves. A stolen till that tries out numbers gets no further."""


class Rationing:
    """What each till has asked within the hour. Usable from several threads; a restart forgets."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._hour = 0
        self._asked: dict[str, int] = {}
        self._strange: dict[str, set[str]] = {}
        self._told: set[str] = set()

    def take(self, till: str, now_ms: int) -> None:
        """Count a question. RefusedError 429 `too_many_questions`."""
        with self._lock:
            self._begin(now_ms)
            self._asked[till] = self._asked.get(till, 0) + 1
            over = self._asked[till] > ASKED_AN_HOUR
        if over:
            detail = f"expected at most {ASKED_AN_HOUR} questions about members an hour"
            raise self._refusal(till, detail, now_ms)

    def take_strangers(self, till: str, question: MemberQuestion, now_ms: int) -> None:
        """Count the names of a question by which the till's store knows nobody, each once.

        RefusedError 429 `too_many_questions`, and none of them counts.
        """
        names = {name for name in (question.member_id, *question.tags) if name}
        with self._lock:
            self._begin(now_ms)
            wider = self._strange.get(till, set()) | names
            over = len(wider) > STRANGERS_AN_HOUR and not names <= self._strange.get(till, set())
            if not over:
                self._strange[till] = wider
        if over:
            detail = f"expected questions about at most {STRANGERS_AN_HOUR} numbers an hour that this store has not met"
            raise self._refusal(till, detail, now_ms)

    def _begin(self, now_ms: int) -> None:
        hour = now_ms // HOUR_MS
        if hour != self._hour:
            self._hour, self._asked, self._strange, self._told = hour, {}, {}, set()

    def _refusal(self, till: str, detail: str, now_ms: int) -> RefusedError:
        """It says when the hour is over: until then the till need not ask about anybody."""
        with self._lock:
            is_new = till not in self._told
            self._told.add(till)
        if is_new:
            log.warning("Till %s asks about more people than a store meets: is it stolen? %s", till, detail)
        wait_ms = HOUR_MS - now_ms % HOUR_MS
        headers = {"Retry-After": str(-(-wait_ms // 1000))}
        return RefusedError(429, "too_many_questions", detail, retryable=True, headers=headers, retry_after_ms=wait_ms)


def meet(
    connection: sqlite3.Connection,
    till: tills.TillRow,
    question: MemberQuestion,
    now_ms: int,
    rationing: Rationing | None = None,
) -> MemberAnswer:
    """The member, who is in the till's store from now on; no row when nobody is known by that. In a transaction.

    RefusedError as of `Rationing.take_strangers`: nobody learns then whether there is such a member.
    """
    book = Book(connection, now_ms)
    current = tills.till(connection, till.till) or till
    member_id = _member_of(connection, question)
    if rationing is not None and not (member_id and is_inside(connection, current.store, member_id)):
        rationing.take_strangers(till.till, question, now_ms)
    row: MemberRow | None = None
    if member_id:
        windows.see(book, current.store, member_id)
        book.flush()
        row = members.of_ids(connection, [member_id], open_keys(now_ms))[0]
    tags = slow_tags.phone_tags(connection)
    return MemberAnswer(
        incarnation=meta.incarnation(connection),
        epoch=current.epoch,
        acked_seq=current.acked_seq,
        server_time_ms=now_ms,
        member=row,
        phone_cost=tags.cost,
        phone_slow_only=tags.only,
    )


def _member_of(connection: sqlite3.Connection, question: MemberQuestion) -> str:
    """Whose the id is, or the first tag that is anybody's; "" for nobody, or for somebody who was erased."""
    owners = (members.owner(connection, tag) for tag in question.tags)
    for member_id in (question.member_id, *owners):
        kept = people.kept(connection, member_id) if member_id else ""
        profile = members.profile(connection, kept) if kept else None
        if profile is not None and profile.status != "removed":
            return profile.member_id
    return ""

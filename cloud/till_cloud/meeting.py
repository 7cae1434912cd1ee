"""A till asks for a member whom it does not hold: the answer serves the receipt, and they are in its store then."""

import sqlite3
import threading

from till_cloud import windows
from till_cloud.exceptions import RefusedError
from till_cloud.facts import open_keys
from till_cloud.ledger.book import Book
from till_cloud.store import members, meta, people, tills
from till_sync.asking import MemberAnswer, MemberQuestion
from till_sync.wire import MemberRow

HOUR_MS = 3_600_000

ASKED_AN_HOUR = 600
"""Questions of one till: a customer each six seconds. A stolen till that tries out numbers gets no further."""


class Rationing:
    """How often each till has asked within the hour. Usable from several threads; a restart forgets."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._hour = 0
        self._asked: dict[str, int] = {}

    def take(self, till: str, now_ms: int) -> None:
        """Count a question. RefusedError 429 `too_many_questions`."""
        hour = now_ms // HOUR_MS
        with self._lock:
            if hour != self._hour:
                self._hour, self._asked = hour, {}
            self._asked[till] = self._asked.get(till, 0) + 1
            over = self._asked[till] > ASKED_AN_HOUR
        if over:
            detail = f"expected at most {ASKED_AN_HOUR} questions about members an hour"
            raise RefusedError(429, "too_many_questions", detail, retryable=True)


def meet(connection: sqlite3.Connection, till: tills.TillRow, question: MemberQuestion, now_ms: int) -> MemberAnswer:
    """The member, who is in the till's store from now on; no row when nobody is known by that. In a transaction."""
    book = Book(connection, now_ms)
    current = tills.till(connection, till.till) or till
    member_id = _member_of(connection, question)
    row: MemberRow | None = None
    if member_id:
        windows.see(book, current.store, member_id)
        book.flush()
        row = members.of_ids(connection, [member_id], open_keys(now_ms))[0]
    return MemberAnswer(
        incarnation=meta.incarnation(connection),
        epoch=current.epoch,
        acked_seq=current.acked_seq,
        server_time_ms=now_ms,
        member=row,
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

"""Points for birthdays: once for each member, event and year, from so many days before."""

import sqlite3
from collections.abc import Callable, Iterator
from datetime import date, timedelta

import msgspec

from till_cloud import awarding
from till_cloud.jobs.done import JobsDone
from till_cloud.ledger.book import Book
from till_cloud.registry import Registry
from till_cloud.store import events, jobs
from till_loyalty.events import CATCH_UP_DAYS, on_day
from till_loyalty.programme import Event, Programme

BLOCK_MEMBERS = 1_000
"""Members looked at in one transaction."""

LEAP_DAY, DAY_BEFORE_LEAP_DAY = "02-29", "02-28"

# Members whose birthday is one of those days, who are known to be who they are.
_BORN = """
SELECT member_id, birth_date FROM members
WHERE birth_date <> '' AND substr(birth_date, -5) IN (SELECT value FROM json_each(?))
    AND member_id > ? AND status = 'active' ORDER BY member_id LIMIT ?
"""


class Birthdays:
    """Once a day for each programme version, so that a new version's event need not wait for tomorrow."""

    def __init__(self, registry: Registry, due_ms: int, wall_ms: Callable[[], int]) -> None:
        self._registry = registry
        self._due_ms = due_ms
        self._wall_ms = wall_ms
        self._after = ""
        self._members: set[str] = set()
        self._points = 0

    def block(self, connection: sqlite3.Connection) -> bool:
        version = self._registry.active(connection)
        if version is None:
            return False
        programme = version.programme
        wanted = [event for event in programme.events if event.on == "birthday"]
        day, time_zone = jobs.chain_day(connection, self._due_ms)
        job = f"birthdays {programme.id} {programme.version}"
        done_to = jobs.done_to(connection, job)
        if not wanted or done_to == day.isoformat():
            return False
        since = _since(done_to, day)
        days = msgspec.json.encode(sorted(set(_days(wanted, since, day)))).decode()
        found = connection.execute(_BORN, (days, self._after, BLOCK_MEMBERS)).fetchall()
        book = Book(connection, self._wall_ms())
        for member_id, birth_date in found:
            self._give(book, programme, member_id, birth_date, (since, day), time_zone)
        book.flush()
        if len(found) == BLOCK_MEMBERS:
            self._after = found[-1][0]
            return True
        jobs.set_done(connection, job, day.isoformat(), self._wall_ms())
        return False

    def _give(
        self, book: Book, programme: Programme, member_id: str, birth_date: str, span: tuple[date, date], time_zone: str
    ) -> None:
        since, day = span
        had = {(row.event, row.key) for row in events.given(book.connection, member_id)}
        awards = on_day(programme, birth_date, day, had, since=since)
        account = book.account(member_id) if awards else None
        if account is None:
            return
        given = awarding.give(book, account, awards, day=day, time_zone=time_zone)
        if given:
            self._members.add(member_id)
            self._points += given

    def tell(self, done: JobsDone) -> None:
        done.birthday_members += len(self._members)
        done.birthday_points += self._points


def _since(done_to: str, day: date) -> date:
    """The last day that needs no looking at: the one done, unless that is long ago, or not past at all."""
    yesterday = day - timedelta(days=1)
    done = date.fromisoformat(done_to) if done_to else yesterday
    return max(done, day - timedelta(days=CATCH_UP_DAYS)) if done < day else yesterday


def _days(wanted: list[Event], since: date, day: date) -> Iterator[str]:
    """Birthdays (`MM-DD`) that may be due: from the first day not looked at to the farthest that an event looks."""
    ahead = max(event.days_before for event in wanted)
    for shift in range((day - since).days + ahead):
        text = (since + timedelta(days=shift + 1)).isoformat()[5:]
        yield text
        if text == DAY_BEFORE_LEAP_DAY:
            yield LEAP_DAY

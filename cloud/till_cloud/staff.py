"""What the chain's staff do to members by hand: coupons, segments, tiers, PINs, confirming who they are.

Tills hear of it with their next pull.
"""

import re
import sqlite3

from msgspec.structs import replace

from till_cloud import awarding
from till_cloud.exceptions import AdminError
from till_cloud.ledger.account import Account, Draft
from till_cloud.ledger.book import Book
from till_cloud.pins import HashedPin
from till_cloud.registry import Registry
from till_cloud.store import events, facts, jobs, members, people, pins, tiers, usage
from till_cloud.store.pins import PinRow
from till_loyalty.events import on_registered
from till_loyalty.programme import Programme
from till_loyalty.tiers import period_of, spending_given

SEGMENT = re.compile(r"[^\s|][^|]{0,59}")
SEGMENTS_LIMIT = 50
"""Segments of one member: every till keeps them all."""


def give_coupon(connection: sqlite3.Connection, reference: str, coupon: str, now_ms: int) -> bool:
    """Give a member (id or tag) a coupon of the active programme; whether they did not hold it."""
    known = [each.id for each in _programme(connection).coupons]
    if coupon not in known:
        raise AdminError(f"expected a coupon of the programme: {', '.join(known) or 'it has none'}, not {coupon!r}")
    book, account = _account(connection, reference, now_ms)
    given = usage.give_coupon(connection, account.member_id, coupon, now_ms)
    if given:
        _tell(book, account)
    return given


def change_segment(connection: sqlite3.Connection, reference: str, name: str, now_ms: int, *, member: bool) -> bool:
    """Put a member into a segment, or out of it; whether that changed anything."""
    if not SEGMENT.fullmatch(name):
        raise AdminError(f"expected a segment of 1 to 60 characters without |, not {name[:80]!r}")
    book, account = _account(connection, reference, now_ms)
    known = facts.of_member(connection, account.member_id)
    before = set() if known is None else set(known.segment_list)
    after = before | {name} if member else before - {name}
    if len(after) > SEGMENTS_LIMIT:
        raise AdminError(f"expected at most {SEGMENTS_LIMIT} segments of a member")
    if after == before:
        return False
    facts.set_segments(connection, account.member_id, tuple(after))
    _tell(book, account)
    return True


def set_tier(connection: sqlite3.Connection, reference: str, tier: str, now_ms: int) -> bool:
    """Move a member to a tier; whether they were in another. Spending moves them on, unless the tier is `by_hand`.

    It lasts as if it had been reached by spending: to the end of the next period.
    """
    programme = _programme(connection)
    known = [each.id for each in programme.tiers]
    if tier not in known:
        raise AdminError(f"expected a tier of the programme: {', '.join(known) or 'it has none'}, not {tier!r}")
    book, account = _account(connection, reference, now_ms)
    if account.tier == tier:
        return False
    facts.set_tier(connection, account.member_id, tier)
    least = spending_given(programme, tier)
    if least:
        day, _ = jobs.chain_day(connection, now_ms)
        tiers.count_as_spent(connection, [(account.member_id, period_of(programme, day), least)])
    before, account.tier = account.tier, tier
    position = _tell(book, account)
    tiers.add_move(connection, account.member_id, position, before=before, after=tier, reason="hand", now_ms=now_ms)
    return True


def confirm(connection: sqlite3.Connection, reference: str, now_ms: int) -> int | None:
    """Make a registered member active, as a one-time code would have; the welcome points given, None: was active.

    For chains that send no codes. Who came about by sales to a number that nobody knew is nobody yet: AdminError.
    """
    book, account = _account(connection, reference, now_ms)
    person = people.find(connection, account.member_id)
    if person is None or account.status == "active":
        return None
    if account.status != "provisional":
        raise AdminError(f"expected a provisional member, not one who is {account.status}")
    if not person.registered:
        raise AdminError("expected a member who was registered at a till, not a number that nobody registered")
    account.status = "active"
    people.write(connection, replace(person, status="active", confirmed_at_ms=now_ms))
    given = 0
    active = Registry().active(connection)
    if active is not None:
        day, time_zone = jobs.chain_day(connection, now_ms)
        had = [(row.event, row.key) for row in events.given(connection, account.member_id)]
        awards = on_registered(active.programme, day, had)
        given = awarding.give(book, account, awards, day=day, time_zone=time_zone)
    _tell(book, account)
    return given


def set_pin(connection: sqlite3.Connection, reference: str, pin: HashedPin, now_ms: int) -> None:
    """Give a member a PIN (`pins.new_pin`), with all its tries; the one before is gone."""
    _, account = _account(connection, reference, now_ms)
    pins.put(
        connection,
        PinRow(
            member_id=account.member_id,
            salt=pin.salt,
            pin_scrypt=pin.pin_scrypt,
            tries=0,
            locked_until_ms=0,
            set_at_ms=now_ms,
        ),
    )


def remove_pin(connection: sqlite3.Connection, reference: str, now_ms: int) -> bool:
    """Take a member's PIN away; whether there was one."""
    _, account = _account(connection, reference, now_ms)
    return pins.remove(connection, account.member_id)


def unlock_pin(connection: sqlite3.Connection, reference: str, now_ms: int) -> bool:
    """Give a member's PIN all its tries again; whether it was locked. AdminError when there is none."""
    _, account = _account(connection, reference, now_ms)
    row = pins.find(connection, account.member_id)
    if row is None:
        raise AdminError("expected a member who has a PIN")
    pins.set_tries(connection, account.member_id, 0, 0)
    return now_ms < row.locked_until_ms


def _programme(connection: sqlite3.Connection) -> Programme:
    active = Registry().active(connection)
    if active is None:
        raise AdminError("expected a programme: `cloud programme upload`")
    return active.programme


def _account(connection: sqlite3.Connection, reference: str, now_ms: int) -> tuple[Book, Account]:
    member_id = members.owner(connection, reference) if ":" in reference else reference
    book = Book(connection, now_ms)
    account = None if member_id is None else book.account(people.kept(connection, member_id))
    if account is None or account.status == "removed":
        raise AdminError("expected a member of this chain, but nobody has this reference")
    return book, account


def _tell(book: Book, account: Account) -> int:
    """Give the member's row a new position."""
    position = book.next_position()
    book.touch(Draft(account), position)
    book.flush()
    return position

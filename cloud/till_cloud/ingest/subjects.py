"""Whose sale it is: a known member, the owner of a tag, or a provisional member made on the spot."""

import re
import sqlite3

from till_cloud.ingest.context import Context, Rejected
from till_cloud.ledger.account import Account
from till_cloud.store import members, meta, people, slow_tags
from till_cloud.store.erased import mark_of
from till_loyalty.exceptions import invariant
from till_sync.ops import Subject

MEMBER_ID = re.compile(r"m-[A-Za-z0-9_-]{1,60}")
TAG = re.compile(r"[a-z]{1,20}2?:[0-9a-f]{8,64}")


def find(context: Context, subject: Subject) -> Account | None:
    """The account that a sale's points go to; None for a sale with no member, or with one who is not known here."""
    if not subject.key:
        return None
    _check(subject)
    book = context.book
    account = book.account(subject.member_id) if subject.member_id else None
    if account is not None and account.status == "removed":
        # A till that has not heard of a merge yet names the old member.
        account = book.account(people.kept(book.connection, account.member_id))
    if account is None and subject.tag:
        owner = members.owner(book.connection, subject.tag)
        if owner is None:
            # Of somebody who was erased: the removed account earns nothing, and nobody new begins.
            owner = _erased(book.connection, subject.tag)
        account = None if owner is None else book.account(owner)
    return account


def _erased(connection: sqlite3.Connection, tag: str) -> str | None:
    """Whose mark an erased identifier left, by whichever of its tags."""
    key = meta.identifier_key(connection)
    names = dict.fromkeys((tag, slow_tags.kept(connection, tag)))
    return next((owner for name in names if (owner := slow_tags.owner(connection, mark_of(key, name)))), None)


def _check(subject: Subject) -> None:
    if subject.member_id and not MEMBER_ID.fullmatch(subject.member_id):
        raise Rejected("subject_invalid", "expected a member id such as m-1a2b3c")
    if subject.tag and not TAG.fullmatch(subject.tag):
        raise Rejected("subject_invalid", "expected a tag such as card:0123456789abcdef")


def make(context: Context, subject: Subject) -> Account:
    """A provisional member for a subject that `find` did not find.

    A member id that this database does not know was lost with a restored backup, or never was: the till's own word
    makes a member of that name, so that no point earned is lost; it may spend nothing until confirmed.
    """
    book = context.book
    member = members.MemberProfile(
        member_id=subject.member_id or context.new_id(),
        status="provisional",
        tier="",
        name="",
        name_masked="",
        phone_masked="",
        card_masked="",
        language="",
    )
    tags = (subject.tag,) if subject.tag else ()
    members.add(book.connection, member, tags, book.next_position(), book.now_ms)
    account = book.account(member.member_id)
    invariant(account is not None, "a member just added is not there")
    return account  # type: ignore[return-value]  # mypy can't see through invariant()

"""What the chain's staff may see of a member and of their ledger."""

import sqlite3

from msgspec import Struct

from till_cloud.exceptions import AdminError
from till_cloud.registry import Registry
from till_cloud.store import members, meta
from till_loyalty.exceptions import IdentifierError
from till_loyalty.identifiers import normalise_phone, parse_card, tag

LOTS_SHOWN = 100
"""Newest lots of a member that are shown."""


class LotView(Struct, frozen=True):
    """One lot; `position` is the movement that issued it.

    None: it is active; it never expires. Otherwise moments in UTC milliseconds.
    """

    lot: int
    position: int
    active_at_ms: int | None
    expires_at_ms: int | None
    issued: int
    left: int
    used: int
    expired: int
    reversed: int


class MemberView(Struct, frozen=True):
    """A member with their account. `balance` is what tills show: points in the lots less the debt.

    `inactive` points are among those in the lots and can't be spent yet; `granted` ones lie with tills and on vouchers.
    """

    member_id: str
    status: str
    tier: str
    name: str
    phone: str
    card: str
    language: str
    tags: tuple[str, ...]
    balance: int
    held: int
    debt: int
    earned: int
    redeemed: int
    given_back: int
    reversed: int
    expired: int
    position: int
    inactive: int
    granted: int
    lots: tuple[LotView, ...]


class MovementView(Struct, frozen=True):
    """One movement of the ledger; `op` is `till:epoch:seq`, "" for opening points."""

    position: int
    kind: str
    op: str
    uid: str
    about_uid: str
    earned: int
    redeemed: int
    given_back: int
    reversed: int
    expired: int
    balance: int
    debt: int
    at_ms: int


_BALANCE = """
SELECT balance - debt, held, debt, earned, redeemed, given_back, reversed, expired, position,
    (SELECT coalesce(sum(l.left), 0) FROM lots l INDEXED BY lots_asleep
     WHERE l.member_id = b.member_id AND l.active_at_ms IS NOT NULL),
    granted
FROM balances b WHERE member_id = ?
"""
_LOTS = """
SELECT lot, position, active_at_ms, expires_at_ms, issued, left, used, expired, reversed FROM lots
WHERE member_id = ? ORDER BY lot DESC LIMIT ?
"""
_MOVEMENTS = """
SELECT position, kind, CASE till WHEN '' THEN '' ELSE till || ':' || epoch || ':' || seq END, uid, about_uid,
    earned, redeemed, given_back, reversed, expired, balance, debt, at_ms
FROM movements WHERE member_id = ? ORDER BY position DESC LIMIT ?
"""


def member(
    connection: sqlite3.Connection, *, reference: str | None = None, card: str | None = None, phone: str | None = None
) -> MemberView:
    """The member of a reference (member id or tag), a card or a phone; AdminError when there is none."""
    wanted = reference if reference is not None else _tag(connection, card, phone)
    member_id = members.owner(connection, wanted) if ":" in wanted else wanted
    profile = None if member_id is None else members.profile(connection, member_id)
    if profile is None:
        raise AdminError("expected a member of this chain, but nobody has this reference, card or phone")
    account = connection.execute(_BALANCE, (profile.member_id,)).fetchone()
    balance, held, debt, earned, redeemed, given_back, taken, expired, position, inactive, granted = account
    lots = connection.execute(_LOTS, (profile.member_id, LOTS_SHOWN)).fetchall()
    return MemberView(
        member_id=profile.member_id,
        status=profile.status,
        tier=profile.tier,
        name=profile.name,
        phone=profile.phone_masked,
        card=profile.card_masked,
        language=profile.language,
        tags=members.tags(connection, profile.member_id),
        balance=balance,
        held=held,
        debt=debt,
        earned=earned,
        redeemed=redeemed,
        given_back=given_back,
        reversed=taken,
        expired=expired,
        position=position,
        inactive=inactive,
        granted=granted,
        lots=tuple(LotView(*row) for row in reversed(lots)),
    )


def movements(connection: sqlite3.Connection, member_id: str, limit: int) -> list[MovementView]:
    """The newest `limit` movements of a member, oldest first."""
    found = connection.execute(_MOVEMENTS, (member_id, limit)).fetchall()
    return [MovementView(*row) for row in reversed(found)]


def _tag(connection: sqlite3.Connection, card: str | None, phone: str | None) -> str:
    active = Registry().active(connection)
    if active is None:
        raise AdminError("expected a programme, for its rules of cards and phones: `cloud programme upload`")
    identifiers, key = active.programme.identifiers, meta.identifier_key(connection)
    try:
        if card is not None:
            return tag(key, "card", parse_card(card, identifiers))
        return tag(key, "phone", normalise_phone(phone or "", identifiers.phone_countries))
    except IdentifierError as error:
        raise AdminError(str(error)) from error

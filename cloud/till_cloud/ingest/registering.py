"""A person became a member at a till, or was given a card: found by their identifiers, made, filled in, or merged.

Decision: docs/decisions/0012. Whoever came about by sales to a number that nobody knew ("provisional", not registered)
is nobody's yet: a registration completes such a member, and may merge one into another. Two registered members are
never merged by a till's word.
"""

import datetime as dt
import re
import unicodedata
from typing import Literal

from msgspec.structs import replace

from till_cloud import confirmations, referral
from till_cloud.ingest import awards
from till_cloud.ingest.context import Context, Flag, Rejected, Verdict
from till_cloud.ingest.subjects import TAG, find, make
from till_cloud.ledger.account import Account, Draft
from till_cloud.merging import may_merge, merge
from till_cloud.store import events, facts, members, meta, people
from till_cloud.store.people import Person
from till_loyalty.events import on_registered
from till_loyalty.masks import mask_name
from till_loyalty.programme import Programme
from till_sync.exceptions import SealError
from till_sync.ops import AttachCardBody, OpId, RegisterBody, Subject
from till_sync.sealing import open_sealed

NAME_LIMIT = 200
SHORT_LIMIT = 40
"""Characters kept of a name, and of masked numbers, languages and consent versions."""

OLDEST_BIRTH = "1900-01-01"
DAY_MS = 24 * 3_600_000
DATE = re.compile(r"\d{4}-\d\d-\d\d")


def apply_register(context: Context, op_id: OpId, body: RegisterBody) -> Verdict:
    """Find, make or complete the member. Rejected: `subject_invalid`; all else is taken, with flags where it is odd.

    Codes: `member_known` (was registered before: missing facts are filled in), `card_taken`, `merge_needed`,
    `merge_waits`.
    """
    body, unopened = _opened(context, body)
    _check_tags(body.subject.tag, body.card_tag)
    programme = _programme(context, body)
    account, code, flags = _owner(context, body.subject.tag, body.card_tag, body.uid, programme)
    if account is None:
        account = make(context, Subject())  # its number may still be a removed member's: it is put below
    if body.card_tag and not code:
        people.put_tag(context.book.connection, body.card_tag, account.member_id)
    people.put_tag(context.book.connection, body.subject.tag, account.member_id)
    before = _person(context, account)
    after, odd = _filled(context, before, body, programme, with_card=not code)
    flags += [*odd, *unopened]
    after, why = _confirmed(context, after, body, programme)
    if why:
        flags.append(Flag(why, 0, 0, "the member is as if no code had been given"))
    people.write(context.book.connection, after)
    if not after.referral_code:
        referral.give_code(context.book.connection, after.member_id)
    account.status, account.tier = after.status, after.tier
    context.book.touch(Draft(account), context.book.next_position())
    if before.status == "provisional" and after.status == "active":
        _welcome(context, account, programme, body, str(op_id))
    code = code or ("member_known" if before.registered else "")
    return Verdict(status="applied", code=code, account=account, tag=body.subject.tag, flags=tuple(flags))


def apply_attach(context: Context, body: AttachCardBody) -> Verdict:
    """Give a member a card. Codes: `card_known`, `card_taken`, `merge_waits`; rejected: `subject_invalid`."""
    _check_tags(body.subject.tag or "card:00000000", body.card_tag)
    if not body.subject.key or not body.card_tag:
        raise Rejected("subject_invalid", "expected a member and the tag of a card")
    account = find(context, body.subject) or make(context, body.subject)
    owner = _account(context, body.card_tag)
    code = ""
    flags: list[Flag] = []
    if owner is account:
        code = "card_known"
    elif owner is not None:
        code = _take_over(context, owner, account, body.uid, _programme(context, None))
    if code in ("card_taken", "merge_waits"):
        flags.append(Flag(code, 0, 0, f"the card is {_name(owner)}'s"))
    else:
        people.put_tag(context.book.connection, body.card_tag, account.member_id)
        person = _person(context, account)
        masked = _text(body.card_masked, SHORT_LIMIT)
        people.write(context.book.connection, replace(person, card_masked=masked or person.card_masked))
        context.book.touch(Draft(account), context.book.next_position())
    return Verdict(status="applied", code=code, account=account, tag=body.subject.tag, flags=tuple(flags))


def _opened(context: Context, body: RegisterBody) -> tuple[RegisterBody, list[Flag]]:
    """The registration with what the till has sealed in it. A box that can't be opened loses a name, never a member:
    it stays in the operation's body, to be opened once the key is there again.
    """
    if not body.sealed:
        return body, []
    try:
        person = open_sealed(meta.seal_keys(context.book.connection), body.sealed, uid=body.uid)
    except SealError as error:
        return body, [Flag(error.code, 0, 0, str(error))]
    sex: Literal["", "female", "male"] = person.sex if person.sex in ("female", "male") else ""  # type: ignore[assignment]  # mypy narrows no str by `in`
    return replace(body, name=person.name, birth_date=person.birth_date, sex=sex), []


def _owner(
    context: Context, tag: str, card_tag: str, uid: str, programme: Programme | None
) -> tuple[Account | None, str, list[Flag]]:
    """Whom the numbers of a registration lead to, None for a new member; and why the card stays with another."""
    holder = _account(context, tag)
    carrier = _account(context, card_tag) if card_tag else None
    if carrier is None or carrier is holder:
        return holder, "", []
    if holder is None:
        if not _person(context, carrier).registered:
            return carrier, "", []
        # Who holds a card in their hand need not be the one who registered it.
        return None, "card_taken", [Flag("card_taken", 0, 0, f"the card is {_name(carrier)}'s")]
    both = _person(context, carrier).registered and _person(context, holder).registered
    code = "merge_needed" if both else _take_over(context, carrier, holder, uid, programme)
    if not code:
        return holder, "", []
    words = f"the card is {_name(carrier)}'s: `cloud member merge {carrier.member_id} {holder.member_id}` if one person"
    return holder, code, [Flag(code, 0, 0, words)]


def _take_over(context: Context, carrier: Account, holder: Account, uid: str, programme: Programme | None) -> str:
    """Merge a card's owner whom nobody registered into the member; "" or why not."""
    if _person(context, carrier).registered:
        return "card_taken"
    if not may_merge(carrier, holder):
        return "merge_waits"
    merge(context.book, carrier, holder, uid=uid, programme=programme)
    return ""


def _filled(
    context: Context, person: Person, body: RegisterBody, programme: Programme | None, *, with_card: bool
) -> tuple[Person, list[Flag]]:
    """The member with what the registration says where there was nothing; nothing is overwritten."""
    today = dt.datetime.fromtimestamp((context.book.now_ms + DAY_MS) / 1000, dt.UTC).date().isoformat()
    flags: list[Flag] = []
    birth_date = body.birth_date if _is_date(body.birth_date, OLDEST_BIRTH, today) else ""
    if body.birth_date and not birth_date:
        flags.append(Flag("birth_date_invalid", 0, 0, "expected a date of birth of a person alive"))
    since = body.clock.business_date if _is_date(body.clock.business_date, OLDEST_BIRTH, today) else today
    name = _text(body.name, NAME_LIMIT)
    new_name = bool(name) and not person.name
    first = programme.tiers[0].id if programme is not None and programme.tiers else ""
    consent = {}
    if not person.consent_version and body.consent_version:
        agreed_ms = min(max(body.consent_wall_ms, 0), context.book.now_ms)
        consent = {"consent_version": _text(body.consent_version, SHORT_LIMIT), "consent_at_ms": agreed_ms}
    referrer = "" if person.registered else _referrer(context, person, body.referrer)
    if body.referrer and not referrer and not person.referrer and not person.registered:
        flags.append(Flag("referrer_unknown", 0, 0, "expected the code of another member"))
    filled = replace(
        person,
        tier=person.tier or first,
        name=person.name or name,
        name_masked=mask_name(name) if new_name else person.name_masked or _text(body.name_masked, SHORT_LIMIT),
        phone_masked=person.phone_masked or _text(body.phone_masked, SHORT_LIMIT),
        card_masked=person.card_masked or (_text(body.card_masked, SHORT_LIMIT) if with_card else ""),
        language=person.language or _text(body.language, SHORT_LIMIT),
        birth_date=person.birth_date or birth_date,
        sex=person.sex or body.sex,
        member_since=person.member_since or since,
        referrer=person.referrer or referrer,
        **consent,
    )
    return filled, flags


def _confirmed(context: Context, person: Person, body: RegisterBody, programme: Programme | None) -> tuple[Person, str]:
    """Active once the phone is proven, or at once where the programme asks for no proof; and what is wrong with one."""
    why = ""
    proven = programme is not None and not programme.registration.code
    if body.confirmation:
        why = confirmations.use(context.book.connection, body.confirmation, till=context.till, tag=body.subject.tag)
        proven = proven or not why
    if not proven:
        return person, why
    status = "active" if person.status == "provisional" else person.status
    at_ms = person.confirmed_at_ms or (context.book.now_ms if body.confirmation and not why else 0)
    return replace(person, status=status, confirmed_at_ms=at_ms), why


def _welcome(context: Context, account: Account, programme: Programme | None, body: RegisterBody, about: str) -> None:
    """Points for becoming a member, once, by the rules of today."""
    active = context.active()
    programme = programme if active is None else active.programme
    if programme is None:
        return
    day = context.today()
    if _is_date(body.clock.business_date, OLDEST_BIRTH, day.isoformat()):
        day = dt.date.fromisoformat(body.clock.business_date)
    had = [(row.event, row.key) for row in events.given(context.book.connection, account.member_id)]
    awards.give(context, account, on_registered(programme, day, had), about=about, day=day)


def _referrer(context: Context, person: Person, text: str) -> str:
    """The member whose code was told: somebody else, and not somebody whom this member brought."""
    code = referral.normalise(text)
    found = facts.referral_owner(context.book.connection, code) if code else None
    if found is None:
        return ""
    member_id = people.kept(context.book.connection, found)
    other = people.find(context.book.connection, member_id)
    if other is None or other.status == "removed" or member_id == person.member_id:
        return ""
    return "" if other.referrer == person.member_id else member_id


def _account(context: Context, tag: str) -> Account | None:
    """The account of an identifier's owner; None where there is none, or only a removed member's trace."""
    owner = members.owner(context.book.connection, tag)
    account = None if owner is None else context.book.account(owner)
    return None if account is None or account.status == "removed" else account


def _person(context: Context, account: Account) -> Person:
    person = people.find(context.book.connection, account.member_id)
    if person is None:
        raise Rejected("subject_invalid", f"expected a member, not {account.member_id}")
    return person


def _programme(context: Context, body: RegisterBody | None) -> Programme | None:
    """The version that the till registered by, else the active one."""
    connection = context.book.connection
    version = None
    if body is not None:
        version = context.registry.version(connection, body.programme_id, body.programme_version)
    version = version or context.active()
    return None if version is None else version.programme


def _check_tags(tag: str, card_tag: str) -> None:
    if not TAG.fullmatch(tag) or (card_tag and not TAG.fullmatch(card_tag)):
        raise Rejected("subject_invalid", "expected tags such as phone:0123456789abcdef")


def _name(account: Account | None) -> str:
    return "nobody" if account is None else account.member_id


def _is_date(text: str, first: str, last: str) -> bool:
    if not DATE.fullmatch(text) or not first <= text <= last:
        return False
    try:
        dt.date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _text(text: str, limit: int) -> str:
    """One line of printable characters."""
    shown = "".join([each for each in text if unicodedata.category(each)[0] != "C"])
    return " ".join(shown.split())[:limit]

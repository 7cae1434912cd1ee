"""Two members who turn out to be one person: the old one's points, facts and identifiers go over to the one kept.

Decision: docs/decisions/0012. Points move as one movement of kind `merge` on either side, each lot with its life; so
both ledgers add up for ever, and returns of the old member's sales find their way (`forward`).
"""

import msgspec
from msgspec.structs import replace

from till_cloud import windows
from till_cloud.exceptions import AdminError
from till_cloud.granting import move_grants
from till_cloud.ledger.account import Account, Draft, IssuedLot
from till_cloud.ledger.book import Book
from till_cloud.registry import Registry
from till_cloud.store import events, grants, people, pins, wallet
from till_cloud.store.people import Person
from till_loyalty.exceptions import invariant
from till_loyalty.programme import Programme

_TIER_MOVE = """
INSERT INTO tier_moves (member_id, position, tier_before, tier_after, reason, at_ms) VALUES (?, ?, ?, ?, 'merge', ?)
ON CONFLICT (member_id, position) DO NOTHING
"""


def may_merge(old: Account, into: Account | None = None) -> bool:
    """Points promised to a receipt under way stay where they are until the hold is resolved.

    Granted points go over with the grants, but no debt may be paid from them: with one on either side they stay too.
    """
    owing = old.debt or (into is not None and into.debt)
    return old.held == 0 and not (old.granted and owing)


def merge(book: Book, old: Account, into: Account, *, uid: str, programme: Programme | None) -> None:
    """Make `old` a removed member whose everything is `into`'s. Ask `may_merge` before."""
    free = may_merge(old, into) and old.member_id != into.member_id
    invariant(free, "expected two members, the old one without holds")
    connection = book.connection
    gone, person = people.find(connection, old.member_id), people.find(connection, into.member_id)
    if gone is None or person is None:
        raise AdminError(f"expected two members, not {old.member_id} and {into.member_id}")
    _take_doubles(book, old, into)
    move_points(book, old, into, uid=uid)
    people.go_over(connection, old.member_id, into.member_id)
    # A PIN never goes over: whoever chose it may be a stranger to the one kept.
    pins.remove(connection, old.member_id)
    wallet.go_over(connection, old.member_id, into.member_id)
    grants.move_visits(connection, old.member_id, into.member_id)
    windows.join(book, old.member_id, into.member_id)
    joined = _joined(person, gone, programme)
    # The code of the old member goes first: no two members may have one.
    people.write(connection, replace(gone, status="removed", merged_into=into.member_id, referral_code="", referrer=""))
    people.write(connection, joined)
    old.status, into.tier = "removed", joined.tier
    position = book.next_position()
    book.touch(Draft(into), position)
    if joined.tier != person.tier:
        connection.execute(_TIER_MOVE, (into.member_id, position, person.tier, joined.tier, book.now_ms))


def move_points(book: Book, old: Account, into: Account, *, uid: str) -> None:
    """What the old member has, or owes, becomes the other's: active and expiring when it was before."""
    for account in (old, into):
        book.load_lots(account)
    if old.debt and old.left:
        paid = Draft(old)
        paid.settle_debt()
        book.touch(paid, book.next_position())
    taken, given = Draft(old, granted=0), Draft(into, granted=into.granted + old.granted)
    if old.granted:
        move_grants(book, old.member_id, into.member_id)
    taken_at = book.next_position()
    if old.debt:
        # New points pay the old member's debt, and the other one owes them instead.
        taken.earn_lots([IssuedLot(taken_at, old.debt)])
        given.take_back((), old.debt, "debt")
    lots = [(number, old.lots[number], old.terms[number].active_at_ms) for number in sorted(old.lots)]
    for asleep in (True, False):
        mine = {number: lot.left for number, lot, active_at_ms in lots if (active_at_ms is not None) is asleep}
        taken.take_back(mine, sum(mine.values()), "refuse")
    given_at = book.next_position()
    numbers = [given_at, *(book.next_position() for _ in lots[1:])]
    given.earn_lots(
        [
            IssuedLot(number, lot.left, active_at_ms, lot.expires_at_ms)
            for number, (_, lot, active_at_ms) in zip(numbers, lots, strict=False)
            if lot.left
        ]
    )
    _keep(book, taken, taken_at, uid, into.member_id)
    _keep(book, given, given_at, uid, old.member_id)


def _take_doubles(book: Book, old: Account, into: Account) -> None:
    """One person has a first purchase once: of events that both had, what is left of the old one's points goes."""
    had = {(row.event, row.key) for row in events.given(book.connection, into.member_id)}
    for row in events.given(book.connection, old.member_id):
        if not row.position or (row.event, row.key) not in had:
            continue
        own = book.lots_of(old.member_id, row.position)
        book.load_lots(old, own)
        draft = Draft(old)
        draft.take_back(own, sum([old.lots[number].left for number in own]), "within_balance", only_free=True)
        if draft.moves:
            position = book.next_position()
            book.post(draft, kind="event", op=None, uid=row.event, about_uid=row.about, position=position)


def forward(book: Book, account: Account, *, uid: str) -> None:
    """A return of what a merged member bought: what it left there goes on to whom the member was merged into."""
    if account.status != "removed" or not (account.left or account.debt) or account.held:
        return
    into = book.account(people.kept(book.connection, account.member_id))
    if into is not None and into is not account:
        move_points(book, account, into, uid=uid)


def merge_by_hand(book: Book, registry: Registry, old_id: str, into_id: str) -> None:
    """What staff decided; AdminError when it can't be done."""
    old, into = book.account(old_id), book.account(into_id)
    for account, name in ((old, old_id), (into, into_id)):
        if account is None or account.status == "removed":
            raise AdminError(f"expected a member who is there, not {name!r}")
    if old is None or into is None or old_id == into_id:
        raise AdminError("expected two different members")
    if not may_merge(old, into):
        raise AdminError(f"expected no open holds of {old_id}: wait until its receipts are through, and try again")
    version = registry.active(book.connection)
    merge(book, old, into, uid="", programme=None if version is None else version.programme)


def _keep(book: Book, draft: Draft, position: int, uid: str, other: str) -> None:
    if draft.moves:
        book.post(draft, kind="merge", op=None, uid=uid, about_uid=other, position=position)
    else:
        book.touch(draft, position)


def _joined(person: Person, gone: Person, programme: Programme | None) -> Person:
    """The one kept, with what only the other had; of two dates of joining the earlier, of two tiers the higher."""
    since = [date for date in (person.member_since, gone.member_since) if date]
    same_name = not person.name
    return replace(
        person,
        tier=_higher(person.tier, gone.tier, programme),
        name=person.name or gone.name,
        name_masked=gone.name_masked if same_name else person.name_masked,
        phone_masked=person.phone_masked or gone.phone_masked,
        card_masked=person.card_masked or gone.card_masked,
        language=person.language or gone.language,
        birth_date=person.birth_date or gone.birth_date,
        sex=person.sex or gone.sex,
        member_since=min(since, default=""),
        segments=_together(person, gone),
        referrer=person.referrer or (gone.referrer if gone.referrer != person.member_id else ""),
        referral_code=person.referral_code or gone.referral_code,
        purchases=person.purchases + gone.purchases,
        last_purchase=max(person.last_purchase, gone.last_purchase),
    )


def _together(person: Person, gone: Person) -> str:
    return msgspec.json.encode(sorted({*person.segment_list, *gone.segment_list})).decode()


def _higher(tier: str, other: str, programme: Programme | None) -> str:
    """Nobody loses standing by a merge. A tier that the programme does not have counts least."""
    order = [each.id for each in programme.tiers] if programme is not None else []
    ranked = [each for each in (tier, other) if each in order]
    return max(ranked, key=order.index) if ranked else tier or other

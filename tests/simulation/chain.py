"""The chain that the simulation plays in: stores, tills, members, and a programme whose limits tills must keep."""

import hashlib
import sqlite3
from collections.abc import Callable
from pathlib import Path
from random import Random

from msgspec.structs import replace

from till_agent.desk import StoreIdentity
from till_cloud import registry, windows
from till_cloud.centre import Centre
from till_cloud.ledger.account import Draft, IssuedLot
from till_cloud.ledger.book import Book
from till_cloud.store import grants, members, meta, tills
from till_loyalty.identifiers import tag
from till_loyalty.programme import (
    CardRange,
    Exclusion,
    Floor,
    Identifiers,
    Match,
    Programme,
    Redemption,
    Rule,
    Tier,
)
from till_loyalty.rule_parts import Limit
from till_sync import keys

BASE_MS = 1_767_258_000_000
"""1 January 2026, 12:00 in Moscow."""
STORES = {"s1": ("t1", "t2"), "s2": ("t3",)}
TILLS = sum(len(names) for names in STORES.values())
OPENING_POINTS = 400
DAILY_LIMIT = 120
BUDGET = 150
MEMBERS = 5
STRANGERS = 2
"""Cards that the cloud has never heard of: their first sale makes a member."""

FLOOR = Floor(member_points=100, till_points=250)
"""What tills may risk in a chain that takes risks: see `policy_of`."""

PROGRAMME = Programme(
    format=1,
    id="sim",
    version=1,
    currency="RUB",
    tiers=(Tier(id="standard"), Tier(id="gold")),
    rules=(
        Rule(id="base", percent_basis_points=700),
        Rule(id="gold", percent_basis_points=300, tiers=("gold",)),
        Rule(id="daily", points=50, limits=(Limit(per="day", amount=DAILY_LIMIT),)),
        Rule(id="budget", points=7, limits=(Limit(per="budget", amount=BUDGET, offline="share"),)),
    ),
    exclusions=(Exclusion(id="tobacco", match=Match(skus=("tobacco",)), legal=True),),
    redemption=Redemption(max_share_basis_points=5_000),
    identifiers=Identifiers(phone_countries=("RU",), cards=(CardRange(prefix="29", lengths=(13,), check="ean13"),)),
)


def policy_of(seed: int) -> str:
    """How points are spent without a line in that seed's chain: three times of four by grants alone."""
    return "floor" if seed % 4 == 3 else "grant"


def see_members(connection: sqlite3.Connection) -> None:
    """Two members are known in each store, and one in none."""
    book = Book(connection, BASE_MS)
    for store, numbers in (("s1", (1, 2)), ("s2", (3, 4))):
        for number in numbers:
            windows.see(book, store, f"m-{number}")
    book.flush()
    meta.tell(connection, windows.rows.JUDGED, "on")


def programme(policy: str) -> Programme:
    """The chain's programme under a policy."""
    if policy == "grant":
        return PROGRAMME
    redemption = replace(PROGRAMME.redemption, offline="floor", floor=FLOOR)
    return replace(PROGRAMME, redemption=redemption)


def card(number: int) -> str:
    """Member card `number`, with its check digit."""
    body = f"29{number:010d}"
    return f"{body}{-sum(int(digit) * (3 if index % 2 else 1) for index, digit in enumerate(body)) % 10}"


def phone(number: int) -> str:
    """The phone of member `number`, where members have phones."""
    return f"+7916123450{number}"


def token(till: str) -> str:
    """A till's secret; no secret here."""
    return f"token-of-{till}"


def signs(seed: int) -> bool:
    """Whether the tills sign and pack what they send in that seed's chain, as all but those of 0.1 do."""
    return seed % 11 in (0, 7)


def sets_cloud_clock(seed: int) -> bool:
    """Whether somebody sets the cloud's clock in that seed; its tills sign, which goes by that clock too."""
    return seed % 11 == 7


def private_key(till: str) -> str:
    """The key that a till signs with; no secret here."""
    return Random(f"key {till}").randbytes(32).hex()


def add_keys(connection: sqlite3.Connection) -> None:
    """Every till has handed in its key."""
    for names in STORES.values():
        for name in names:
            tills.add_key(connection, name, keys.public_of(private_key(name)))


def make_template(
    path: Path, new_id: Callable[[], str], policy: str, *, phones: bool = False
) -> dict[str, StoreIdentity]:
    """A cloud database with the chain in it, whose members have `phones` too; gives who each till is."""
    centre = Centre(path, wall_ms=lambda: BASE_MS, new_id=new_id)
    try:
        key = centre.write(meta.identifier_key).result()
        centre.write(lambda connection: _fill(connection, key, phones=phones)).result()
        centre.write(lambda connection: registry.upload(connection, programme(policy), BASE_MS)).result()
    finally:
        centre.close()
    return {
        name: StoreIdentity(
            till=name, store=store, store_name=store.upper(), time_zone="Europe/Moscow", identifier_key=key
        )
        for store, names in STORES.items()
        for name in names
    }


def _fill(connection: sqlite3.Connection, key: bytes, *, phones: bool) -> None:
    for store, names in STORES.items():
        tills.put_store(connection, tills.StoreRow(store, store.upper(), "Europe/Moscow"), BASE_MS)
        for name in names:
            tills.add_till(connection, name, store, BASE_MS)
            tills.enrol(connection, name, hashlib.sha256(token(name).encode()).hexdigest(), BASE_MS)
    book = Book(connection, BASE_MS)
    for number in range(MEMBERS):
        member_id = f"m-{number}"
        profile = members.MemberProfile(member_id, "active", "gold" if number == 1 else "standard", "", "", "", "", "")
        tags = (tag(key, "card", card(number)), *([tag(key, "phone", phone(number))] if phones else []))
        members.add(connection, profile, tags, book.next_position(), BASE_MS)
        account = book.account(member_id)
        if account is None:
            raise LookupError(f"expected the member {member_id} that was just added")
        draft, position = Draft(account), book.next_position()
        draft.earn_lots([IssuedLot(position, OPENING_POINTS)])
        book.post(draft, kind="opening", op=None, position=position)
        for store in STORES if number else ():  # the first one was never seen here: tills have nothing of hers at hand
            grants.seen_in(connection, member_id, store, "2025-12-31")
    book.flush()

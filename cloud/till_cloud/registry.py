"""Programme versions ready for counting: parsed once, kept, and uploaded here."""

import sqlite3
import threading

from msgspec import Struct

from till_cloud.exceptions import AdminError, StoreFormatError
from till_cloud.store import meta, programmes, waves
from till_cloud.waves.choosing import programme_key
from till_cloud.waves.counting import must_count_as_before
from till_loyalty.exceptions import ProgrammeError
from till_loyalty.programme import Programme
from till_loyalty.programme_document import digest, parse_programme, programme_json
from till_sync.wire import ProgrammeRow

PROGRAMMES_KEPT = 16
"""Parsed versions in memory: tills sell by one or two at a time; a late queue may name an older one."""


class Needs(Struct, frozen=True):
    """What a programme asks for beside receipt, clock and tier: so that a sale reads only what its rules look at."""

    facts: bool = False
    usage: bool = False
    budgets: bool = False
    discounts: bool = False
    spending: bool = False
    events: bool = False
    life: bool = False


class Version(Struct, frozen=True):
    """A programme version as the cloud knows it."""

    programme: Programme
    digest: str
    needs: Needs = Needs()


_FACTS = ("segments", "birthday", "first_purchases", "purchase_number", "joined_from", "joined_to", "silent_days")
"""Conditions of a rule on what the member's row says."""


def needs_of(programme: Programme) -> Needs:
    """What counting and following up a sale by this programme takes."""
    limits = {limit.per for rule in programme.rules for limit in rule.limits}
    whos = [rule.who for rule in programme.rules if rule.who is not None]
    return Needs(
        facts=any(bool(getattr(who, name)) for who in whos for name in _FACTS),
        usage=bool(programme.coupons) or bool(limits - {"receipt", "budget"}),
        budgets="budget" in limits,
        discounts=any(rule.discount is not None for rule in programme.rules),
        spending=bool(programme.tier_period),
        events=bool(programme.events),
        life=programme.life is not None or any(rule.life is not None for rule in programme.rules),
    )


class Registry:
    """Parsed programme versions, found by (id, version) within the caller's transaction. Safe from several threads."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int], Version] = {}
        self._lock = threading.Lock()

    def version(self, connection: sqlite3.Connection, programme_id: str, number: int) -> Version | None:
        """The version that a till names; None when the cloud never had it. A version's text never changes."""
        known = self._known.get((programme_id, number))
        if known is not None:
            return known
        if not 1 <= number <= _LARGEST_VERSION:
            return None
        row = programmes.version(connection, programme_id, number)
        return None if row is None else self._parse(row)

    def active(self, connection: sqlite3.Connection) -> Version | None:
        """The version that the chain sells by; a till in a wave: `of_till`."""
        key = programmes.active_key(connection)
        if key is None:
            return None
        return self.version(connection, *key)

    def of_till(self, connection: sqlite3.Connection, till: str) -> Version | None:
        """The version that this till is to sell by: another one, while a wave has reached it."""
        key = programme_key(connection, till)
        return None if key is None else self.version(connection, *key)

    def _parse(self, row: ProgrammeRow) -> Version:
        try:
            parsed = parse_programme(row.body, suffix=".json")
        except ProgrammeError as error:
            raise StoreFormatError(f"programme {row.programme_id} {row.version} can't be read: {error}") from error
        version = Version(parsed, row.digest, needs_of(parsed))
        with self._lock:
            while len(self._known) >= PROGRAMMES_KEPT:
                self._known.pop(next(iter(self._known)))
            return self._known.setdefault((row.programme_id, row.version), version)


_LARGEST_VERSION = 2**63 - 1


def upload(connection: sqlite3.Connection, programme: Programme, now_ms: int, *, staged: bool = False) -> ProgrammeRow:
    """Add a version and make it the one to sell by, in the caller's transaction; `staged`: a wave will.

    AdminError unless its number is higher than every earlier one of the same programme, and while a wave rolls.
    """
    under_way = waves.open_wave(connection, "programme")
    if under_way is not None and not staged:
        raise AdminError(
            f"expected no wave under way, and programme {under_way.name} {under_way.version} is {under_way.state}: "
            "end it (`cloud wave status`), or add this version with --staged"
        )
    highest = programmes.highest_version(connection, programme.id)
    if programme.version <= highest:
        raise AdminError(
            f"expected a version of {programme.id!r} above {highest}, not {programme.version}: "
            "tills tell versions by their number, so a changed programme needs a new one"
        )
    must_count_as_before(connection, programme)
    text = programme_json(programme)
    position = meta.position(connection)
    row = ProgrammeRow(
        programme_id=programme.id, version=programme.version, digest=digest(text), active=not staged, body=text
    )
    if not staged:
        programmes.deactivate(connection, position + 1)
    programmes.add(connection, row, position + 2, now_ms)
    meta.set_position(connection, position + 2)
    return row

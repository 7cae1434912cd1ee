"""The digest of a stretch of members: the same of the same members at both ends, whatever they are stored as.

Form 1: a line for each member that is not removed, in the order of ids; a line is a JSON array without spaces of
`_line`'s values and a line feed; the last value, of wallet codes, is there only when one was used. The digest is the
SHA-256 of `tillside-members-1`, a line feed, and the lines.
"""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from till_loyalty.limits import period_key
from till_sync.wire import MemberRow, StretchDigest

FORM = 1
"""Which lines: a cloud of another form gives no digest, for two forms would never agree."""

STRETCH_MEMBERS = 4_096
"""Members of one digest: some 50 ms of work at either end."""

PERIODS = ("day", "week", "month", "life")

_encode = msgspec.json.Encoder().encode


def open_keys(now_ms: int) -> tuple[str, ...]:
    """Keys of all periods that are not over in some time zone of the world."""
    today = datetime.fromtimestamp(now_ms / 1000, UTC).date()
    days = [today + timedelta(days=shift) for shift in (-1, 0, 1)]
    return tuple(dict.fromkeys(period_key(per, day) for day in days for per in PERIODS))


def digest_of(rows: Iterable[MemberRow], keys: Sequence[str], *, after: str, last: str) -> StretchDigest:
    """The digest of all members in (`after`, `last`], which come in the order of their ids.

    `keys` are the open periods (`open_keys` of the page's time at both ends): uses of others are told of no more,
    and a row that has not changed since still names them.
    """
    known = frozenset(keys)
    hasher = hashlib.sha256(b"tillside-members-1\n")
    count = 0
    for row in rows:
        if row.status == "removed":
            continue
        hasher.update(_line(row, known))
        count += 1
    return StretchDigest(after=after, last=last, count=count, digest=hasher.hexdigest())


def _line(row: MemberRow, keys: frozenset[str]) -> bytes:
    facts, expiring = row.facts, row.expiring
    used = [(each.rule, each.per, each.key, each.amount, each.uses) for each in facts.usage if each.key in keys]
    codes: tuple[tuple[int, int], ...] = ((facts.wallet.token, facts.wallet.rotating),) if facts.wallet else ()
    values = (
        row.member_id,
        row.status,
        row.tier,
        row.name_masked,
        row.phone_masked,
        row.card_masked,
        row.language,
        sorted(row.tags),
        row.balance,
        row.held,
        row.inactive,
        expiring.points if expiring else 0,
        expiring.at_ms if expiring else 0,
        sorted(facts.segments),
        facts.birthday,
        facts.member_since,
        facts.purchases,
        facts.last_purchase,
        sorted(facts.coupons),
        facts.referral_code,
        sorted(used),
        *codes,
    )
    return _encode(values) + b"\n"

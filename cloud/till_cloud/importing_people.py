"""What a members file says of persons, in a block of its lines: facts, referrers, referral codes and coupons."""

import sqlite3

import msgspec
from msgspec.structs import replace

from till_cloud.csv_members import Candidate, Fault
from till_cloud.ingest.subjects import MEMBER_ID
from till_cloud.referral import new_code
from till_cloud.registry import Registry
from till_cloud.store import facts, jobs, people, tiers, usage
from till_loyalty.tiers import period_of, spending_given


class PeopleOfBlock:
    """Everybody gets a referral code of their own. Coupons of new members are written at the block's end."""

    def __init__(self, connection: sqlite3.Connection, now_ms: int) -> None:
        self._connection = connection
        self._now_ms = now_ms
        self._codes: dict[str, str] = {}
        self._new: set[str] = set()
        self._coupons: list[tuple[str, str]] = []
        self._tiers: list[tuple[str, str]] = []

    def fault(self, candidate: Candidate, target: str) -> Fault | None:
        """What of a line's referrer or code can't be so; `target` is the member that it speaks of, "" for a new one."""
        said = candidate.facts
        if said.referral_code and (self._owner(said.referral_code) or target) != target:
            return Fault(candidate.line, "referral_code", "expected a code that no other member has")
        if said.referrer:
            referrer = self._referrer(said.referrer)
            if not referrer or referrer == target:
                return Fault(candidate.line, "referrer", "expected another member's id or referral code")
        return None

    def row(self, candidate: Candidate, member_id: str) -> tuple[str | int, ...]:
        """The columns of a new member; see `fault` before."""
        said = candidate.facts
        code = said.referral_code or new_code(self._connection, taken=self._codes.keys())
        self._codes[code] = member_id
        self._new.add(member_id)
        self._coupons += [(member_id, coupon) for coupon in said.coupons]
        segments = msgspec.json.encode(said.segments).decode()
        person = (said.birth_date, said.sex, said.member_since, segments, self._referrer(said.referrer), code)
        return (*person, said.purchases, said.last_purchase)

    def fill(self, candidate: Candidate, member_id: str) -> bool:
        """Set what the line says of a member who is there; whether anything changed.

        A referrer stays who it is. Purchases are raised to what the line says and never lowered: those since the
        first import of a file are not in it.
        """
        said = candidate.facts
        known = people.find(self._connection, member_id)
        if known is None:
            return False
        given = [usage.give_coupon(self._connection, member_id, coupon, self._now_ms) for coupon in said.coupons]
        wanted = replace(
            known,
            birth_date=said.birth_date or known.birth_date,
            sex=said.sex or known.sex,
            member_since=said.member_since or known.member_since,
            segments=msgspec.json.encode(said.segments).decode() if said.segments else known.segments,
            referrer=known.referrer or self._referrer(said.referrer),
            referral_code=said.referral_code or known.referral_code,
            purchases=max(known.purchases, said.purchases),
            last_purchase=max(known.last_purchase, said.last_purchase),
        )
        if not wanted.referral_code:
            wanted = replace(wanted, referral_code=new_code(self._connection, taken=self._codes.keys()))
        if wanted != known:
            self._codes[wanted.referral_code] = member_id
            people.write(self._connection, wanted)
        return wanted != known or any(given)

    def tier_given(self, member_id: str, tier: str) -> None:
        """The file says which tier a member is in: it lasts as if it had been reached by spending."""
        self._tiers.append((member_id, tier))

    def write(self) -> None:
        """Rows that need their members to be there."""
        if self._tiers:
            self._count_as_spent()
        for member_id, coupon in self._coupons:
            usage.give_coupon(self._connection, member_id, coupon, self._now_ms)

    def _count_as_spent(self) -> None:
        active = Registry().active(self._connection)
        if active is None:
            return
        programme = active.programme
        least = {each.id: spending_given(programme, each.id) for each in programme.tiers}
        day, _ = jobs.chain_day(self._connection, self._now_ms)
        period = period_of(programme, day)
        given = [(member_id, period, least[tier]) for member_id, tier in self._tiers if least.get(tier)]
        tiers.count_as_spent(self._connection, given)

    def _owner(self, code: str) -> str:
        return self._codes.get(code) or facts.referral_owner(self._connection, code) or ""

    def _referrer(self, said: str) -> str:
        """The member's id; "" when there is none."""
        if not said:
            return ""
        if MEMBER_ID.fullmatch(said):
            known = said in self._new or facts.of_member(self._connection, said) is not None
            return said if known else ""
        return self._owner(said)

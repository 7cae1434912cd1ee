"""A till that sells by all that it pulled: facts, shares, place; and remembers its own sales until they are told of."""

from msgspec.structs import replace

from till_cloud.store import tills
from till_loyalty.engine import calculate
from till_loyalty.limits import budget_used, usage_of
from till_loyalty.programme_document import digest, programme_json
from till_loyalty.receipt import Line, MemberState, Place, Receipt, StoreClock, Usage
from till_loyalty.results import DiscountGiven
from till_sync.ops import OpId, SaleBody, Subject
from till_sync.wire import ChangesAnswer, MemberRow, OpResult
from unit.cloud.cloud_kit import Chain

NOON = StoreClock(local_time="2027-01-15T12:00:00", business_date="2027-01-15")


def on(day: str) -> StoreClock:
    return StoreClock(local_time=f"{day}T12:00:00", business_date=day)


class Desk:
    """One till of a chain, honest unless told otherwise."""

    def __init__(self, chain: Chain, name: str = "k1") -> None:
        self.chain = chain
        self.till = chain.till(name)
        self.rows: dict[str, MemberRow] = {}
        self.shares: dict[str, int] = {}
        self.place: Place | None = None
        self.pending: dict[str, list[Usage]] = {}
        self.bought: dict[str, int] = {}
        self.spent: dict[int, dict[str, int]] = {}
        self.acked = 0

    def pull(self) -> ChangesAnswer:
        """Everything anew; what the page includes of our own sales is pending no more."""
        row = self.chain.centre.read(lambda c: tills.till(c, self.till.name))
        page = self.chain.centre.changes(row, since="", limit=1000)
        self.rows = {each.member_id: each for each in page.rows if isinstance(each, MemberRow)}
        self.shares, self.place = dict(page.shares), page.place
        for seq, used in self.spent.items():
            for rule, amount in used.items():
                if seq > page.acked_seq:
                    self.shares[rule] -= amount
        if page.acked_seq == len(self.till.ops):
            self.pending, self.bought = {}, {}
        return page

    def state(self, member: str) -> MemberState | None:
        if not member:
            return None
        row = self.rows.get(member, MemberRow(member_id=member))
        facts = row.facts
        return MemberState(
            tier=row.tier,
            segments=facts.segments,
            birth_date=facts.birthday,
            member_since=facts.member_since,
            purchases=facts.purchases + self.bought.get(member, 0) if facts.purchases >= 0 else -1,
            last_purchase=facts.last_purchase,
            usage=(*facts.usage, *self.pending.get(member, ())),
            coupons=facts.coupons,
        )

    def sell(
        self,
        uid: str,
        member: str = "",
        *amounts: int,
        codes: tuple[str, ...] = (),
        offline: bool = False,
        clock: StoreClock = NOON,
        at_ms: int | None = None,
        takes: tuple[DiscountGiven, ...] | None = None,
        change=None,
    ) -> OpId:
        """Quote and sell. `takes` None: the cash software takes what the quote hands out. `change`: tampers."""
        rules, state = self.chain.programme, self.state(member)
        receipt = Receipt(
            lines=tuple(
                Line(number=n, sku=f"sku{n}", amount_minor=amount, quantity_thousandths=1000)
                for n, amount in enumerate(amounts or (10_000,), 1)
            )
        )
        asked = {"place": self.place, "codes": codes, "budgets": dict(self.shares), "offline": offline}
        taken = calculate(rules, state, receipt, clock, **asked).discounts if takes is None else takes
        result = calculate(rules, state, receipt, clock, taken=taken, **asked)
        who = Subject(member_id=member)
        had = state.usage if state else ()
        used = usage_of(rules, result, clock.business_date, codes=codes, had=had) if member else ()
        self.till.sold[uid] = (who, result, [])
        body = SaleBody(
            **self.till.common(uid),
            clock=clock,
            subject=who,
            receipt=receipt,
            result=result,
            programme_digest=digest(programme_json(rules)),
            offline=offline,
            facts=state,
            place=self.place,
            codes=codes,
            budgets=dict(self.shares),
            usage=used,
        )
        if at_ms is not None:
            body = replace(body, at_wall_ms=at_ms)
        self.pending.setdefault(member, []).extend(used)
        self.bought[member] = self.bought.get(member, 0) + 1
        self.spent[len(self.till.ops) + 1] = budget_used(result, rules.rules)
        for rule, amount in budget_used(result, rules.rules).items():
            if rule in self.shares:
                self.shares[rule] -= amount
        return self.till.add(body if change is None else change(body))

    def push(self) -> list[OpResult]:
        """Verdicts on what was not pushed yet."""
        first, self.acked = self.acked + 1, len(self.till.ops)
        return list(self.till.push(first).results)

    def sold(self, *wanted: object, **options: object) -> OpResult:
        """Sell and push; the sale's verdict."""
        self.sell(*wanted, **options)
        return self.push()[-1]

    def returned(self, uid: str, sale: str, lines: list[tuple[int, int]] | None = None) -> OpResult:
        self.till.take_return(uid, sale, lines)
        return self.push()[-1]

    def voided(self, sale: str) -> OpResult:
        self.till.void(sale)
        return self.push()[-1]

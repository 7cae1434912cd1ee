"""A chain whose points live for a while: its programme, its clock by days, and its jobs."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from till_cloud.jobs import JobsDone, run_jobs
from till_cloud.verify import verify
from till_loyalty.days import local_day
from till_loyalty.engine import calculate
from till_loyalty.programme import Programme, Rule
from till_loyalty.programme_document import digest, programme_json
from till_loyalty.receipt import Line, MemberState, Receipt, StoreClock
from till_loyalty.returns import reverse
from till_loyalty.rule_parts import Life, Match
from till_sync.ops import OpId, ReturnBody, SaleBody, Subject
from unit.cloud.cloud_kit import Chain, Till, programme

DAY_MS = 86_400_000
ZONE = "Europe/Moscow"


def aged(version: int = 1, **changes: object) -> Programme:
    """10 % that live 30 days; 500 points of each receipt of sweets awake after 3 days and live 10 more."""
    rules = (
        Rule(id="base", percent_basis_points=1000, life=Life(expires_after_days=30)),
        Rule(
            id="sweets",
            points=500,
            match=Match(categories=(("sweets",),)),
            life=Life(activates_after_days=3, expires_after_days=10),
        ),
    )
    return programme(version, **{"rules": rules, "return_grace_days": 5, **changes})


class Shop(Chain):
    """The chain, with a clock that goes by days."""

    def __init__(self, path: Path, **options: object) -> None:
        super().__init__(path, **{"rules": aged(), **options})

    def days(self, count: float) -> None:
        self.wall.ms += int(count * DAY_MS)

    @property
    def today(self) -> str:
        return local_day(self.wall.ms, ZONE).isoformat()

    @property
    def clock(self) -> StoreClock:
        return StoreClock(local_time=f"{self.today}T12:00:00", business_date=self.today)

    def jobs(self, *, to_ms: int | None = None) -> JobsDone:
        return run_jobs(
            lambda block: self.centre.write(block).result(),
            registry=self.centre.registry,
            wall_ms=self.wall,
            to_ms=to_ms,
        )

    def sell(
        self,
        till: Till,
        uid: str,
        member: str,
        amount: int = 10_000,
        *,
        sweets: bool = False,
        redeem: int = 0,
        hold: str = "",
    ) -> OpId:
        """A sale of today, by what the till knows: its own result, which the cloud counts again."""
        line = Line(number=1, sku="a", amount_minor=amount, category=("sweets",) if sweets else ("bread",))
        receipt = Receipt(lines=(line,))
        state = MemberState(spendable_points=redeem)
        result = calculate(self.programme, state, receipt, self.clock, redeem_points=redeem)
        who = Subject(member_id=member)
        till.sold[uid] = (who, result, [])
        return till.add(
            SaleBody(
                **till.common(uid),
                clock=self.clock,
                subject=who,
                receipt=receipt,
                result=result,
                programme_digest=digest(programme_json(self.programme)),
                hold=hold,
            )
        )

    def bring_back(self, till: Till, uid: str, sale: str, seller: Till | None = None, quantity: int = 1000) -> OpId:
        """A return of today of a sale, maybe of another till's."""
        sold_at = seller or till
        who, result, earlier = sold_at.sold[sale]
        what = reverse(result, earlier, [_Wish(number=1, quantity_thousandths=quantity)])
        earlier.append(what)
        sale_op = str(OpId(sold_at.name, sold_at.epoch, 1)) if seller else ""
        common = till.common(uid)
        body = ReturnBody(**common, sale_uid=sale, sale_op=sale_op, subject=who, reversal=what, clock=self.clock)
        return till.add(body)

    def lots(self, member: str = "m-1") -> list[tuple[int, int, int, int, int]]:
        """(issued, left, used, expired, reversed) of each lot."""
        return self.rows(
            "SELECT issued, left, used, expired, reversed FROM lots WHERE member_id = ? ORDER BY lot", member
        )

    def member_row(self, member: str = "m-1"):
        """The row that tills get."""
        from till_cloud.store import members

        found = self.centre.read(lambda c: members.page(c, 0, 1000, ()))
        return next(row for row in found if row.member_id == member)

    def must_hold(self) -> None:
        found = self.centre.read(verify)
        assert found.holds, found.breaches


class _Wish(msgspec.Struct, frozen=True):
    number: int
    quantity_thousandths: int
    amount_minor: int | None = None


@contextmanager
def shop(path: Path, **options: object) -> Iterator[Shop]:
    made = Shop(path, **options)
    try:
        yield made
        made.must_hold()
    finally:
        made.centre.close()

"""A cloud that knows sales of other tills, and counts what comes back of them as the real one does."""

from typing import Any

from msgspec.structs import replace

from fakes.clock import FakeClock
from till_agent.exceptions import CloudUnreachable, SaleRefused
from till_agent.ports import Entry
from till_loyalty.exceptions import ReturnError
from till_loyalty.receipt import Usage
from till_loyalty.results import Calculation
from till_loyalty.returns import reverse
from till_sync.asking import SaleAnswer, SaleChoice, SaleQuestion, SaleReversal
from till_sync.ops import ReturnBody, Subject, decode_body


class FakeSales:
    """Fits `till_agent.ports.SaleGateway`. `silent`: no answer comes in time."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.online = True
        self.silent = False
        self.sales: list[SaleAnswer] = []
        self.asked: list[SaleQuestion] = []
        self.budgets_ms: list[int] = []

    def know(self, uid: str, result: Calculation, *, member: str = "", till: str = "t2", **changes: Any) -> SaleAnswer:
        """A sale of that till came in."""
        usage: tuple[Usage, ...] = changes.pop("usage", ())
        sale = SaleAnswer(
            till=till,
            store="s1",
            sale_uid=uid,
            op=f"{till}:1:{len(self.sales) + 1}",
            number="77",
            date="2026-01-15",
            at_wall_ms=self.clock.wall,
            subject=Subject(member_id=member),
            tier="",
            voided=False,
            result=result,
            reversals=(),
            usage=usage,
            server_time_ms=self.clock.wall,
        )
        self.sales.append(replace(sale, **changes))
        return self.sales[-1]

    def take(self, entry: Entry) -> bool:
        """A till pushed a return: count it, or reject it."""
        body = decode_body(entry.body)
        if not isinstance(body, ReturnBody):
            raise TypeError(entry.kind)
        at = next(at for at, sale in enumerate(self.sales) if sale.op == body.sale_op)
        sale = self.sales[at]
        try:
            counted = reverse(sale.result, [each.reversal for each in sale.reversals], body.reversal.lines)
        except ReturnError:
            return False
        made = SaleReversal(op=str(entry.op_id), kind="return", uid=body.uid, reversal=counted)
        self.sales[at] = replace(sale, reversals=(*sale.reversals, made))
        return True

    async def find(self, question: SaleQuestion, *, budget_ms: int) -> SaleAnswer:
        self.asked.append(question)
        self.budgets_ms.append(budget_ms)
        if self.silent or not self.online:
            raise CloudUnreachable("no answer in time")
        wanted = (question.of_till, question.of_store, question.number, question.date)
        hits = [
            sale
            for sale in self.sales
            if sale.sale_uid == question.sale_uid
            and all(
                wish in ("", have)
                for wish, have in zip(wanted, (sale.till, sale.store, sale.number, sale.date), strict=True)
            )
        ]
        if not hits:
            raise SaleRefused("sale_unknown", "never heard of")
        if len(hits) > 1:
            choices = tuple(
                SaleChoice(
                    till=sale.till,
                    store=sale.store,
                    number=sale.number,
                    date=sale.date,
                    at_wall_ms=sale.at_wall_ms,
                    total_minor=sale.result.total_minor,
                )
                for sale in hits
            )
            raise SaleRefused("sale_ambiguous", "several", choices=choices)
        return hits[0]

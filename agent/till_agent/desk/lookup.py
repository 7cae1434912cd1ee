"""A sale as it stands: its first answer, what came back, and what the cloud said."""

from collections.abc import Sequence
from typing import Literal

import msgspec

from till_agent.api import Sale, SaleView
from till_agent.desk.bench import Bench
from till_agent.desk.elsewhere import Back, own_backs
from till_agent.desk.problems import problem
from till_agent.desk.reversing import SALE, VOID
from till_agent.ports import Entry, JournalReader
from till_loyalty.results import Calculation, Reversal
from till_sync.wire import OpResult

_sale_decoder = msgspec.json.Decoder(Sale)


class Lookup:
    """Reads the journal only."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench

    async def sale(self, uid: str) -> SaleView:
        """The sale that the cash software calls `uid`; DeskProblem `sale_unknown`."""

        def query(reader: JournalReader) -> tuple[Entry, list[Back], OpResult | None] | None:
            entry = reader.find(SALE, uid)
            if entry is None:
                return None
            return entry, own_backs(reader, uid, str(entry.op_id)), reader.verdict(entry.op_id)

        found = await self._bench.read(query)
        if found is None:
            raise problem("sale_unknown", f"expected a sale of this till, not {uid!r}")
        entry, backs, verdict = found
        sale = _sale_decoder.decode(entry.answer)
        reversals = tuple([back.reversal for back in backs])
        voided = any(back.kind == VOID for back in backs)
        return SaleView(
            sale=sale,
            state="voided" if voided else state_of(sale.calculation, reversals),
            sync=sync_of(verdict),
            sync_code=verdict.code if verdict else "",
            returned=reversals,
            slip=self._bench.parts.slips.state(SALE, uid),
        )

    async def entry(self, kind: str, uid: str) -> Entry:
        """The journal's row of a sale, void or return, for its slip; DeskProblem `sale_unknown`."""
        entry = await self._bench.read(lambda reader: reader.find(kind, uid))
        if entry is None:
            raise problem("sale_unknown", f"expected a {kind} of this till, not {uid!r}")
        return entry


def state_of(sale: Calculation, reversals: Sequence[Reversal]) -> Literal["committed", "returned_in_part", "returned"]:
    """Of a sale that was not voided, after these returns."""
    if not reversals:
        return "committed"
    quantity = sum(line.quantity_thousandths for line in sale.lines)
    amount = sale.total_minor
    for reversal in reversals:
        quantity -= sum(row.quantity_thousandths for row in reversal.lines)
        amount -= sum(row.amount_minor for row in reversal.lines)
    return "returned_in_part" if quantity or amount else "returned"


def sync_of(verdict: OpResult | None) -> Literal["waiting", "applied", "adjusted", "rejected"]:
    """`duplicate` is what a retry of an applied op hears."""
    if verdict is None:
        return "waiting"
    return "applied" if verdict.status == "duplicate" else verdict.status

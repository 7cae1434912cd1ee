"""What becomes of each document: found in the journal, listed for a person, or journalled from the report.

A document is written down as `accruing` before the desk is called: whatever ends the agent after that, the next start
calls the desk again with the same request under the same uid, and the journal has it once.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from till_agent.frontol.naming import document_uid
from till_agent.frontol_files.accruing import Accruer, Outcome, TryLater
from till_agent.frontol_files.documents import Document
from till_agent.frontol_files.journal_index import JournalIndex, bare_number
from till_agent.frontol_files.matching import SAME_NUMBER, Match, differences, match, sold_twice
from till_agent.frontol_files.records import DocumentRecord, SoldRecord
from till_agent.frontol_files.store import Store, document_of
from till_agent.journal import DiskJournal

log = logging.getLogger(__name__)

AT_ONCE = 100
"""Documents judged in one transaction; some 20 ms of the thread that does it."""
OLDEST_DAYS = 31
"""Older sales are listed, never accrued by themselves: a file from an archive must not earn points."""
LOOKED_AT_ANEW = frozenset(
    ("unseen_sale", "unseen_return", "points_spent", "too_old", "card_unknown", "several_members", "refused")
)
"""Findings of documents that the journal had nothing of: the bridge's own sale or return may be it."""
SINCE = "since"


class Decision(NamedTuple):
    """What becomes of a document, as `Store.settle` takes it."""

    state: str
    finding: str = ""
    sale_uid: str = ""
    detail: str = ""


class Judge:
    """Used on the loop; the store is asked in a thread."""

    def __init__(
        self,
        store: Store,
        index: JournalIndex,
        *,
        journal: DiskJournal,
        accruer: Accruer,
        committed: Callable[[], None],
        wall_ms: Callable[[], int],
        local_now: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._index = index
        self._journal = journal
        self._accruer = accruer
        self._committed = committed
        self._wall_ms = wall_ms
        self._local_now = local_now

    async def catch_up(self) -> None:
        """Know all that the journal has; withdraw what was accrued of sales that the bridge brought after all."""
        while (fresh := await self._index.read_on(self._journal)) is not None:
            for sold in fresh.sold:
                await self._met(sold)
            await self._index.done(fresh)
        if not await asyncio.to_thread(self._store.meta, SINCE):
            await asyncio.to_thread(self._note_first_day)

    async def judge(self, since: Callable[[str], str]) -> int:
        """Judge what is ready, at most AT_ONCE; how many were. `since`: of a report's path, the first day that counts.

        What needs the desk is done when all before it is written down. TryLater when the journal takes nothing now.
        """
        count, to_do = await asyncio.to_thread(self._judge_batch, since)
        if to_do is not None:
            await self._accrue(to_do, document_of(to_do), to_do.finding)
        return count

    def _judge_batch(self, since: Callable[[str], str]) -> tuple[int, DocumentRecord | None]:
        """Write down what becomes of the next documents, all at once, up to one that the desk must be called for."""
        ready = self._store.ready(self._wall_ms(), AT_ONCE)
        first_day = self._store.meta(SINCE)
        with self._store.writing():
            for count, record in enumerate(ready, 1):
                if record.state == "accruing":
                    said = self._of_own(record)
                else:
                    said = self._decide(record, since(record.path) or first_day)
                if said is not None:
                    self._store.settle(
                        record,
                        said.state,
                        finding=said.finding,
                        sale_uid=said.sale_uid,
                        detail=said.detail,
                        now_ms=self._wall_ms(),
                    )
                    if said.state != "accruing":
                        continue
                return count, self._again(record.id)
        return len(ready), None

    def _of_own(self, record: DocumentRecord) -> Decision | None:
        """Of a sale that is about to be journalled: the bridge's own that came meanwhile; None where none did, or where
        the journal has ours already."""
        if record.kind != "sale" or self._store.sold("kind = 'sale' AND uid = ?", (record.uid,)):
            return None
        return self._of_match(document_of(record), match(self._store, record, document_of(record)))

    async def accept(self, record: DocumentRecord) -> DocumentRecord:
        """Journal a finding, as a person has decided; not if the bridge has brought its sale meanwhile."""
        document = document_of(record)
        own = await asyncio.to_thread(self._of_own, record)
        if own is not None:
            await self._settle(record, own.state, finding=own.finding, sale_uid=own.sale_uid, detail=own.detail)
            return await asyncio.to_thread(self._again, record.id)
        await self._settle(record, "accruing", finding=record.finding, sale_uid=record.sale_uid)
        return await self._accrue(record, document, record.finding)

    async def dismiss(self, record: DocumentRecord) -> DocumentRecord:
        """A person has seen it, and nothing is to be done."""
        await self._settle(record, "dismissed", finding=record.finding, sale_uid=record.sale_uid, detail=record.detail)
        return await asyncio.to_thread(self._again, record.id)

    def _decide(self, record: DocumentRecord, first_day: str) -> Decision:
        """What becomes of a document: `accruing` is for the desk."""
        document = document_of(record)
        if document.local_time[:10] < first_day:
            return Decision("ignored", detail="before")
        found = match(self._store, record, document)
        if document.kind == "cancel":
            return Decision("ignored", detail="cancelled") if self._sold_after(record) else _of_cancel(record, found)
        if (said := self._of_match(document, found)) is not None:
            return said
        if not document.references and not document.unnamed:
            return Decision("ignored", detail="nobody")
        finding = "unseen_return" if document.kind == "return" else "unseen_sale"
        base = self._base_of(document) if document.kind == "return" else ""
        hindrance = self._hindrance(document, base)
        if hindrance or record.policy != "accrue":
            return Decision("found", hindrance or finding, base)
        return Decision("accruing", finding, base)

    def _of_match(self, document: Document, found: Match | None) -> Decision | None:
        """What becomes of a document that the journal has; None when it has not."""
        if found is None:
            return None
        if document.kind == "sale" and (twin := sold_twice(self._store, document, found.sold)) is not None:
            return Decision("found", "counted_twice", found.sold.uid, twin.uid)
        if said := differences(document, found):
            return Decision("found", "differs", found.sold.uid, "; ".join(said))
        return Decision("matched", sale_uid=found.sold.uid, detail=found.how)

    def _sold_after(self, record: DocumentRecord) -> bool:
        """Whether a document that was not cancelled had the number of this one: the journal's sale is of that."""
        at = datetime.fromisoformat(record.local_time)
        return any(
            each.kind == "sale"
            and (each.database, each.till) == (record.database, record.till)
            and abs(datetime.fromisoformat(each.local_time) - at) <= SAME_NUMBER
            for each in self._store.of_sale(record.number, record.shift)
        )

    def _hindrance(self, document: Document, base: str) -> str:
        """Why it is for a person to decide; "" when it is not."""
        if document.unnamed and not document.references:
            # Beside a member's card another one, of a partner or of the staff, is no doubt whose the receipt is.
            return "card_unknown"
        if len({*document.references}) > 1:
            return "several_members"
        if document.doubts or not document.lines:
            return document.doubts[0] if document.doubts else "no_lines"
        if document.kind == "return":
            return "" if base else "return_without_sale"
        if document.bonus_minor:
            return "points_spent"
        try:
            age = self._local_now() - datetime.fromisoformat(document.local_time)
        except ValueError:
            return "too_old"
        return "too_old" if age.days >= OLDEST_DAYS else ""

    def _base_of(self, document: Document) -> str:
        """Uid of the sale that goods came back of; "" when the report does not say."""
        if document.base_uid:
            return document.base_uid
        if not document.base:
            return ""
        parts = [bare_number(part) for part in document.base.split("/")]
        if len(parts) == 3:
            known = self._store.by_uid(document_uid(*parts))
            return (known[0].sale_uid if known else "") or document_uid(*parts)
        # A bare number: the newest sale of it before the goods came back, in reports or in the journal.
        reported = [
            each
            for each in self._store.of_number(document.database, document.till, parts[0], document.local_time)
            if each.sale_uid
        ]
        if reported:
            return reported[0].sale_uid
        found = self._store.sold(
            "kind = 'sale' AND number = ? AND voided = 0 AND local_time <= ? ORDER BY local_time DESC LIMIT 1",
            (parts[0], document.local_time),
        )
        return found[0].uid if found else ""

    async def _accrue(
        self, record: DocumentRecord, document: Document, finding: str, sale_uid: str = ""
    ) -> DocumentRecord:
        """`record` stands as `accruing` already."""
        named = sale_uid or record.sale_uid
        outcome = await self._do(document, named)
        self._committed()
        # What a person must know stays with it: why it was found, or why it could not be done.
        why = outcome.finding or finding
        await self._settle(
            record,
            outcome.state,
            finding="" if outcome.state == "matched" else why,
            sale_uid=outcome.sale_uid or named,
            detail=outcome.detail,
            points=outcome.points,
        )
        if outcome.state == "accrued" and document.kind == "sale":
            found = await asyncio.to_thread(match, self._store, record, document)
            if found is not None:
                # It came while ours was under way, and nobody will meet it again.
                await self._withdraw(record, found.sold)
        return await asyncio.to_thread(self._again, record.id)

    async def _do(self, document: Document, sale_uid: str) -> Outcome:
        if document.kind == "cancel":
            return await self._accruer.void(sale_uid)
        if document.kind == "return":
            return await self._accruer.give_back(document, sale_uid)
        return await self._accruer.sale(document)

    async def _met(self, sold: SoldRecord) -> None:
        """A sale or return came into the journal: is it one that was accrued or listed already?"""
        for record in await asyncio.to_thread(self._same_document, sold):
            if record.state == "found" and record.finding in LOOKED_AT_ANEW:
                await self._settle(record, "waiting")
            elif record.state == "accrued" and sold.uid not in (record.uid, record.sale_uid) and record.kind == "sale":
                await self._withdraw(record, sold)

    async def _withdraw(self, record: DocumentRecord, sold: SoldRecord) -> None:
        """The bridge's own sale is the truth: what the report earned goes back. Of another sum it need not be the same
        receipt: then a person says which of the two counts, as where the bridge's own came first."""
        document = document_of(record)
        if document.goods_minor != sold.goods_minor:
            said = "; ".join([*differences(document, Match(sold, "number")), f"both are in the journal: {record.uid}"])
            log.warning("a sale of a report came through the bridge later with another sum: %s", said)
            await self._settle(record, "found", finding="differs", sale_uid=sold.uid, detail=said)
            return
        try:
            outcome = await self._accruer.void(record.uid)
        except TryLater:
            await self._settle(
                record, "found", finding="counted_twice", sale_uid=sold.uid, detail="journal_unavailable"
            )
            return
        if outcome.state == "found":
            log.warning("a sale of a report came through the bridge later, and can't be voided: %s", outcome.detail)
            await self._settle(record, "found", finding="counted_twice", sale_uid=sold.uid, detail=outcome.detail)
            return
        self._committed()
        said = "; ".join(differences(document, Match(sold, "number")))
        if said:
            log.warning("a sale of a report came through the bridge later with other figures: %s", said)
        finding = "differs" if said else record.finding
        await self._settle(record, "withdrawn", finding=finding, sale_uid=sold.uid, detail=said, points=outcome.points)

    def _same_document(self, sold: SoldRecord) -> list[DocumentRecord]:
        kind = "return" if sold.kind == "return" else "sale"
        found = {each.id: each for each in self._store.by_uid(sold.uid)}
        if sold.number and sold.shift:
            found |= {each.id: each for each in self._store.of_sale(sold.number, sold.shift)}
        try:
            at = datetime.fromisoformat(sold.local_time)
            return [
                each
                for each in found.values()
                if each.kind == kind and abs(datetime.fromisoformat(each.local_time) - at) <= SAME_NUMBER
            ]
        except ValueError:
            return []

    def _note_first_day(self) -> None:
        """From which day on sales should be in the journal: that of its first sale, or today."""
        first = self._store.query("SELECT min(local_time) FROM sold WHERE kind = 'sale'")[0][0]
        self._store.put_meta(SINCE, str(first or self._local_now().isoformat())[:10])

    def _again(self, identity: int) -> DocumentRecord:
        found = self._store.document(identity)
        if found is None:
            raise LookupError(f"expected document {identity}, which was there")
        return found

    async def _settle(
        self, record: DocumentRecord, state: str, *, finding: str = "", sale_uid: str = "", detail: str = "",
        points: int = 0,
    ) -> None:  # fmt: skip
        await asyncio.to_thread(
            self._store.settle, record, state, finding=finding, sale_uid=sale_uid, detail=detail, points=points,
            now_ms=self._wall_ms(),
        )  # fmt: skip


def _of_cancel(record: DocumentRecord, found: Match | None) -> Decision:
    """A cancelled document should not be in the journal; what fits it by its amount alone is another one."""
    if found is None or found.sold.voided or found.how == "amount":
        return Decision("matched" if found else "ignored", detail="cancelled")
    return Decision("accruing" if record.policy == "accrue" else "found", "cancelled_sold", found.sold.uid)

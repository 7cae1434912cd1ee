"""What becomes of each document: found in the journal, listed for a person, or journalled from the report.

A document is written down as `accruing` before the desk is called: whatever ends the agent after that, the next start
calls the desk again with the same request under the same uid, and the journal has it once.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime

from till_agent.frontol.naming import document_uid
from till_agent.frontol_files.accruing import Accruer, Outcome, TryLater
from till_agent.frontol_files.documents import Document
from till_agent.frontol_files.journal_index import JournalIndex, bare_number
from till_agent.frontol_files.matching import SAME_NUMBER, Match, differences, match
from till_agent.frontol_files.records import DocumentRecord, SoldRecord
from till_agent.frontol_files.store import Store, document_of
from till_agent.journal import DiskJournal

log = logging.getLogger(__name__)

AT_ONCE = 20
"""Documents judged between two pauses; each that is accrued waits for the disk as a sale does."""
OLDEST_DAYS = 31
"""Older sales are listed, never accrued by themselves: a file from an archive must not earn points."""
SINCE = "since"


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

        TryLater when the journal takes nothing now.
        """
        ready = await asyncio.to_thread(self._store.ready, self._wall_ms(), AT_ONCE)
        for record in ready:
            await self._judge(record, since(record.path))
        return len(ready)

    async def accept(self, record: DocumentRecord) -> DocumentRecord:
        """Journal a finding, as a person has decided."""
        document = document_of(record)
        await self._settle(record, "accruing", finding=record.finding, sale_uid=record.sale_uid)
        return await self._accrue(record, document, record.finding)

    async def dismiss(self, record: DocumentRecord) -> DocumentRecord:
        """A person has seen it, and nothing is to be done."""
        await self._settle(record, "dismissed", finding=record.finding, sale_uid=record.sale_uid, detail=record.detail)
        return await asyncio.to_thread(self._again, record.id)

    async def _judge(self, record: DocumentRecord, since: str) -> None:
        document = document_of(record)
        if record.state == "accruing":
            await self._accrue(record, document, record.finding)
            return
        first_day = since or await asyncio.to_thread(self._store.meta, SINCE)
        if document.local_time[:10] < first_day:
            await self._settle(record, "ignored", detail="before")
            return
        found = await asyncio.to_thread(match, self._store, record, document)
        if document.kind == "cancel":
            await self._cancelled(record, document, found)
        elif found is not None:
            said = differences(document, found)
            state, finding = ("found", "differs") if said else ("matched", "")
            detail = "; ".join(said) or found.how
            await self._settle(record, state, finding=finding, sale_uid=found.sold.uid, detail=detail)
        elif not document.references and not document.unnamed:
            await self._settle(record, "ignored", detail="nobody")
        else:
            await self._unseen(record, document)

    async def _cancelled(self, record: DocumentRecord, document: Document, found: Match | None) -> None:
        if found is None or found.sold.voided or found.how == "amount":
            await self._settle(record, "matched" if found else "ignored", detail="cancelled")
            return
        named = found.sold.uid
        if record.policy != "accrue":
            await self._settle(record, "found", finding="cancelled_sold", sale_uid=named)
            return
        await self._settle(record, "accruing", finding="cancelled_sold", sale_uid=named)
        await self._accrue(record, document, "cancelled_sold", named)

    async def _unseen(self, record: DocumentRecord, document: Document) -> None:
        finding = "unseen_return" if document.kind == "return" else "unseen_sale"
        base = await asyncio.to_thread(self._base_of, document) if document.kind == "return" else ""
        hindrance = self._hindrance(document, base)
        if hindrance or record.policy != "accrue":
            await self._settle(record, "found", finding=hindrance or finding, sale_uid=base)
            return
        await self._settle(record, "accruing", finding=finding, sale_uid=base)
        await self._accrue(record, document, finding, base)

    def _hindrance(self, document: Document, base: str) -> str:
        """Why it is for a person to decide; "" when it is not."""
        if document.unnamed:
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
            if record.state == "found" and record.finding in ("unseen_sale", "unseen_return"):
                await self._settle(record, "matched", sale_uid=sold.uid, detail="later")
            elif record.state == "accrued" and sold.uid not in (record.uid, record.sale_uid) and record.kind == "sale":
                await self._withdraw(record, sold)

    async def _withdraw(self, record: DocumentRecord, sold: SoldRecord) -> None:
        """The bridge's own sale is the truth: what the report earned goes back."""
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
        await self._settle(record, "withdrawn", finding=record.finding, sale_uid=sold.uid, points=outcome.points)

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

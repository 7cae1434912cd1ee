"""The journal as a list of operations, for the bridge and the command line."""

from till_agent.api import QueuedOp
from till_agent.journal import DiskJournal
from till_sync.ops import OpId


class Queue:
    """Implements `till_agent.bridge.context.QueueCalls`."""

    def __init__(self, journal: DiskJournal, till: str) -> None:
        self._journal = journal
        self._till = till

    async def listed(self, *, waiting_only: bool, limit: int, verdict: str = "") -> tuple[int, tuple[QueuedOp, ...]]:
        """See `till_agent.bridge.context.QueueCalls`."""
        figures = self._journal.figures
        if verdict:
            return figures.waiting, tuple(await self._journal.list_rejected(limit, verdict))
        if waiting_only:
            return figures.waiting, tuple(await self._journal.list_ops(limit=limit))
        after = OpId(self._till, figures.epoch, max(0, figures.last_seq - limit))
        newest = await self._journal.list_ops(after=after, waiting_only=False, limit=limit)
        return figures.waiting, tuple(reversed(newest))

    async def one(self, seq: int, epoch: int | None) -> tuple[QueuedOp, bytes] | None:
        """See `till_agent.bridge.context.QueueCalls`."""
        figures = self._journal.figures
        found = await self._journal.show(OpId(self._till, epoch or figures.epoch, seq))
        if found is None:
            return None
        entry, verdict = found
        waits = entry.op_id.epoch == figures.epoch and seq > figures.acked_seq
        shown = QueuedOp(
            op=str(entry.op_id),
            kind=entry.kind,
            uid=entry.uid,
            at_wall_ms=entry.at_wall_ms,
            status=verdict.status if verdict else "waiting" if waits else "acknowledged",
            code=verdict.code if verdict else "",
            bytes=len(entry.body),
        )
        return shown, entry.body

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
            return figures.waiting, tuple(await self._journal.list_ops(limit))
        return figures.waiting, tuple(await self._journal.list_newest(limit))

    async def one(self, seq: int, epoch: int | None) -> tuple[QueuedOp, bytes] | None:
        """See `till_agent.bridge.context.QueueCalls`."""
        return await self._journal.show(OpId(self._till, epoch or self._journal.figures.epoch, seq))

"""Durable memory of the holds that this till asked for, with a mirror for reads on the loop."""

from collections.abc import Iterable

from till_agent.journal.session import RELEASE_KIND, Session
from till_agent.journal.writer import Writer
from till_agent.ports import Draft, StoredHold
from till_sync.asking import HoldAnswer, HoldRequest
from till_sync.ports import Clock

RESOLVED_LIMIT = 1_000
"""Resolved holds that `get` still knows, so that a late call hears `used` rather than `unknown`; a day's worth."""

_OPEN = ("asked", "granted")


class DiskHoldStore:
    """Implements `till_agent.ports.HoldStore`; holds are rows of the journal's file. Used on the loop.

    An awaited call is durable when it returns. A hold is resolved by the op that names it (`Draft.hold`), in that op's
    own transaction. Raises what the journal raises, and HoldNotOpen for a grant of a hold nobody remembered.
    """

    def __init__(self, writer: Writer, clock: Clock) -> None:
        self._writer = writer
        self._clock = clock
        self._open: dict[str, StoredHold] = {}
        self._resolved: dict[str, StoredHold] = {}

    async def remember(self, request: HoldRequest, deadline_mono_ms: int) -> None:
        """Before asking: a hold whose answer is lost can then be released."""
        boot = self._clock.boot

        def run(session: Session) -> StoredHold:
            return session.remember_hold(request, deadline_mono_ms, boot)

        await self._writer.submit(run, writes=True, after=self.note)

    async def granted(self, answer: HoldAnswer, deadline_mono_ms: int) -> None:
        """The cloud reserved `answer.points`."""
        boot = self._clock.boot

        def run(session: Session) -> StoredHold:
            return session.grant_hold(answer.hold, answer.points, deadline_mono_ms, boot)

        await self._writer.submit(run, writes=True, after=self.note)

    async def own(self, request: HoldRequest, deadline_mono_ms: int) -> None:
        """The till gives itself a hold, of what it was granted."""
        boot = self._clock.boot

        def run(session: Session) -> StoredHold:
            session.remember_hold(request, deadline_mono_ms, boot)
            return session.grant_hold(request.hold, request.points, deadline_mono_ms, boot)

        await self._writer.submit(run, writes=True, after=self.note)

    async def refused(self, hold: str) -> None:
        """The cloud said no, or never heard of it: nothing is reserved there, so no release need be sent."""
        await self._writer.submit(lambda session: session.refuse_hold(hold), writes=True, after=self.note)

    def get(self, hold: str) -> StoredHold | None:
        """A hold as this till knows it; None for one that was never asked for, or was resolved long ago."""
        return self._open.get(hold) or self._resolved.get(hold)

    def for_member(self, member_id: str) -> int:
        """Points in own open holds of a member."""
        return sum(stored.points for stored in self._open.values() if stored.member_id == member_id)

    def unresolved(self) -> list[StoredHold]:
        """Asked and granted ones, oldest first, from before a restart too."""
        return list(self._open.values())

    async def of_voucher(self, voucher: str) -> list[StoredHold]:
        """Every hold ever made for a voucher, from the file: the mirror forgets resolved ones."""
        return await self._writer.submit(
            lambda session: session.holds_between(f"{voucher}.", f"{voucher}/"), writes=False
        )

    def note(self, stored: StoredHold) -> None:
        """Keep the mirror as the file is; called on the loop after a commit."""
        if stored.state in _OPEN:
            self._open[stored.hold] = stored
            return
        self._open.pop(stored.hold, None)
        self._resolved[stored.hold] = stored
        while len(self._resolved) > RESOLVED_LIMIT:
            del self._resolved[next(iter(self._resolved))]

    def resolved_by(self, draft: Draft) -> None:
        """An op that names a hold was committed."""
        stored = self._open.get(draft.hold)
        if stored is not None:
            state = "released" if draft.kind == RELEASE_KIND else "used"
            self.note(
                StoredHold(
                    hold=stored.hold,
                    sale_uid=stored.sale_uid,
                    member_id=stored.member_id,
                    points=stored.points,
                    state=state,
                    deadline_mono_ms=stored.deadline_mono_ms,
                    boot=stored.boot,
                )
            )

    def load(self, holds: Iterable[StoredHold]) -> None:
        """Take the open holds as the file has them, after it was opened."""
        self._open = {stored.hold: stored for stored in holds}

"""Holds in memory, and a cloud that reserves as it is told to."""

from collections.abc import Callable

from msgspec.structs import replace

from fakes.clock import FakeClock
from till_agent.exceptions import CloudUnreachable, HoldRefused, JournalUnavailable
from till_agent.journal.exceptions import HoldNotOpen
from till_agent.ports import Draft, StoredHold
from till_sync.asking import HoldAnswer, HoldRequest
from till_sync.ops import cover_of


class FakeHoldStore:
    """Fits `till_agent.ports.HoldStore`; a hold asked again keeps its first row, a resolved one never opens again."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.holds: dict[str, StoredHold] = {}
        self.broken = False

    async def remember(self, request: HoldRequest, deadline_mono_ms: int) -> None:
        self._check_disk()
        asked = StoredHold(
            hold=request.hold,
            sale_uid=request.sale_uid,
            member_id=request.member_id,
            points=request.points,
            state="asked",
            deadline_mono_ms=deadline_mono_ms,
            boot=self.clock.boot,
        )
        self.holds.setdefault(request.hold, asked)

    async def granted(self, answer: HoldAnswer, deadline_mono_ms: int) -> None:
        self._check_disk()
        self._change(answer.hold, "granted", points=answer.points, deadline_mono_ms=deadline_mono_ms)

    async def own(self, request: HoldRequest, deadline_mono_ms: int) -> None:
        await self.remember(request, deadline_mono_ms)
        self._change(request.hold, "granted", points=request.points, deadline_mono_ms=deadline_mono_ms)

    async def refused(self, hold: str) -> None:
        self._check_disk()
        self._change(hold, "released")

    def get(self, hold: str) -> StoredHold | None:
        return self.holds.get(hold)

    def for_member(self, member_id: str) -> int:
        return sum(stored.points for stored in self.unresolved() if stored.member_id == member_id)

    def unresolved(self) -> list[StoredHold]:
        return [stored for stored in self.holds.values() if stored.state in ("asked", "granted")]

    async def of_voucher(self, voucher: str) -> list[StoredHold]:
        self._check_disk()
        return [stored for stored in self.holds.values() if stored.hold.startswith(f"{voucher}.")]

    def resolve(self, draft: Draft) -> None:
        """As the journal does in the op's own transaction."""
        release = draft.kind == "hold-release"
        stored = self.holds.get(draft.hold)
        fitting = ("asked", "granted") if release else ("granted",)
        if stored is not None and cover_of(stored.hold) and stored.state not in fitting:
            raise HoldNotOpen(draft.hold, stored.state)
        if stored is None or stored.state not in fitting:
            raise AssertionError(f"an op names the hold {draft.hold}, which is {stored and stored.state}")
        self._change(draft.hold, "released" if release else "used")

    def _change(self, hold: str, state: str, **changes: int) -> None:
        stored = self.holds[hold]
        if stored.state in ("asked", "granted"):
            self.holds[hold] = replace(stored, state=state, **changes)

    def _check_disk(self) -> None:
        if self.broken:
            raise JournalUnavailable("the fake disk is full")


class FakeHoldGateway:
    """Fits `till_agent.ports.HoldGateway`. `points` is what each member may have reserved in all, by member id."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.online = True
        self.points: dict[str, int] = {}
        self.reserved: dict[str, HoldRequest] = {}
        self.asked: list[HoldRequest] = []
        self.budgets_ms: list[int] = []
        self.refusal: HoldRefused | None = None
        self.lose_request = False
        self.lose_answer = False
        self.before_answer: Callable[[HoldRequest], None] = lambda _request: None

    async def reserve(self, request: HoldRequest, *, budget_ms: int) -> HoldAnswer:
        self.asked.append(request)
        self.budgets_ms.append(budget_ms)
        self.before_answer(request)
        if self.lose_request or not self.online:
            raise CloudUnreachable("no answer in time")
        if self.refusal is not None:
            raise self.refusal
        request = self.reserved.get(request.hold, request)
        taken = sum(each.points for each in self.reserved.values() if each.member_id == request.member_id)
        if request.hold not in self.reserved:
            left = self.points.get(request.member_id, 0) - taken
            if request.points > left:
                raise HoldRefused("insufficient_points", "not enough", available_points=left)
            self.reserved[request.hold] = request
        if self.lose_answer:
            raise CloudUnreachable("the answer was lost")
        now = self.clock.wall_ms()
        return HoldAnswer(
            hold=request.hold,
            points=request.points,
            expires_at_ms=now + request.ttl_ms,
            server_time_ms=now,
            balance=self.points.get(request.member_id, 0),
            held=taken,
            position=1,
        )

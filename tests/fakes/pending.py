"""Effects of own ops, in a dict, and what they changed of facts."""

from till_agent.journal.changes import pack_change
from till_agent.journal.schema import row_id
from till_agent.own_facts import OwnFacts
from till_agent.ports import OfflineSpent, PendingFacts
from till_sync.ops import OpId, Subject


class FakePending:
    """Fits `till_agent.ports.PendingBalances`; an op that is added twice counts once."""

    def __init__(self) -> None:
        self.effects: dict[OpId, tuple[str, int]] = {}
        self.changes = OwnFacts()

    def add(self, subject: Subject, op_id: OpId, effect_points: int) -> None:
        self.effects[op_id] = (subject.key, effect_points)

    def add_body(self, subject: Subject, op_id: OpId, kind: str, body: bytes) -> None:
        """What an op changed of facts."""
        self.changes.add_row(row_id(op_id.epoch, op_id.seq), subject.key, pack_change(kind, body))

    def effect(self, keys: tuple[str, ...], included: tuple[int, int]) -> int:
        return sum(
            points for op, (key, points) in self.effects.items() if key in keys and (op.epoch, op.seq) > included
        )

    def facts(self, keys: tuple[str, ...], included: tuple[int, int]) -> PendingFacts:
        return self.changes.of(keys, included)

    def given(self, rule: str, included: tuple[int, int]) -> int:
        return self.changes.given(rule, included)

    def offline_spent(self, member_id: str, included: tuple[int, int]) -> OfflineSpent:
        return self.changes.offline_spent(member_id, included)

    @property
    def floor_points(self) -> int:
        return self.changes.floor_points

    def code_uses(self, coupon: str, code: str) -> int:
        return self.changes.code_uses(coupon, code)

"""Effects of own ops, in a dict."""

from till_sync.ops import OpId, Subject


class FakePending:
    """Fits `till_agent.ports.PendingBalances`; an op that is added twice counts once."""

    def __init__(self) -> None:
        self.effects: dict[OpId, tuple[str, int]] = {}

    def add(self, subject: Subject, op_id: OpId, effect_points: int) -> None:
        self.effects[op_id] = (subject.key, effect_points)

    def effect(self, keys: tuple[str, ...], included: tuple[int, int]) -> int:
        return sum(
            points for op, (key, points) in self.effects.items() if key in keys and (op.epoch, op.seq) > included
        )

"""A slip desk that only remembers what it was given."""

from till_agent.api import SlipState
from till_agent.ports import Entry


class FakeSlipDesk:
    """Fits `till_agent.ports.SlipDesk`."""

    def __init__(self) -> None:
        self.enqueued: list[tuple[str, str, str, bool]] = []

    def enqueue(self, entry: Entry, *, language: str, copy: bool = False) -> SlipState:
        self.enqueued.append((entry.kind, entry.uid, language, copy))
        return SlipState(state="queued", printer="fake")

    def state(self, kind: str, uid: str) -> SlipState:
        known = any((each[0], each[1]) == (kind, uid) for each in self.enqueued)
        return SlipState(state="queued", printer="fake") if known else SlipState(state="none")

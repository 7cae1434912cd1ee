"""Answers about one member and pages about all cross on the line: neither may undo what the other has told already."""

import msgspec

from till_sync.asking import MemberAnswer
from till_sync.wire import ChangesAnswer, LeftRow, MemberRow

GONE_KEPT = 1_000
"""Members who went with the newest pages: an answer is a second late, and not a day."""


class Crossing:
    """Used on the loop, by the cache."""

    def __init__(self) -> None:
        self._gone: dict[str, int] = {}
        self._is_met = False

    def asked(self) -> None:
        """A page with a digest is about to be asked for."""
        self._is_met = False

    def takes(self, answer: MemberAnswer) -> bool:
        """Whether an answer names somebody of whom no page has said since that they went."""
        if answer.member is None or answer.server_time_ms <= self._gone.get(answer.member.member_id, -1):
            return False
        self._is_met = True
        return True

    def brought(self, page: ChangesAnswer) -> ChangesAnswer:
        """Note who went with a page; gives what may be stored and compared of it.

        A digest that was made before somebody was asked for lacks them: it would be taken for members that have come
        apart. That stretch's turn comes again.
        """
        for row in page.rows:
            if isinstance(row, LeftRow) or (isinstance(row, MemberRow) and row.status == "removed"):
                self._gone.pop(row.member_id, None)
                self._gone[row.member_id] = page.server_time_ms
        while len(self._gone) > GONE_KEPT:
            del self._gone[next(iter(self._gone))]
        return msgspec.structs.replace(page, stretch=None) if self._is_met else page

"""Errors of the journal. Those that the desk must know are in `till_agent.exceptions`; these say more. Where cloud and
journal disagree about the past, it is `till_sync.exceptions.HistoryConflict`.

AgentError
├── JournalUnavailable
│   ├── JournalBusy        more waits for the disk than the queue holds
│   ├── JournalInUse       another process has the file open
│   └── JournalTooNew      the file was written by a later version
├── JournalCorrupt
│   └── IndexDamaged       rows are whole, an index on them is not: it can be made anew
├── UidForgotten           a document of that uid was here, so long ago that its row was let go of
└── HoldNotOpen            the hold that an op names is spent, given back, or unknown
DamagedError               never leaves this package: opening answers it by moving the file aside
"""

# ruff: noqa: N818 - named as conditions, like those of `till_agent.exceptions`

from till_agent.exceptions import AgentError, JournalCorrupt, JournalUnavailable


class JournalBusy(JournalUnavailable):
    """Raised when the writer's queue is full; nothing was written, the same call may succeed a moment later."""


class JournalInUse(JournalUnavailable):
    """Raised when another process, most likely a second agent, has the journal open."""


class JournalTooNew(JournalUnavailable):
    """Raised when the file's schema is newer than this program; it is good, so it is left where it is."""


class IndexDamaged(JournalCorrupt):
    """Raised when an index does not lead to a row that is there and whole."""


class UidForgotten(AgentError):
    """Raised when an op has the uid of one whose row was let go of for its age; nothing was written."""

    def __init__(self, kind: str, uid: str) -> None:
        super().__init__(f"expected a new uid, not that of the {kind} {uid!r} of long ago")


class HoldNotOpen(AgentError):
    """Raised when an op names a hold that can't be resolved any more; nothing was written. `state` is "" if unknown."""

    def __init__(self, hold: str, state: str) -> None:
        super().__init__(f"expected an open hold {hold!r}, not one that is {state or 'unknown'}")
        self.hold = hold
        self.state = state


class DamagedError(Exception):
    """Raised when the file is not a journal of this till, or not a whole one. Codes: damaged, chain, foreign."""

    def __init__(self, code: str, detail: str, seq: int = 0) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.seq = seq

"""Who may speak as a till: signatures, and that one machine signs at a time.

Each run of an agent has a name, and signs with a counter that only rises and that is on its disk before it is used. So
a later run begins behind all that an earlier one can ever have sent. A run that signs behind its successor's beginning
has therefore been alive after it: two machines are one till. Clocks and delays of the network have no part in that.
Where a disk takes no counter a run may begin too low, and a late request of the one before looks like its successor:
so it takes two returns, of which an honest till makes one at most before its next run.

What is seen is kept in memory. `tills.counter` follows with the till's pushes; what was signed before this process
began is refused, so that nothing that a former process saw can be played again.
"""

from typing import Any

from msgspec import Struct

from till_cloud.exceptions import RefusedError
from till_cloud.store.tills import TillRow
from till_sync.signing import Head, Signed, is_signed, verify

AGE_LIMIT_S = 300
"""How far a signature's time may be from the cloud's, in either direction; a till that is told the time signs anew."""

WINDOW = 64
"""Counters below the highest that may still come: requests of one till overtake each other, four at once at most."""

RETIRED_LIMIT = 16
"""Former runs of a till that are remembered. One that is forgotten and comes back is taken for a new one at first."""

TWICE_LIMIT = 3
"""Requests that share a counter with another one: a virtual machine that was set back makes one, two that are alive
make one with each request.
"""

RETURNS_LIMIT = 2
"""Times that a run which was followed by another signs on, with no new run between: two machines are alive."""

TWO_MACHINES = "two_machines"
TWO_HISTORIES = "two_histories"
"""Why a till is in quarantine: two runs are alive, or one epoch was told in two ways."""

_WHAT_TO_DO = "its identity was copied to another machine. It sells on; `cloud till release` ends it (a-copied-till.md)"
CHALLENGE = {"WWW-Authenticate": "Bearer"}


class _Till(Struct):
    """What is known of one till since this process began; `retired` has each former run with where it was followed.

    `least`: up to there a run that came back had its numbers before; `returns`: how often runs came back.
    `stored`: the database holds the quarantine, so that a row without one, read later, says that it was lifted.
    """

    key: str
    highest: int
    run: str = ""
    retired: dict[str, int] = {}
    marks: dict[int, bytes] = {}
    twice: int = 0
    least: int = 0
    returns: int = 0
    quarantine: str = ""
    stored: bool = False

    def forget(self) -> None:
        """Begin anew behind what was seen: who lifted a quarantine has put right what was wrong."""
        self.run, self.retired, self.marks, self.twice = "", {}, {}, 0
        self.least = self.returns = 0
        self.quarantine, self.stored = "", False


class CloneFoundError(RefusedError):
    """Raised when a request proves that two machines are one till; the till has to be quarantined for `reason`."""

    def __init__(self, till: str, reason: str) -> None:
        super().__init__(403, "till_quarantined", f"till {till} is in quarantine: {_WHAT_TO_DO}", reason=reason)
        self.till = till
        self.reason = reason


class Guard:
    """Admits requests. Belongs to one event loop; what may be called from any thread says so."""

    def __init__(self, now_ms: int) -> None:
        self._since_s = now_ms // 1000
        self._tills: dict[str, _Till] = {}

    def highest(self, till_id: str) -> int:
        """The highest counter that was seen of a till; 0: none since this process began. From any thread."""
        known = self._tills.get(till_id)
        return 0 if known is None else known.highest

    def stored(self, till_id: str) -> bool:
        """Whether the till's quarantine is in the database. Ask before reading the row that `admit` gets."""
        known = self._tills.get(till_id)
        return known is not None and known.stored

    def admit(self, row: TillRow, head: Head | None, now_ms: int, *, stored: bool = False) -> None:
        """Let a request of `row`'s till pass, whose token is right, or raise. `stored` is what `stored` said before.

        RefusedError 401 `signature_missing`, `signature_wrong`, `signature_stale`, `key_unknown`; 409
        `counter_behind`; 403 `till_quarantined`, as a CloneFoundError while the quarantine has yet to be stored.
        """
        if not row.public_key:
            if head is not None and is_signed(head.headers):
                raise _refusal("key_unknown", "expected the till to hand in its public key first")
            if row.quarantined_at_ms:
                raise _quarantined(row.till, row.quarantine_reason)
            return
        signed = self._proven(row, head, now_ms)
        known = self._known(row)
        if row.quarantined_at_ms:
            known.quarantine, known.stored = row.quarantine_reason, True
            raise _quarantined(row.till, row.quarantine_reason)
        if stored:
            known.forget()
        if known.quarantine:
            raise CloneFoundError(row.till, known.quarantine)
        self._count(known, signed)

    def refuse(self, till_id: str, reason: str) -> None:
        """Refuse the till from its next request on, which may come before the quarantine is stored. From any thread."""
        known = self._tills.get(till_id)
        if known is not None:
            known.quarantine = reason

    def keep(self, till_id: str) -> None:
        """The quarantine is in the database now. From any thread."""
        known = self._tills.get(till_id)
        if known is not None:
            known.stored = True

    def _known(self, row: TillRow) -> _Till:
        known = self._tills.get(row.till)
        if known is None or known.key != row.public_key:
            # Another key is another enrolment: nobody else can have it.
            known = self._tills[row.till] = _Till(row.public_key, row.counter)
        return known

    def _proven(self, row: TillRow, head: Head | None, now_ms: int) -> Signed:
        if head is None or not is_signed(head.headers):
            raise _refusal("signature_missing", "expected a signed request: this till has handed in its key")
        signed = verify(row.public_key, head, till=row.till)
        if signed is None:
            raise _refusal("signature_wrong", "expected a signature of this request by the till's key")
        now_s = now_ms // 1000
        # A clock that was set back since the start must not shut everybody out; what was seen since then is known.
        self._since_s = self._since_s if now_s >= self._since_s else 0
        if abs(now_s - signed.created_s) > AGE_LIMIT_S or signed.created_s < self._since_s:
            detail = f"expected a request signed within {AGE_LIMIT_S} s, and since the cloud was started"
            raise _refusal("signature_stale", detail, server_time_ms=now_ms)
        return signed

    def _count(self, known: _Till, signed: Signed) -> None:
        if signed.run == known.run:
            self._count_same_run(known, signed)
        elif signed.counter <= known.highest:
            # A state directory that was put back from a backup, or a request of a run that is over.
            raise _behind(known.highest)
        else:
            followed_at = known.retired.pop(signed.run, None)
            known.returns = 0 if followed_at is None else known.returns + 1
            if known.returns >= RETURNS_LIMIT:
                raise _found(known, signed.till)
            if known.run:
                known.retired[known.run] = signed.counter
            for run in list(known.retired)[:-RETIRED_LIMIT]:
                del known.retired[run]
            known.run, known.twice, known.marks, known.least = signed.run, 0, {}, followed_at or 0
            _take(known, signed)

    def _count_same_run(self, known: _Till, signed: Signed) -> None:
        before = known.marks.get(signed.counter)
        if before is not None and before != signed.mark:
            known.twice += 1
            if known.twice >= TWICE_LIMIT:
                raise _found(known, signed.till)
        if before is not None or signed.counter <= max(known.highest - WINDOW, known.least):
            raise _behind(known.highest)
        _take(known, signed)


def _take(known: _Till, signed: Signed) -> None:
    known.highest = max(known.highest, signed.counter)
    known.marks[signed.counter] = signed.mark
    for counter in [each for each in known.marks if each <= known.highest - WINDOW]:
        del known.marks[counter]


def _found(known: _Till, till_id: str) -> CloneFoundError:
    known.quarantine = TWO_MACHINES
    return CloneFoundError(till_id, TWO_MACHINES)


def _behind(highest: int) -> RefusedError:
    detail = f"expected a counter over {highest} that was not used before"
    return RefusedError(409, "counter_behind", detail, retryable=True, counter=highest)


def _quarantined(till_id: str, reason: str) -> RefusedError:
    return RefusedError(403, "till_quarantined", f"till {till_id} is in quarantine: {_WHAT_TO_DO}", reason=reason)


def _refusal(code: str, detail: str, **extras: Any) -> RefusedError:
    return RefusedError(401, code, detail, headers=CHALLENGE, **extras)

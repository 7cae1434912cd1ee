"""What the worker tells about itself."""

from msgspec import Struct

from till_sync.snapshots import Loading


class WorkerStatus(Struct, frozen=True, kw_only=True):
    """Counts are since the start, times are wall milliseconds of the till (0: never), nothing is personal.

    `online`: the last exchange got an answer of our cloud. `halted`: "" or the stable code of what a person has to mend
    before push or pull go on. `last_error` is "" when the last round went well. `skew_ms`: cloud's time minus the
    till's wall clock, None before the first answer. `retry_in_ms`: until the next round by itself.
    `loading`: how far a snapshot has come.
    """

    online: bool = False
    halted: str = ""
    last_push_ms: int = 0
    last_pull_ms: int = 0
    last_error: str = ""
    pushed: int = 0
    resent: int = 0
    adjusted: int = 0
    rejected: int = 0
    parked: int = 0
    duplicate: int = 0
    pulled_rows: int = 0
    unexpected: int = 0
    skew_ms: int | None = None
    incarnation: str = ""
    retry_in_ms: int = 0
    loading: Loading = Loading()

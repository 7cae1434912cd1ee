"""What sync needs from whoever runs it: a clock, the outbox, and a place for pulled rows."""

from pathlib import Path
from typing import Protocol, runtime_checkable

from till_sync.wire import ChangesAnswer, HelloAnswer, OpResult, PushRequest, SnapshotAnswer, StretchDigest


class Clock(Protocol):
    """Time as the agent sees it; tests hand in a simulated one."""

    def wall_ms(self) -> int:
        """Milliseconds since 1970 by the machine's wall clock, which may be wrong or jump."""
        ...

    def mono_ms(self) -> int:
        """Milliseconds that never run backwards within one `boot`."""
        ...

    @property
    def boot(self) -> str:
        """Names the run within which `mono_ms` may be compared."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait; the simulated clock returns when its time comes."""
        ...


class Batch(Protocol):
    """Ops ready to go, with the encoded request made once."""

    @property
    def first_seq(self) -> int: ...
    @property
    def last_seq(self) -> int: ...
    @property
    def request(self) -> PushRequest: ...


class Outbox(Protocol):
    """The journal as the push loop sees it."""

    async def waiting(self) -> int:
        """Ops that the cloud has not acknowledged."""
        ...

    async def next_batch(self, *, max_ops: int, max_bytes: int, incarnation: str) -> PushRequest | None:
        """The oldest unacknowledged ops in sequence, at least one however large; None when there are none."""
        ...

    async def record(self, epoch: int, acked_seq: int, results: tuple[OpResult, ...]) -> None:
        """Store verdicts; an op's first verdict stays for ever, `duplicate` never replaces it."""
        ...

    async def reconcile(self, hello: HelloAnswer) -> None:
        """Compare with what the cloud says it holds; moves the acknowledged position or raises SyncError."""
        ...


@runtime_checkable
class AheadOutbox(Outbox, Protocol):
    """An outbox from which the next batch can be read while one is under way."""

    @property
    def opened(self) -> int:
        """How often the journal was opened: what was read before the last time may be of one that was put aside."""
        ...

    async def batch_after(
        self, last: tuple[int, int], *, max_ops: int, max_bytes: int, incarnation: str
    ) -> PushRequest | None:
        """As `next_batch`, of the ops after `last` (epoch, seq), up to which a batch is under way; it changes nothing.
        None when none follow it in its epoch.
        """
        ...


class CacheSink(Protocol):
    """The cache as the pull loop sees it."""

    async def cursor(self) -> str:
        """Where the last stored page ended; "" before the first."""
        ...

    async def store_page(self, page: ChangesAnswer) -> None:
        """Rows and cursor in one transaction."""
        ...

    async def reset(self) -> None:
        """Forget the cursor (not the rows): the cloud is another incarnation or answered 410."""
        ...


@runtime_checkable
class SnapshotSink(CacheSink, Protocol):
    """A cache that can be built from a snapshot."""

    @property
    def snapshot_path(self) -> Path:
        """Where its bytes are put while they come; what is there after a crash is gone on with."""
        ...

    async def adopt(self, answer: SnapshotAnswer) -> None:
        """Build a cache from the whole file at `snapshot_path`, beside the one that serves. `cursor` and `store_page`
        are those of the new one from then on, until a page without `more` puts it in the place of the other.
        """
        ...


@runtime_checkable
class DigestSink(CacheSink, Protocol):
    """A cache that compares what it holds with the digests of pages."""

    async def check_after(self) -> str:
        """After which member the next digest is wanted."""
        ...

    async def apart(self) -> StretchDigest | None:
        """The stretch that the last page showed to have come apart from the cloud."""
        ...

    async def mend(self, page: ChangesAnswer) -> None:
        """Put the members of `page.stretch` in place of those in the cache."""
        ...

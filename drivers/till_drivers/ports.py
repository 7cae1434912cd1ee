"""The interfaces of the driver layer: byte transports, scanners, printers, and what they tell.

Third parties implement `ScannerDriver` or `PrinterDriver` and name them in the entry points `tillside.scanners` or
`tillside.printers`.
"""

import enum
from collections.abc import Callable
from typing import Protocol, runtime_checkable

from msgspec import Struct


class Transport(Protocol):
    """A byte port. Every call has a deadline in milliseconds; TransportError tells what went wrong."""

    async def open(self, timeout_ms: int) -> None: ...
    async def read(self, size: int, timeout_ms: int) -> bytes:
        """At least one byte; b"" when none came in time; TransportLost when the device is gone."""
        ...

    async def write(self, data: bytes, timeout_ms: int) -> None:
        """All of `data`, or TransportStalled with how many bytes went, or TransportLost."""
        ...

    async def close(self, timeout_ms: int) -> None:
        """Give it back; 0 does not wait for bytes on their way. Never raises for a device that is gone."""
        ...


@runtime_checkable
class MaybeOneWay(Protocol):
    """A transport that may turn out, once open, to give no answers: a file that can't be read."""

    @property
    def is_one_way(self) -> bool: ...


class Scan(Struct, frozen=True, kw_only=True):
    """One complete code. `aim` is the symbology identifier without `]`, or ""; `at_mono` is in milliseconds.

    `gs1`: element strings by application identifier, when the code has any. `continuous`: the device tells a code again
    and again while it sees it (a camera), so that it is one scan until it has been out of sight for a second.
    """

    device_id: str
    seq: int
    at_mono: int
    raw: bytes
    text: str
    aim: str = ""
    symbology: str = ""
    gs1: dict[str, str] | None = None
    confirmed_frames: int = 1
    continuous: bool = False


class DeviceHealth(Struct, frozen=True, kw_only=True):
    """A change of a device's state (`till_drivers.states`)."""

    device_id: str
    state: str
    detail: str
    at_mono: int


class Outcome(enum.Enum):
    """What became of a print job. UNKNOWN is never printed again by itself."""

    PRINTED = "printed"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNKNOWN = "unknown"


class PrintJob(Struct, frozen=True, kw_only=True):
    """Ready bytes for one printer; `job_id` is the spool's."""

    job_id: str
    data: bytes


class ScannerDriver(Protocol):
    """Runs until stopped; starts without its device and finds it again after a loss."""

    device_id: str

    async def run(self, emit: Callable[[Scan], None], health: Callable[[DeviceHealth], None]) -> None: ...
    async def stop(self) -> None: ...


class PrinterDriver(Protocol):
    """Prints whole jobs one at a time."""

    device_id: str

    async def submit(self, job: PrintJob, deadline_ms: int) -> Outcome: ...
    async def status(self) -> DeviceHealth: ...
    async def stop(self) -> None: ...


class Clock(Protocol):
    """Monotonic milliseconds and a sleep, so that tests need not wait."""

    def mono_ms(self) -> int: ...
    async def sleep(self, seconds: float) -> None: ...

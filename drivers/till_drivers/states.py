"""All states of a device, which may follow which, and how long to wait before a device is tried again.

Scanners and printers share the table. A device that is missing stays ABSENT or LOST while it is tried again in silence;
it passes through OPENING only when its port did open, so that a printer that is switched off for a night makes one
event, not one every five seconds.
"""

import enum
from collections.abc import Callable

from till_drivers.exceptions import StateError
from till_drivers.ports import Clock, DeviceHealth


class DeviceState(enum.StrEnum):
    """What a device can do now."""

    DISABLED = "disabled"
    """Not started, or stopped."""
    ABSENT = "absent"
    """Not there; it has not been seen in this run."""
    OPENING = "opening"
    """Its port is open and it is being asked how it is."""
    READY = "ready"
    BUSY = "busy"
    """Takes a job now."""
    DEGRADED = "degraded"
    """Works, but somebody should look: paper near its end, no answer to status requests."""
    LOST = "lost"
    """Was there in this run and is gone."""
    FAULT = "fault"
    """There, but takes no job: paper out, cover open."""


_S = DeviceState
TRANSITIONS: dict[DeviceState, frozenset[DeviceState]] = {
    _S.DISABLED: frozenset({_S.OPENING, _S.ABSENT}),
    _S.ABSENT: frozenset({_S.OPENING, _S.DISABLED}),
    _S.OPENING: frozenset({_S.READY, _S.DEGRADED, _S.FAULT, _S.ABSENT, _S.LOST, _S.DISABLED}),
    _S.READY: frozenset({_S.BUSY, _S.DEGRADED, _S.FAULT, _S.LOST, _S.DISABLED}),
    _S.BUSY: frozenset({_S.READY, _S.DEGRADED, _S.FAULT, _S.LOST, _S.DISABLED}),
    _S.DEGRADED: frozenset({_S.READY, _S.BUSY, _S.FAULT, _S.LOST, _S.DISABLED}),
    _S.LOST: frozenset({_S.OPENING, _S.DISABLED}),
    _S.FAULT: frozenset({_S.READY, _S.DEGRADED, _S.LOST, _S.DISABLED}),
}
"""From a state to those that may follow it."""

USABLE = frozenset({_S.READY, _S.DEGRADED})
"""States in which a device takes the next job."""

FIRST_RETRY_MS = 250
"""A plugged-in device comes back within about this time; a cashier does not notice it."""
LAST_RETRY_MS = 5_000
"""A device that is switched off is tried this often: cheap for the till, soon enough for a person who plugs it in."""


class HealthKeeper:
    """Holds a device's state and tells each change once."""

    def __init__(self, device_id: str, clock: Clock) -> None:
        self._clock = clock
        self._listener: Callable[[DeviceHealth], None] | None = None
        self._health = DeviceHealth(
            device_id=device_id, state=DeviceState.DISABLED.value, detail="", at_mono=clock.mono_ms()
        )

    @property
    def health(self) -> DeviceHealth:
        """The last change."""
        return self._health

    @property
    def state(self) -> DeviceState:
        return DeviceState(self._health.state)

    def listen(self, listener: Callable[[DeviceHealth], None]) -> None:
        """Call `listener` on each change from now on; a later listener takes the place of an earlier one."""
        self._listener = listener

    def move(self, state: DeviceState, detail: str = "") -> None:
        """Go to `state`. Same state and detail: nothing is told. Raises StateError past the table."""
        now = self.state
        if state is now:
            if detail == self._health.detail:
                return
        elif state not in TRANSITIONS[now]:
            allowed = ", ".join(sorted(TRANSITIONS[now]))
            raise StateError(f"{self._health.device_id}: expected one of {allowed} after {now}, not {state}")
        self._health = DeviceHealth(
            device_id=self._health.device_id, state=state.value, detail=detail, at_mono=self._clock.mono_ms()
        )
        if self._listener is not None:
            self._listener(self._health)


class Backoff:
    """When a missing device is due to be tried again: 0.25 s after the first failure, doubled up to 5 s."""

    def __init__(self, clock: Clock, *, first_ms: int = FIRST_RETRY_MS, last_ms: int = LAST_RETRY_MS) -> None:
        self._clock = clock
        self._first_ms = first_ms
        self._last_ms = last_ms
        self._wait_ms = 0
        self._due_at = 0

    @property
    def wait_ms(self) -> int:
        """Milliseconds until the next try; 0 when it is due."""
        return max(0, self._due_at - self._clock.mono_ms()) if self._wait_ms else 0

    def failed(self) -> None:
        """The device could not be had: wait twice as long as the last time."""
        self._wait_ms = min(self._last_ms, self._wait_ms * 2 or self._first_ms)
        self._due_at = self._clock.mono_ms() + self._wait_ms

    def succeeded(self) -> None:
        """The device is there: the next failure is tried again soon."""
        self._wait_ms = 0

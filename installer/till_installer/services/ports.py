"""What installer, upgrader and doctor ask of whoever runs the agent."""

from pathlib import Path
from typing import Literal, Protocol

from msgspec import Struct

ServiceState = Literal["running", "starting", "stopped", "failed", "absent"]


class ServiceStatus(Struct, frozen=True, kw_only=True):
    """`restarts`: since it was last started by hand; `pid` is 0 when nothing runs."""

    state: ServiceState
    pid: int = 0
    restarts: int = 0
    detail: str = ""


class ServiceManager(Protocol):
    """Every call returns when it is done or raises `ServiceError` with what to do. Each may be repeated."""

    kind: str

    def install(self, command: tuple[str, ...], *, config: Path) -> None:
        """Make the service known, started with the machine; not started by this."""

    def remove(self) -> None:
        """Stop it and forget it."""

    def start(self) -> None:
        """Start it; nothing when it runs."""

    def stop(self, timeout_s: float = 10.0) -> None:
        """Stop it and wait until no process is left."""

    def status(self) -> ServiceStatus:
        """As it is now."""
        ...


def masked(manager: ServiceManager | None) -> tuple[str, ...]:
    """Units of a manager that the operator has shut off; only systemd knows such."""
    asked = getattr(manager, "masked", None)
    return tuple(asked()) if asked is not None else ()

"""A change of version within a set-up: what the upgrade says of it, in the words and exit statuses of a set-up."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from till_installer.setup.exceptions import SetupError
from till_installer.upgrade.breaking import unbroken
from till_installer.upgrade.exceptions import BusyError
from till_installer.upgrade.pointers import named
from till_sync.heartbeat import UpdateState

if TYPE_CHECKING:
    from till_installer.upgrade.engine import Upgrader


def carry_out(upgrader: "Upgrader", version: str, change: Callable[[], UpdateState | None]) -> None:
    """Make the change that is to end on `version`; a signal ends it on a version that serves, as everywhere.

    SetupError: `upgrade_undone` when it was taken back, `interrupted` when it was broken off and ended on another
    version, `busy` when another one is under way, whose own exit status would say here that all is installed.
    InstallerError of the upgrade.
    """
    try:
        state = unbroken(upgrader, lambda: change() or UpdateState())
    except BusyError as exc:
        raise SetupError(str(exc), code=exc.code) from exc
    current = named(upgrader.layout.current)
    left = "serves on" if upgrader.manager.status().state == "running" else "is in its place, and does not run"
    if state.stage == "rolled_back" and state.code != "by_hand":
        message = f"version {state.to_version} was put in place and taken back ({state.code}): {state.detail}; "
        raise SetupError(f"{message}version {current} {left}", code="upgrade_undone")
    if current != version:
        message = f"version {version} is not in place: a change was broken off; version {current} {left}"
        raise SetupError(message, code="interrupted")


def finish_cut_off(upgrader: "Upgrader", version: str) -> None:
    """An installation that was killed in its change to `version` is finished by the next one, watched as it was."""
    if upgrader.records.marker() is not None:
        carry_out(upgrader, version, upgrader.finish)

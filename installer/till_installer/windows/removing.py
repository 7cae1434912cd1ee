"""Takes Tillside off a Windows till, up to the programs themselves: the uninstaller deletes those afterwards."""

from collections.abc import Callable
from pathlib import Path

from till_agent.audit_trail import note
from till_installer.layout import Layout
from till_installer.services.ports import ServiceManager
from till_installer.setup.files import remove
from till_installer.setup.removing import Removed, stop_for_good
from till_installer.upgrade.pointers import named
from till_installer.upgrade.record import LOCK_FILE, Records


def uninstall(
    layout: Layout,
    manager: ServiceManager,
    *,
    purge: bool = False,
    carry_to: Path | None = None,
    discard: int | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Removed:
    """Stop and remove the service, with `purge` the data too: QueueError while operations wait; all is as it was.

    BusyError while a change of version is under way, which would find its programs gone.
    """
    with Records(layout).alone():
        version = named(layout.current)
        proof, carried = stop_for_good(layout, manager, purge=purge, carry_to=carry_to, discard=discard, say=say)
        if not purge:
            note(layout.state_dir, "uninstalled", version=version, waiting=proof.count, carried_to=carried)
    # The lock is let go of before its folder goes: Windows removes no file that is open.
    remove(layout.updates_dir / LOCK_FILE)
    if purge:
        say("removing settings and data")
        for path in dict.fromkeys((layout.updates_dir, layout.log_dir, layout.state_dir, layout.config_dir)):
            remove(path)
    return Removed(purged=purge, waiting=proof.count, carried_to=carried, queue_hash=proof.digest)

"""Takes Tillside off a Windows till, up to the programs themselves: the uninstaller deletes those afterwards."""

from collections.abc import Callable
from pathlib import Path

from till_installer.layout import Layout
from till_installer.services.ports import ServiceManager
from till_installer.setup.files import remove
from till_installer.setup.removing import Removed, look_after_queue
from till_installer.upgrade.queue import QueueProof


def uninstall(
    layout: Layout,
    manager: ServiceManager,
    *,
    purge: bool = False,
    carry_to: Path | None = None,
    discard: int | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Removed:
    """Stop and remove the service, with `purge` the data too: QueueError while operations wait; all is as it was."""
    was_running = manager.status().state in ("running", "starting")
    carried, proof = "", QueueProof()
    if purge or carry_to is not None:
        say("stopping the agent")
        manager.stop()
        try:
            proof, carried = look_after_queue(layout, purge=purge, carry_to=carry_to, discard=discard, say=say)
        except Exception:
            if was_running:
                manager.start()
            raise
    say("removing the service")
    manager.remove()
    if purge:
        say("removing settings and data")
        for path in dict.fromkeys((layout.updates_dir, layout.log_dir, layout.state_dir, layout.config_dir)):
            remove(path)
    return Removed(purged=purge, waiting=proof.count, carried_to=carried, queue_hash=proof.digest)

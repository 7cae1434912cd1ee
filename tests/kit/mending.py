"""A line in trouble and a line that is whole again: what may count as acknowledged, and what must have arrived."""

from kit.proof import DoubledError, LostError, at_cloud
from kit.world import Till, World

HEALS_WITHIN_S = 75.0
"""The longest wait is a minute, of an operation that somebody on the way seems to refuse; mostly it is under 10 s."""


def ops_at_cloud(world: World, till: Till) -> int:
    return int(at_cloud(world.cloud_db, "SELECT count(*) FROM ops WHERE till = ?", till.name)[0][0])


def check_acknowledged(world: World, till: Till, before: int) -> None:
    """LostError when the till believes that the cloud has more of its ops than it has."""
    sync = till.admin.ask("GET", "/v1/sync")
    held = ops_at_cloud(world, till)
    if not before <= sync["acked_seq"] <= held:
        raise LostError(f"{sync['acked_seq']} are taken for acknowledged; the cloud holds {held}, and {before} were")
    assert sync["waiting"] == sync["last_seq"] - sync["acked_seq"]


def heal(world: World, till: Till) -> None:
    """The line is whole again: with nobody's help all ops reach the cloud, each with its effect once."""
    world.line.mode = "pass"
    till.wait_status(
        lambda s: s["sync"]["waiting"] == 0 and s["sync"]["online"] and not s["sync"]["last_error"],
        "the queue to drain by itself",
        patience_s=HEALS_WITHIN_S,
    )
    if ops_at_cloud(world, till) != till.last_seq():
        raise LostError(f"the cloud holds {ops_at_cloud(world, till)} ops, the journal {till.last_seq()}")
    twice = at_cloud(
        world.cloud_db, "SELECT till, kind, uid FROM movements GROUP BY 1, 2, 3 HAVING till > '' AND count(*) > 1"
    )
    if twice:
        raise DoubledError(f"moved points twice: {twice}")

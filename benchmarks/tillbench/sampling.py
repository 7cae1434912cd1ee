"""Sales that the real agent made, as bodies that a queue of any length is written from."""

import time

from till_sync.ops import SaleBody
from tillbench.backlog import sample
from tillbench.draining import Drain
from tillbench.parts import Bench

SALES = 200


def sale_bodies(bench: Bench) -> list[SaleBody]:
    """Of sales to members of a small chain."""
    with bench.chain(f"sample-{time.monotonic_ns()}") as world:
        port = world.start_cloud()
        till = world.start_agent(world.config("fill", world.state_dir, port))
        Drain(world, 0).wait_members(till)
        world.stop_agent()
        world.parts.stop("cloud")
        return sample(world, world.state_dir, SALES)

"""A small fleet over HTTP: a bad version stops at the step that it began with, a good one reaches all."""

import asyncio
import os

import pytest

from till_cloud.centre import Centre
from till_cloud.server import CloudServer
from tillbench import fleet


async def _here(database):
    """The cloud within this process."""
    server = CloudServer(Centre(database))
    return await server.start(), os.getpid(), server.stop


@pytest.mark.parametrize(("bad", "tried", "state"), [(True, 4, "halted"), (False, 8, "done")])
def test_a_version_reaches_as_many_tills_as_it_deserves(tmp_path, bad, tried, state):
    """With real heartbeats, answers and steps; those that went back are the first step's alone."""
    played = fleet.play(tmp_path, count=8, bad=lambda _: bad, sizes=(4, 0), rounds=8, post=_here)
    found = asyncio.run(played)
    assert (found.state, found.tried, found.rolled_back) == (state, tried, tried if bad else 0)

"""One till with its cloud and one Node for each worker; each test has a Frontol and members' points of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.frontol_script.frontol_script_kit import Host
from kit.chain import ANNA, CLARA, Chain
from kit.fixtures import chain, forking_chain
from kit.processes import free_port
from kit.waiting import wait_for
from kit.world import Till, World

RICH = "200000"
"""Minor points: enough for all receipts of a module."""

__all__ = ["chain", "forking_chain"]


@pytest.fixture(scope="session")
def host() -> Iterator[Host]:
    """The engine."""
    with Host() as made:
        yield made


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory, forking_chain: Chain) -> Iterator[World]:
    """A cloud that runs."""
    folder: Path = tmp_path_factory.mktemp("frontol")
    with World(folder, forking_chain) as made:
        for person in (ANNA, CLARA):
            made.command("cloud", "member", "adjust", person.member_id, RICH, "--why", "tests")
        made.start_cloud()
        yield made


@pytest.fixture(scope="session")
def till(world: World) -> Till:
    """An agent that knows the members, at the same port after each start."""
    till = world.till()
    text = till.config.read_text(encoding="utf-8")
    till.config.write_text(text.replace("port = 0", f"port = {free_port()}"), encoding="utf-8")
    till.start().wait_members()
    wait_for(lambda: till.pos.identify(card=ANNA.card)["spendable_points"] >= int(RICH), "the members' points")
    return till

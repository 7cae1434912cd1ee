"""A scanner that is pulled out in the middle of a code and comes back under another name, through a running agent."""

import os

import pytest

from kit.bridge import Events
from kit.chain import ANNA, CLARA
from kit.waiting import wait_for
from kit.world import World

pytestmark = pytest.mark.faults


def unplug_in_mid_code(world: World, mutant: str = "") -> None:
    """A whole code, half a code, out; in again under another name, a whole code. Only whole codes are told."""
    world.start_cloud()
    world.start_scanner()
    till = world.till().start(mutant).wait_members()
    till.wait_device("scanner", "ready")
    first_name = world.scanner_port.readlink()
    half = CLARA.card[:7]
    with Events(till.pos) as events:
        # In one piece, so that the half has been read too when the whole is told.
        world.scan("!raw " + f"{ANNA.card}\r{half}".encode().hex())
        assert events.wait("scan")["member"]["reference"] == ANNA.member_id
        world.scan("!unplug")
        till.wait_device("scanner", "lost")
        assert "scanner_lost" in {problem["code"] for problem in till.status()["problems"]}
        # The name that is free now is taken, so that the scanner gets another one.
        others = [os.openpty() for _ in range(3)]
        try:
            world.scan("!plug")
            wait_for(world.scanner_port.is_symlink, "the scanner to be back")
            assert world.scanner_port.readlink() != first_name
            till.wait_device("scanner", "ready")
            world.scan(CLARA.card)
            scan = events.wait("scan", 2)
            assert (scan["text"], scan["kind"]) == (CLARA.card, "card")
            assert scan["member"]["reference"] == CLARA.member_id
            states = [event["state"] for event in events.of("device") if event["role"] == "scanner"]
            assert [state for state in states if state in ("lost", "ready")][-2:] == ["lost", "ready"]
            assert len(events.of("scan")) == 2
        finally:
            for master, slave in others:
                os.close(master)
                os.close(slave)
    till.stop()


def test_half_a_code_is_never_joined_to_the_next(world: World) -> None:
    """The cashier scans again, and that code is whole."""
    unplug_in_mid_code(world)


@pytest.mark.mutants
def test_a_driver_that_keeps_the_half_is_found_out(world: World) -> None:
    """Mutant: what came before the unplug is put before what comes after it."""
    with pytest.raises(AssertionError, match=CLARA.card[:7]):
        unplug_in_mid_code(world, "joins-halves")

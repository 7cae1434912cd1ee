"""`kill -9` of the agent around the commit of a registration: one member, one answer, whatever was heard of it."""

from typing import Any

import httpx
import pytest

from kit.world import Till, World

PERSON = {
    "uid": "r-1",
    "phone": "8 701 000 09 01",
    "name": "Farida Fomina",
    "consent": {"version": "1", "given": True},
}


def send(till: Till) -> dict[str, Any] | None:
    """The answer, or None when the agent died over it."""
    try:
        answer = till.pos.send("POST", "/v1/members", PERSON)
    except httpx.TransportError:
        return None
    assert answer.is_success, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.faults
@pytest.mark.parametrize("moment", ["dies-before-commit", "dies-within-commit", "dies-after-commit"])
def test_a_registration_sent_again_after_a_kill_is_one_registration(world: World, moment: str) -> None:
    """Before, within and after the commit."""
    world.start_cloud()
    till = world.till().start(moment).wait_members()
    assert send(till) is None
    till.kill()
    till.start()
    first = send(till)
    assert first is not None
    assert first["state"] == "registered"
    assert send(till) == first
    shown = till.pos.identify(phone=PERSON["phone"])
    assert (shown["name_masked"], shown["status"]) == ("Farida F.", "provisional")
    till.drain()
    ops = [each["kind"] for each in till.admin.ask("GET", "/v1/queue?which=newest")["ops"]]
    assert ops == ["register"]
    known = till.pos.identify(phone=PERSON["phone"])
    assert (known["name_masked"], known["reference"][:2]) == ("Farida F.", "m-")
    till.stop()
    world.verify()

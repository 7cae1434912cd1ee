"""A store without a line: its queue goes to the centre on a stick while it sells on, and later by the line again."""

import json

import pytest

from kit.bridge import receipt
from kit.chain import ANNA
from kit.world import World


@pytest.mark.soak
def test_a_queue_that_was_carried_counts_once_when_the_line_is_back(world: World) -> None:
    """Carried out twice with sales between, taken twice, then pushed: each sale is in the ledger once."""
    world.start_cloud()
    till = world.till().start().wait_members()
    till.drain()
    world.line.cut()
    stick = world.folder / "usb"
    stick.mkdir()
    answers: dict[str, bytes] = {}

    def sell(count: int) -> None:
        for _ in range(count):
            uid = f"carried-{len(answers)}"
            sold = till.pos.send("PUT", f"/v1/sales/{uid}", receipt(10_000, member={"card": ANNA.card}))
            answers[uid] = sold.content

    sell(20)
    first = json.loads(till.command("queue", "carry-out", stick, "--json").out)
    sell(10)
    second = json.loads(till.command("queue", "carry-out", stick, "--json").out)
    assert (first["operations"], second["operations"]) == (20, 30)
    audited = json.loads(till.command("audit", "list", "--json").out)["lines"]
    assert [each["what"] for each in audited].count("queue_carried_out") == 2
    taken = [
        json.loads(world.command("cloud", "queue", "take", each["path"], "--json").out) for each in (first, second)
    ]
    assert [(each["known"], each["operations"]) for each in taken] == [(0, 20), (20, 30)]
    assert json.loads(world.command("cloud", "queue", "take", first["path"], "--json").out)["known"] == 20
    sell(5)
    world.line.mend()
    world.prove(till, answers)

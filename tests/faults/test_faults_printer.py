"""A printer that is silent, takes nothing, or dies in the middle of a slip: no sale waits for it.

And no slip is printed twice by itself, not even after the agent was started anew.
"""

import re
import sqlite3
from collections import Counter
from contextlib import closing

import httpx
import pytest

from kit.bridge import receipt
from kit.chain import ANNA
from kit.proof import DoubledError
from kit.waiting import wait_for
from kit.world import Till, World

pytestmark = pytest.mark.faults

SALES = 3
TOLD = "print_queue_unavailable"
PATIENCE_OF_CASHIER_S = 4
"""Only a sale that waits for the printer takes longer."""


def sell(till: Till, *numbers: int) -> None:
    """Sales with slips; the receipt's number is on the slip."""
    for number in numbers:
        till.pos.sell(f"slip-{number}", receipt(10_000, member={"card": ANNA.card}, number=f"N{number}"))


def slip_state(till: Till, number: int) -> str:
    """What the till says of a slip."""
    return str(till.pos.ask("GET", f"/v1/sales/slip-{number}")["slip"]["state"])


def printed(world: World) -> Counter[str]:
    """How often each receipt's number came out of the printer. Torn slips that had not come so far don't count."""
    return Counter(number for slip in world.slip_texts() for number in re.findall(r"\bN\d+\b", slip))


def on_disk(till: Till) -> list[tuple[object, ...]]:
    """The print queue's jobs in its file, the sale's name first. sqlite3.Error."""
    what = (
        "select reference, state, waits, attempts, detail, length(data), created_ms, updated_ms from jobs order by seq"
    )
    with closing(sqlite3.connect(f"file:{till.state_dir / 'spool.db'}?mode=ro", uri=True)) as connection:
        return connection.execute(what).fetchall()


def kill_when_queued(till: Till, *numbers: int) -> None:
    """The agent, as the power does, but not before these slips are on disk, which is after their sales were answered.

    Nobody promises anything of a slip that is not.
    """
    wanted = {f"sale:slip-{number}" for number in numbers}
    wait_for(lambda: wanted <= {job[0] for job in on_disk(till)}, f"{sorted(wanted)} to be on disk")
    till.kill()


def all_told(world: World, till: Till) -> str:
    """What came out of the printer, and what the till holds of each slip: for a failure, which may be a rare one."""
    texts = world.slip_texts()
    out = [(re.findall(r"\bN\d+\b", text), "torn" if "[torn]" in text else "whole") for text in texts]
    try:
        jobs = on_disk(till)
    except sqlite3.Error as exc:
        jobs = [(exc,)]
    told = [
        f"came out: {out}; queue on disk: {jobs}; printer: {world.printer_do('status')}",
        *(f"slip {number}:\n{text}" for number, text in enumerate(texts, start=1)),
        f"printer's log: {world.printer.tail() if world.printer else ''}",
        f"agent's log: {till.agent.tail() if till.agent else ''}",
    ]
    return "\n".join(told)


def printed_once(world: World, till: Till, *numbers: int) -> None:
    """Wait for these slips; DoubledError as soon as any came out more than once, whatever the others do."""
    wanted = {f"N{number}" for number in numbers}

    def all_out() -> bool:
        found = printed(world)
        twice = [number for number, times in found.items() if times > 1]
        if twice:
            raise DoubledError(f"printed more than once: {twice}, of {found}; {all_told(world, till)}")
        return wanted <= set(found)

    try:
        wait_for(all_out, f"slips {sorted(wanted)}")
    except DoubledError:
        raise
    except AssertionError as exc:
        raise AssertionError(f"{exc}; {all_told(world, till)}") from exc


def open_till(world: World, mutant: str = "", behaviour: str = "normal") -> Till:
    """A till with a printer that is so from the start."""
    world.start_printer(behaviour)
    till = world.till().start(mutant)
    till.pos.http.timeout = PATIENCE_OF_CASHIER_S
    return till


def wait_printing(world: World, till: Till, number: int) -> None:
    """Until the slip's bytes are on their way: from here on nobody knows whether it will be printed."""
    till.wait_device("printer", "busy")
    assert slip_state(till, number) == "printing"


def stall_and_restart(world: World, mutant: str = "") -> Till:
    """The printer takes connections and reads nothing; sales are answered; the agent is killed, and started anew."""
    till = open_till(world, mutant, "deaf")
    sell(till, 1)
    wait_printing(world, till, 1)
    sell(till, 2, 3)
    stuck = world.printer_do("status")
    assert (stuck["behaviour"], stuck["slips"], stuck["received_bytes"]) == ("deaf", 0, 0), "it is stuck all the time"
    assert slip_state(till, 1) == "printing"
    kill_when_queued(till, 1, 2, 3)
    return till.start(mutant)


def print_all(world: World, till: Till) -> None:
    """The printer works again, and one more slip is the last: whatever was to come has come before it."""
    world.printer_do("behave", **{"as": "normal"})
    sell(till, 4)
    wait_for(lambda: slip_state(till, 4) == "printed", "the proof of the last slip")
    printed_once(world, till, 1, 2, 3, 4)


@pytest.mark.parametrize("accident", ["", pytest.param("queue-is-slow", marks=pytest.mark.mutants)])
def test_a_stalled_printer_delays_no_sale_and_prints_nothing_twice(world: World, accident: str) -> None:
    """What the printer took in before the kill it prints in the end; the agent does not send it again."""
    till = stall_and_restart(world, accident)
    wait_for(lambda: slip_state(till, 1) == "unknown", "slip 1 to be given up")
    print_all(world, till)
    assert slip_state(till, 1) == "unknown"
    till.stop()


def test_a_silent_printer_delays_no_sale_and_prints_nothing_twice(world: World) -> None:
    """It prints, and answers nothing: the till waits for no proof before it sells on, and never repeats a slip."""
    till = open_till(world, behaviour="silent")
    sell(till, 1)
    wait_printing(world, till, 1)
    sell(till, 2, 3)
    assert slip_state(till, 1) == "printing", "its proof is still waited for"
    assert {slip_state(till, 2), slip_state(till, 3)} == {"queued"}
    printed_once(world, till, 1)
    kill_when_queued(till, 1, 2, 3)
    till.start()
    assert slip_state(till, 1) == "unknown"
    print_all(world, till)
    till.stop()


def die_in_mid_slip(world: World, mutant: str = "") -> Till:
    """The printer loses its power within a slip, which is torn; it comes back later."""
    till = open_till(world, mutant)
    till.wait_device("printer", "ready")
    world.printer_do("behave", **{"as": "dies", "after": 250})
    sell(till, 1)
    till.wait_device("printer", "lost", "absent")
    sell(till, 2, 3)
    assert world.printer_do("status")["behaviour"] == "dies", "it is still without power"
    return till


def test_a_printer_that_dies_in_mid_slip_delays_no_sale_and_prints_nothing_twice(world: World) -> None:
    """The torn slip is unknown and stays so, over a restart too; a copy is printed when somebody asks, and says so."""
    till = die_in_mid_slip(world)
    assert slip_state(till, 1) == "unknown"
    assert {slip_state(till, 2), slip_state(till, 3)} == {"queued"}
    torn = world.slip_texts()
    assert len(torn) == 1
    kill_when_queued(till, 1, 2, 3)
    till.start()
    world.printer_do("behave", **{"as": "normal"})
    sell(till, 4)
    printed_once(world, till, 2, 3, 4)
    wait_for(lambda: slip_state(till, 4) == "printed", "the proof of the last slip")
    assert world.slip_texts()[0] == torn[0]
    assert len(world.slip_texts()) == 1 + SALES
    assert slip_state(till, 1) == "unknown"
    assert till.pos.send("POST", "/v1/sales/slip-1/slip/print").status_code == 202
    copy = wait_for(lambda: world.slip_texts()[1 + SALES :], "the copy")[0]
    assert "COPY" in copy.upper()
    assert "N1" in copy
    till.stop()


def test_a_slip_that_was_not_on_disk_at_a_kill_comes_when_its_sale_is_sent_again(world: World) -> None:
    """The till knows of none, and prints none by itself; the sale sent once more prints it, and anybody gets a copy."""
    till = open_till(world, "queue-is-stuck")
    sell(till, 1, 2)
    assert slip_state(till, 1) == "queued"
    till.kill()
    till.start()
    assert {slip_state(till, 1), slip_state(till, 2)} == {"none"}
    sell(till, 1)
    printed_once(world, till, 1)
    assert till.pos.send("POST", "/v1/sales/slip-2/slip/print").status_code == 202
    printed_once(world, till, 1, 2)
    first, second = world.slip_texts()
    assert ("COPY" in first.upper(), "COPY" in second.upper()) == (False, True)
    sell(till, 1, 3)
    printed_once(world, till, 1, 2, 3)
    till.stop()


def test_a_print_queue_that_can_not_be_opened_stops_no_sale_and_is_told_of(world: World) -> None:
    """A problem with a code, until the file can be made; from then on slips come out without a restart."""
    world.start_printer()
    till = world.till()
    in_its_place = till.state_dir / "spool.db"
    in_its_place.mkdir()
    till.start()
    found = till.wait_status(lambda s: [p for p in s["problems"] if p["code"] == TOLD], "the problem to be told")
    (problem,) = [each for each in found["problems"] if each["code"] == TOLD]
    assert (problem["level"], "Free the disk" in problem["text"], found["ready"]) == ("error", True, True)
    ready = till.pos.send("GET", "/readyz").json()
    assert (ready["ready"], "printer" in ready["missing"]) == (True, True)
    sell(till, 1)

    in_its_place.rmdir()
    till.wait_status(lambda s: TOLD not in {each["code"] for each in s["problems"]}, "the problem to be gone")
    sell(till, 2)
    printed_once(world, till, 2)
    till.stop()


@pytest.mark.mutants
def test_a_slip_that_is_begun_again_after_a_restart_is_found_out(world: World) -> None:
    """Mutant: what was being printed when the agent was killed is queued again."""
    till = stall_and_restart(world, "prints-again")
    with pytest.raises(DoubledError):
        print_all(world, till)


@pytest.mark.mutants
def test_a_slip_that_is_printed_again_for_want_of_a_proof_is_found_out(world: World) -> None:
    """Mutant: what nobody knows of is printed again."""
    till = die_in_mid_slip(world, "reprints-unknown")
    with pytest.raises(DoubledError):
        print_all(world, till)


@pytest.mark.mutants
def test_a_sale_that_waits_for_its_slip_is_found_out(world: World) -> None:
    """Mutant: the answer leaves when the slip is on paper."""
    till = open_till(world, "sale-waits-for-printer", "deaf")
    with pytest.raises(httpx.ReadTimeout):
        sell(till, 1, 2)
    till.kill()

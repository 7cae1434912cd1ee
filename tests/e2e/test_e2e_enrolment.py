"""Enrolment by its command against a real cloud: one code, one use, one machine; and a copy of a machine is found."""

import contextlib
import shutil
import sqlite3
import subprocess

import httpx
import pytest

from kit.bridge import receipt
from kit.processes import COMMAND, free_port
from kit.world import Till, World

CODE_TRIES = 5

pytestmark = [pytest.mark.soak, pytest.mark.timeout(300)]


def machine(world: World, name: str) -> Till:
    """A PC that is no till yet."""
    return world.till(name, printer_port=free_port())


def enrolling(till: Till, code: str) -> "subprocess.Popen[str]":
    """The command, as a process of its own."""
    words = [*COMMAND, "agent", "enrol", "--config", str(till.config), "--code", code]
    return subprocess.Popen(words, cwd=till.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_of_two_machines_with_one_code_one_becomes_the_till(world: World) -> None:
    """At the same moment; the other reads that the code is used, as does whoever asks the cloud itself, by 409."""
    world.start_cloud()
    code = world.command("cloud", "till", "code", "till-1").out.split()[-1]
    machines = [machine(world, name) for name in ("pc-1", "pc-2")]
    ended = [(process, *process.communicate(timeout=60)) for process in [enrolling(each, code) for each in machines]]
    assert sorted(process.returncode for process, *_ in ended) == [0, 1]
    (said,) = (err for process, _, err in ended if process.returncode)
    assert "this one was used already; `tillside cloud till code` makes one" in said
    assert "Traceback" not in said
    (won,) = (each for each, (process, *_) in zip(machines, ended, strict=True) if not process.returncode)
    lost = machines[1 - machines.index(won)]
    assert not (lost.state_dir / "identity.json").exists()
    url = f"http://127.0.0.1:{world.line.port}/v1/enrolments"
    answer = httpx.post(url, json={"code": code, "salt": "another"}, trust_env=False)
    assert (answer.status_code, answer.json()["code"]) == (409, "code_used")
    won.start().wait_members().pos.sell("first", receipt(10_000))
    won.drain()
    won.stop()


def test_a_code_that_was_tried_too_often_or_too_late_says_so_and_the_next_one_serves(world: World) -> None:
    """What to do is in each message, for whoever stands at the till."""
    world.start_cloud()
    till = machine(world, "pc-1")
    code = world.command("cloud", "till", "code", "till-1").out.split()[-1]
    for _ in range(CODE_TRIES):
        wrong = till.command("agent", "enrol", "--code", f"{code[:-4]}AAAA", status=1)
        assert "expected a valid enrolment code" in wrong.err
    locked = till.command("agent", "enrol", "--code", code, status=1)
    assert f"this one was tried wrongly {CODE_TRIES} times; `tillside cloud till code` makes one" in locked.err

    code = world.command("cloud", "till", "code", "till-1").out.split()[-1]
    with contextlib.closing(sqlite3.connect(world.cloud_db)) as connection, connection:
        connection.execute("UPDATE enrolment_codes SET expires_at_ms = 1")
    late = till.command("agent", "enrol", "--code", code, status=1)
    assert "this one was valid for 24 hours; `tillside cloud till code` makes one" in late.err
    assert not (till.state_dir / "identity.json").exists()

    code = world.command("cloud", "till", "code", "till-1").out.split()[-1]
    assert "This machine is till till-1" in till.command("agent", "enrol", "--code", code).out
    again = till.command("agent", "enrol", "--code", code, status=1)
    assert "Traceback" not in again.err
    assert "--again" in again.err


def test_a_copied_state_directory_is_quarantined_and_the_right_one_goes_on_after_a_new_enrolment(world: World) -> None:
    """Two agents, one identity: neither is taken from until somebody decides; both sell, and nothing is lost of one."""
    world.start_cloud()
    code = world.command("cloud", "till", "code", "till-1").out.split()[-1]
    one = machine(world, "pc-1")
    one.command("agent", "enrol", "--code", code)
    one.start().wait_members().pos.sell("before", receipt(10_000))
    one.drain()
    one.stop()
    two = machine(world, "pc-2")
    shutil.copytree(one.state_dir, two.state_dir)
    one.start()
    two.start()
    one.pos.sell("one", receipt(10_000))
    two.pos.sell("two", receipt(20_000))
    for each in (one, two):
        each.wait_status(lambda s: "till_quarantined" in s["sync"]["last_error"], "the two to be found out")
        assert "sync_halted" in {problem["code"] for problem in each.status()["problems"]}
        each.pos.sell(f"{each.folder.name}-{each.name}-on", receipt(1_000))
    assert "two_" in world.command("cloud", "till", "list").out

    two.stop()
    one.stop()
    code = world.command("cloud", "till", "code", "till-1").out.split()[-1]
    one.command("agent", "enrol", "--again", "--code", code)
    one.start().wait_members()
    one.drain()
    assert one.pos.ask("GET", "/v1/sales/one")["sync"] in ("applied", "adjusted")
    two.start()
    two.wait_status(lambda s: "token_invalid" in s["sync"]["last_error"], "the copy to be shut out")
    two.stop()
    one.stop()
    world.verify()

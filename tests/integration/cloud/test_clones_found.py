"""Two machines that are one till are found while both are online; nothing else that befalls a till looks like it."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from integration.cloud.signing_kit import NOON_MS, TEN_YEARS_MS, Machine, Signer, TillClock, World, push_body, world
from kit.loops import run
from till_cloud.centre import Centre
from till_cloud.enrolment import issue_code
from till_cloud.guard import TWICE_LIMIT
from till_cloud.server import CloudServer
from till_cloud.store import tills
from till_sync import keys
from till_sync.counters import BLOCK, COUNTER_FILE
from till_sync.exceptions import IdentityRefused

DAYS_30_MS = 30 * 86_400_000


async def first(world: World, **options: Any) -> Machine:
    """The till's own machine, enrolled with a key and at work."""
    machine = world.machine("first", **options)
    await machine.enrol(world.code())
    client = await machine.start()
    for _ in range(3):
        await client.hello()
    return machine


def copied(world: World, machine: Machine) -> Machine:
    """Another machine with a copy of the state directory."""
    made = world.machine("second")
    shutil.copytree(machine.folder, made.folder)
    return made


async def said(machine: Machine) -> str:
    """What the cloud says to a hello: "" when it is answered."""
    try:
        await machine.client.hello()
    except IdentityRefused as error:
        return error.code
    return ""


async def until_refused(*machines: Machine, most: int = 6) -> int:
    """Let the machines ask in turn; how many requests it took until one was refused `till_quarantined`."""
    for count in range(1, most + 1):
        machine = machines[count % len(machines)]
        if await said(machine) == "till_quarantined":
            return count
    raise AssertionError(f"expected a refusal within {most} requests")


def test_a_copied_directory_is_found_within_a_few_requests(tmp_path: Path) -> None:
    """Both are refused from then on, with what to do; the cloud has stored it and says why."""

    async def case() -> None:
        async with world(tmp_path) as made:
            one = await first(made)
            two = copied(made, one)
            await two.start()
            assert await until_refused(one, two) <= 3
            for machine in (one, two, one):
                with pytest.raises(IdentityRefused, match="cloud till release") as caught:
                    await machine.client.hello()
                assert caught.value.code == "till_quarantined"
                assert not caught.value.retryable
            row = made.till()
            assert (row["quarantined_at_ms"], row["quarantine_reason"]) == (NOON_MS, "two_machines")

    run(case())


@pytest.mark.parametrize("asks", [(0, 0, 0, 1, 1, 1, 0), (0, 1), (1, 0)])
def test_two_copies_that_begin_at_the_same_time_are_found(asks: tuple[int, ...], tmp_path: Path) -> None:
    """An image laid onto two machines, whichever asks first and how often."""

    async def case() -> None:
        async with world(tmp_path) as made:
            one = await first(made)
            await one.stop()
            machines = (one, copied(made, one))
            for machine in machines:
                await machine.start()
            assert "till_quarantined" in [await said(machines[which]) for which in asks * 4]

    run(case())


def test_two_copies_are_found_across_a_restart_of_the_cloud(tmp_path: Path) -> None:
    """What the former process had seen is gone; two machines that are both alive show it again."""

    async def case() -> None:
        async with world(tmp_path) as made:
            one = await first(made)
            two = copied(made, one)
            await two.start()
            await two.client.hello()
            made.chain.centre._guard = type(made.chain.centre._guard)(NOON_MS)  # as a new process begins
            assert await until_refused(one, two) <= 4

    run(case())


def test_a_machine_that_was_copied_while_it_ran_is_found(tmp_path: Path) -> None:
    """A virtual machine with its memory: one run, one counter, two machines."""

    async def case() -> None:
        async with world(tmp_path) as made:
            private = keys.new_key()
            assert made.chain.centre.add_key("k1", keys.public_of(private)).result()
            one, two = Signer(made.ops.token, private), Signer(made.ops.token, private)
            codes = []
            for number in range(TWICE_LIMIT + 1):
                await made.http.request(**one.request("GET", "/v1/tills/k1/hello"))
                answer = await made.http.request(**two.request("GET", f"/v1/tills/k1/hello?waiting={number}"))
                codes.append(answer.json()["code"])
            assert codes == ["counter_behind"] * (TWICE_LIMIT - 1) + ["till_quarantined"] * 2
            assert made.till()["quarantine_reason"] == "two_machines"

    run(case())


def test_one_epoch_with_two_histories_is_found(tmp_path: Path) -> None:
    """Copies that are never online together: the second to push tells other operations under the same numbers."""

    async def case() -> None:
        async with world(tmp_path) as made:
            private = keys.new_key()
            assert made.chain.centre.add_key("k1", keys.public_of(private)).result()
            signer = Signer(made.ops.token, private)
            made.ops.sale("a", "m-1", 10_000)
            assert (await push(made, signer)).status_code == 200
            made.ops.ops.clear()
            del made.ops.heads[1:]
            made.ops.sale("b", "m-1", 20_000)
            answer = await push(made, signer)
            assert (answer.status_code, answer.json()["code"]) == (422, "fingerprint_mismatch")
            refused = await push(made, signer)
            assert (refused.status_code, refused.json()["code"]) == (403, "till_quarantined")
            assert made.till()["quarantine_reason"] == "two_histories"

    run(case())


def test_a_till_without_a_key_is_not_put_into_quarantine(tmp_path: Path) -> None:
    """A former release goes on as it did: the push is refused, and the till halts by itself."""

    async def case() -> None:
        async with world(tmp_path) as made:
            made.ops.sale("a", "m-1", 10_000)
            made.ops.push()
            made.ops.ops.clear()
            del made.ops.heads[1:]
            made.ops.sale("b", "m-1", 20_000)
            with pytest.raises(Exception, match="fingerprint_mismatch"):
                made.ops.push()
            made.chain.centre.write(lambda c: None).result()
            assert made.till()["quarantined_at_ms"] == 0

    run(case())


async def push(world: World, signer: Signer, first_seq: int = 1) -> Any:
    return await world.http.request(**signer.request("POST", "/v1/tills/k1/ops", push_body(world.ops, first_seq)))


async def restarted(world: World, machine: Machine) -> None:
    """Ten times, at once after a request, as after kill -9."""
    for _ in range(10):
        await (await machine.start()).hello()


async def crashed_without_its_counter(world: World, machine: Machine) -> None:
    """The disk kept nothing of the counter."""
    await machine.stop()
    (machine.folder / COUNTER_FILE).unlink()
    await (await machine.start()).hello()


async def put_back(world: World, machine: Machine) -> None:
    """A state directory from a backup, ten thousand requests old."""
    backup = machine.folder.with_name("backup")
    shutil.copytree(machine.folder, backup)
    machine.transport._counter.raise_to(12 * BLOCK)
    await machine.client.hello()
    await machine.stop()
    shutil.rmtree(machine.folder)
    backup.rename(machine.folder)
    await (await machine.start()).hello()


async def moved(world: World, machine: Machine) -> None:
    """To another PC, the first one switched off for good."""
    two = copied(world, machine)
    await machine.stop()
    await (await two.start()).hello()
    await two.stop()
    machine.folder = two.folder
    await machine.start()


async def offline_for_30_days(world: World, machine: Machine) -> None:
    world.chain.wall.ms += DAYS_30_MS
    machine.clock.wall += DAYS_30_MS
    machine.clock.mono += DAYS_30_MS


async def wall_goes_ten_years_back(world: World, machine: Machine) -> None:
    machine.clock.wall -= TEN_YEARS_MS
    await (await machine.start()).hello()


async def suspended(world: World, machine: Machine) -> None:
    """The monotonic clock stands still while the machine sleeps."""
    world.chain.wall.ms += 3_600_000


async def cloud_restarts(world: World, machine: Machine) -> None:
    world.chain.wall.ms += 5_000
    world.chain.centre._guard = type(world.chain.centre._guard)(world.chain.wall.ms)


async def cloud_clock_goes_back(world: World, machine: Machine) -> None:
    world.chain.wall.ms -= 3_600_000


async def disk_takes_no_counter(world: World, machine: Machine) -> None:
    """A directory is in the counter's place: it can be neither read nor written."""
    (machine.folder / COUNTER_FILE).unlink()
    (machine.folder / COUNTER_FILE).mkdir()
    for _ in range(3):
        await (await machine.start()).hello()


async def enrolled_again(world: World, machine: Machine) -> None:
    await machine.stop()
    await machine.enrol(world.code())
    await machine.start()


async def late_requests(world: World, machine: Machine) -> None:
    """What a run that is over had sent comes after its successor's first."""
    identity = machine.identity
    late = Signer(identity.token, identity.private_key, run="a" * 16)
    late.counter = 50_000
    waiting = [late.request("GET", "/v1/tills/k1/hello") for _ in range(4)]
    assert (await world.http.request(**late.request("GET", "/v1/tills/k1/hello"))).status_code == 200
    (machine.folder / COUNTER_FILE).write_text(f"{50_000 + BLOCK}\n", "ascii")
    await (await machine.start()).hello()
    for request in waiting:
        assert (await world.http.request(**request)).json()["code"] == "counter_behind"


HONEST: list[Callable[[World, Machine], Awaitable[None]]] = [
    restarted,
    crashed_without_its_counter,
    put_back,
    moved,
    offline_for_30_days,
    wall_goes_ten_years_back,
    suspended,
    cloud_restarts,
    cloud_clock_goes_back,
    disk_takes_no_counter,
    enrolled_again,
    late_requests,
]


@pytest.mark.parametrize("happens", HONEST, ids=lambda case: case.__name__)
def test_what_befalls_an_honest_till_is_no_clone(
    happens: Callable[[World, Machine], Awaitable[None]], tmp_path: Path
) -> None:
    """It is answered at its next request, and ever after."""

    async def case() -> None:
        async with world(tmp_path) as made:
            machine = await first(made)
            await happens(made, machine)
            for _ in range(5):
                await asyncio.gather(*(machine.client.hello() for _ in range(3)))
            assert made.till()["quarantined_at_ms"] == 0

    run(case())


@pytest.mark.parametrize("off_ms", [-TEN_YEARS_MS, -400_000, 0, 400_000, TEN_YEARS_MS])
def test_a_till_signs_by_the_clouds_time(off_ms: int, tmp_path: Path) -> None:
    """Whatever its wall clock says: the first request is sent twice at most, no later one is."""

    async def case() -> None:
        async with world(tmp_path) as made:
            machine = made.machine("first", clock=TillClock(wall_off_ms=off_ms))
            await machine.enrol(made.code())
            client = await machine.start()
            for _ in range(5):
                await client.hello()
            guard = made.chain.centre._guard
            assert guard.highest("k1") <= 6

    run(case())


def test_after_the_release_the_right_machine_goes_on_and_loses_nothing(tmp_path: Path) -> None:
    """The wrong one is enrolled as a till of its own first; the queue drains, each sale once."""

    async def case() -> None:
        async with world(tmp_path) as made:
            one = await first(made)
            made.ops.sale("before", "m-1", 10_000)
            await one.client.push(push_body(made.ops))
            two = copied(made, one)
            await two.start()
            await until_refused(one, two)
            made.ops.sale("meanwhile", "m-1", 20_000)
            with pytest.raises(IdentityRefused):
                await one.client.push(push_body(made.ops, 2))
            made.chain.centre.write(lambda c: tills.add_till(c, "k2", "s1", NOON_MS)).result()
            await two.stop()
            await two.enrol(made.chain.centre.write(lambda c: issue_code(c, "k2", NOON_MS)).result())
            made.chain.centre.write(lambda c: tills.release(c, "k1")).result()
            answer = await one.client.push(push_body(made.ops, 2))
            assert (answer.acked_seq, answer.results[0].status) == (2, "applied")
            again = await one.client.push(push_body(made.ops))
            assert [result.status for result in again.results] == ["duplicate", "duplicate"]
            await (await two.start()).hello()
            for _ in range(5):
                await one.client.hello()
            assert made.till()["acked_seq"] == 2
            assert made.chain.rows("SELECT count(*) FROM movements WHERE kind = 'sale'") == [(2,)]
            assert [made.till(name)["quarantined_at_ms"] for name in ("k1", "k2")] == [0, 0]

    run(case())


def test_a_release_while_both_still_run_ends_in_quarantine_again(tmp_path: Path) -> None:
    """Nothing is decided by it."""

    async def case() -> None:
        async with world(tmp_path) as made:
            one = await first(made)
            two = copied(made, one)
            await two.start()
            await until_refused(one, two)
            made.chain.centre.write(lambda c: tills.release(c, "k1")).result()
            await until_refused(one, two, most=8)

    run(case())


def test_enrolling_the_right_machine_again_shuts_the_other_one_out(tmp_path: Path) -> None:
    """A new token and a new key: no release is needed."""

    async def case() -> None:
        async with world(tmp_path) as made:
            one = await first(made)
            two = copied(made, one)
            await two.start()
            await until_refused(one, two)
            await one.enrol(made.code())
            client = await one.start()
            for _ in range(3):
                await client.hello()
                with pytest.raises(IdentityRefused) as caught:
                    await two.client.hello()
                assert caught.value.code == "token_invalid"
            assert made.till()["quarantined_at_ms"] == 0

    run(case())


def test_a_quarantine_outlives_the_cloud(tmp_path: Path) -> None:
    """It is in the database, and holds in the next process from the first request on."""

    async def case() -> None:
        async with world(tmp_path) as made:
            one = await first(made)
            made.chain.centre.write(lambda c: tills.quarantine(c, "k1", "two_machines", NOON_MS)).result()
            centre = await asyncio.to_thread(Centre, made.chain.centre.path, wall_ms=made.chain.wall)
            server = CloudServer(centre)
            try:
                one.url = f"http://127.0.0.1:{await server.start()}"
                client = await one.start()
                with pytest.raises(IdentityRefused, match="till_quarantined"):
                    await client.hello()
            finally:
                await one.stop()
                await server.stop()

    run(case())


def test_mutant_without_the_rule_a_copy_is_not_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A retired run that comes back is let in: then the test of a copied directory fails."""
    from till_cloud import guard

    def careless(self: Any, known: Any, signed: Any) -> None:
        known.run = signed.run
        guard._take(known, signed)

    monkeypatch.setattr(guard.Guard, "_count", careless)
    with pytest.raises(AssertionError, match="expected a refusal"):
        test_a_copied_directory_is_found_within_a_few_requests(tmp_path)


def test_mutant_that_takes_a_restart_for_a_clone_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another name of a run alone proves nothing."""
    from till_cloud import guard

    true = guard.Guard._count

    def hasty(self: Any, known: Any, signed: Any) -> None:
        if known.run and signed.run != known.run:
            raise guard._found(known, signed.till)
        true(self, known, signed)

    monkeypatch.setattr(guard.Guard, "_count", hasty)
    with pytest.raises(IdentityRefused):
        test_what_befalls_an_honest_till_is_no_clone(restarted, tmp_path)

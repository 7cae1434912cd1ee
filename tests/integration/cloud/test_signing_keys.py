"""How a till comes by its key: at enrolment, or by itself if it was enrolled before tills had keys; and how it ends."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from integration.cloud.signing_kit import NOON_MS, Signer, World, push_body, world
from kit.commands import tillside
from kit.loops import run
from till_cloud import changes
from till_sync import keys, signing
from till_sync.exceptions import CloudRefused, CloudUnreachable, IdentityError, IdentityRefused
from till_sync.identity import IDENTITY_FILE, load_identity, save_identity


def command(world: World, *words: str) -> str:
    return tillside("cloud", *words, "--db", world.chain.centre.path).stdout


async def command_beside(world: World, *words: str) -> str:
    """A command of the chain's staff while the cloud runs."""
    return await asyncio.to_thread(command, world, *words)


def test_enrolment_leaves_the_public_key_here_and_the_private_one_there(tmp_path: Path) -> None:
    """Nothing but that file has it, and only its owner may read it."""

    async def case() -> None:
        async with world(tmp_path) as made:
            machine = made.machine("first")
            await machine.enrol(made.code())
            identity = machine.identity
            assert made.till()["public_key"] == keys.public_of(identity.private_key)
            assert identity.private_key not in repr(identity)
            assert (machine.folder / IDENTITY_FILE).stat().st_mode & 0o777 == 0o600
            assert identity.private_key.encode() not in made.chain.centre.path.read_bytes()
            await (await machine.start()).hello()

    run(case())


def test_a_till_with_a_token_makes_a_key_by_itself(tmp_path: Path) -> None:
    """At its first hello; kept before it is used, the same after a restart, and asked for from then on."""

    async def case() -> None:
        async with world(tmp_path) as made:
            machine = made.machine("first")
            await machine.enrol(made.code(), with_key=False)
            assert made.till()["public_key"] == ""
            client = await machine.start()
            await client.hello()
            made_key = machine.identity.private_key
            assert len(made_key) == 64
            await client.changes("", limit=10)
            assert made.till()["public_key"] == keys.public_of(made_key)
            await (await machine.start()).hello()
            assert machine.identity.private_key == made_key
            headers = {"authorization": f"Bearer {machine.identity.token}"}
            unsigned = await made.http.get("/v1/tills/k1/hello", headers=headers)
            assert (unsigned.status_code, unsigned.json()["code"]) == (401, "signature_missing")

    run(case())


def test_the_second_of_two_that_make_a_key_is_refused(tmp_path: Path) -> None:
    """A token that was copied before tills had keys: the first machine to hand in a key is the till."""

    async def case() -> None:
        async with world(tmp_path) as made:
            one, two = made.machine("first"), made.machine("second")
            await one.enrol(made.code(), with_key=False)
            two.folder.mkdir()
            save_identity(two.folder / IDENTITY_FILE, one.identity)
            for machine in (one, two):
                client = await machine.start()
                await client.hello()
            await one.client.changes("", limit=10)
            with pytest.raises(IdentityRefused) as caught:
                await two.client.changes("", limit=10)
            assert caught.value.code == "signature_wrong"
            await one.client.hello()
            assert made.till()["quarantined_at_ms"] == 0

    run(case())


def test_a_till_makes_no_key_for_a_cloud_of_a_former_release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor packs what it sends: such a cloud's hello says neither."""
    monkeypatch.setattr(changes, "NEWEST_PROTOCOL", 2)

    async def case() -> None:
        async with world(tmp_path) as made:
            machine = made.machine("first")
            await machine.enrol(made.code(), with_key=False)
            for _ in range(3):
                await (await machine.start()).hello()
            assert machine.identity.private_key == ""
            assert not machine.transport.signs

    run(case())


def test_a_key_that_can_not_be_kept_is_not_used(tmp_path: Path) -> None:
    """A full disk: the till goes on by its token, and the cloud knows no key that the next start would not have."""

    async def case() -> None:
        async with world(tmp_path) as made:
            machine = made.machine("first")
            await machine.enrol(made.code(), with_key=False)
            client = await machine.start()

            def full(_key: str) -> None:
                raise IdentityError("can't write: no space left")

            machine.transport._keep_key = full
            await client.hello()
            await client.changes("", limit=10)
            assert (machine.transport.signs, made.till()["public_key"]) == (False, "")

    run(case())


def test_a_crash_between_making_and_handing_in_is_made_good(tmp_path: Path) -> None:
    """So is a cloud that was put back to before it knew the key."""

    async def case() -> None:
        async with world(tmp_path) as made:
            machine = made.machine("first")
            await machine.enrol(made.code(), with_key=False)
            path = machine.folder / IDENTITY_FILE
            save_identity(path, load_identity(path).with_private_key(keys.new_key()))
            await (await machine.start()).hello()
            public = keys.public_of(machine.identity.private_key)
            assert made.till()["public_key"] == public
            made.chain.centre.write(lambda c: c.execute("UPDATE tills SET public_key = ''")).result()
            await machine.client.hello()
            assert made.till()["public_key"] == public

    run(case())


def test_enrolling_again_changes_the_key(tmp_path: Path) -> None:
    """Rotation: what the former key signs is refused from then on."""

    async def case() -> None:
        async with world(tmp_path) as made:
            machine = made.machine("first")
            await machine.enrol(made.code())
            before = machine.identity
            await machine.enrol(made.code())
            assert machine.identity.private_key != before.private_key
            old = Signer(machine.identity.token, before.private_key).request("GET", "/v1/tills/k1/hello")
            assert (await made.http.request(**old)).json()["code"] == "signature_wrong"
            await (await machine.start()).hello()

    run(case())


def test_staff_see_and_end_a_quarantine_by_command(tmp_path: Path) -> None:
    """Beside the running cloud, which heeds it at the till's next request; other tills hear nothing of it."""

    async def case() -> None:
        async with world(tmp_path) as made:
            machine = made.machine("first")
            await machine.enrol(made.code())
            client = await machine.start()
            await client.hello()
            from till_cloud.guard import CloneFoundError

            made.chain.centre._quarantine(CloneFoundError("k1", "two_machines"))
            made.chain.centre.write(lambda c: None).result()
            with pytest.raises(IdentityRefused):
                await client.hello()
            assert "two_machines" in await command_beside(made, "till", "list")
            assert '"quarantine_reason": "two_machines"' in await command_beside(made, "till", "list", "--json")
            assert "is released" in await command_beside(made, "till", "release", "k1")
            await client.hello()
            assert "no quarantine" in await command_beside(made, "till", "release", "k1")

    run(case())


def test_a_till_that_goes_back_to_a_former_release_is_let_in_by_command(tmp_path: Path) -> None:
    """Its key is forgotten; when it is brought up to date again it hands in its key again."""

    async def case() -> None:
        async with world(tmp_path) as made:
            machine = made.machine("first")
            await machine.enrol(made.code())
            headers = {"authorization": f"Bearer {machine.identity.token}"}
            former = await made.http.get("/v1/tills/k1/hello", headers=headers)
            assert former.json()["code"] == "signature_missing"
            await command_beside(made, "till", "release", "k1", "--forget-key")
            assert (await made.http.get("/v1/tills/k1/hello", headers=headers)).status_code == 200
            await (await machine.start()).hello()
            assert made.till()["public_key"] == keys.public_of(machine.identity.private_key)

    run(case())


def test_the_counter_is_stored_with_a_push(tmp_path: Path) -> None:
    """In its transaction, not in one of its own."""

    async def case() -> None:
        async with world(tmp_path) as made:
            machine = made.machine("first")
            await machine.enrol(made.code())
            client = await machine.start()
            for _ in range(4):
                await client.hello()
            assert made.till()["counter"] == 0
            made.ops.sale("a", "m-1", 10_000)
            await client.push(push_body(made.ops))
            assert made.till()["counter"] == 5

    run(case())


def test_a_body_that_was_damaged_on_its_way_is_a_bad_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The till tries again, as after any other failure of the line; nothing of it is the operations' fault."""
    monkeypatch.setattr(signing, "digest_of", lambda body: signing.digest_field(b"x" * 32))

    async def case() -> None:
        async with world(tmp_path) as made:
            machine = made.machine("first")
            await machine.enrol(made.code())
            client = await machine.start()
            await client.hello()
            made.ops.sale("a", "m-1", 10_000)
            with pytest.raises(CloudUnreachable) as caught:
                await client.push(push_body(made.ops))
            assert (caught.value.code, caught.value.retryable) == ("digest_mismatch", True)
            assert made.till()["acked_seq"] == 0

    run(case())


@pytest.mark.parametrize(
    "body", [b'{"public_key":""}', b'{"public_key":"zz"}', b'{"public_key":"AB"}', b"{}", b"[]", b"{"]
)
def test_what_is_no_key_is_not_taken(body: bytes, tmp_path: Path) -> None:
    async def case() -> None:
        async with world(tmp_path) as made:
            signer = Signer(made.ops.token, keys.new_key())
            answer = await made.http.request(**signer.request("POST", "/v1/tills/k1/key", body))
            assert answer.status_code in (400, 422)
            assert made.till()["public_key"] == ""

    run(case())


def test_a_mend_is_tried_once(tmp_path: Path) -> None:
    """A cloud that always finds the signature stale gets two requests, not a storm."""

    async def case() -> None:
        async with world(tmp_path) as made:
            machine = made.machine("first")
            await machine.enrol(made.code())
            client = await machine.start()
            sent: list[Any] = []
            inner = machine.transport._inner.exchange

            async def counted(*arguments: Any, **named: Any) -> Any:
                sent.append(arguments)
                made.chain.wall.ms = NOON_MS + 10**9 * len(sent)
                return await inner(*arguments, **named)

            machine.transport._inner.exchange = counted
            with pytest.raises(CloudRefused, match="signature_stale"):
                await client.hello()
            assert len(sent) == 2

    run(case())

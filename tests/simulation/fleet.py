"""What eight hundred tills bring: programmes in waves, journals that let go of old rows, queues carried on a stick.

Every fifth seed lives through these too, between the steps that it always had; the others play as they
always did.
"""

import asyncio
import contextlib
from pathlib import Path
from random import Random
from typing import Any
from unittest import mock

from msgspec.structs import replace

from simulation import chain
from simulation.centre import SimulatedCloud
from simulation.checks import Broken
from simulation.shop import Cashier
from simulation.till import Died, SimulatedTill
from till_agent.journal import carrying_out, pruning
from till_agent.journal.schema import LARGEST_SEQ
from till_cloud import carried, registry, waves
from till_cloud.exceptions import AdminError
from till_cloud.store import meta, programmes, tills
from till_cloud.store import waves as wave_rows
from till_loyalty.programme import Programme
from till_sync import keys
from till_sync.identity import Identity

EVERY = 5
WEIGHTS = {"wave": 6, "prune": 12, "carry_out": 6, "carry_in": 6, "back_up": 2, "restore_older": 3, "none": 10}
KEEPS_ROWS = 1
"""Instead of the newest 2,000, and of 30 days: hours are all that a seed has."""
HEARD_S = 1_500.0
"""Each till with a line has greeted a cloud that came back."""
MAY_BE_TOLD = ("stale_epoch", "seq_gap")
"""A stick that comes late: another journal has begun, or the cloud was put back to before what it goes on from."""


def extra_of(seed: int, number: int) -> str:
    """What comes after a seed's step besides; "none" is nothing."""
    if seed % EVERY:
        return "none"
    return Random(f"extra {seed} {number}").choices(list(WEIGHTS), list(WEIGHTS.values()))[0]


class Fleet:
    """Plays those steps with the chain's cloud and tills."""

    def __init__(self, cloud: SimulatedCloud, sticks: Path, policy: str) -> None:
        self._cloud = cloud
        self._policy = policy
        self._sticks = sticks
        self._carried: list[Path] = []
        sticks.mkdir()

    async def take(self, what: str, cashier: Cashier, random: Random) -> None:
        """One of WEIGHTS."""
        if what != "none":
            await getattr(self, f"_{what}")(cashier, random)

    async def _wave(self, _cashier: Cashier, random: Random) -> None:
        """A new version of the programme for one till, for all, or for nobody any more."""
        if not self._cloud.up:
            return

        def move(connection: Any) -> None:
            now_ms = self._cloud.centre.wall_ms()
            row = wave_rows.open_wave(connection, "programme")
            if row is None:
                version = programmes.highest_version(connection, chain.PROGRAMME.id) + 1
                registry.upload(connection, _version(self._policy, version), now_ms, staged=True)
                order = waves.StartOrder(kind="programme", version=str(version), sizes=(1, 2, 0), soak_ms=0)
                waves.start(connection, order, now_ms)
            elif random.randrange(4) == 0:
                waves.withdraw(connection, "programme", now_ms)
            elif row.state == "halted":
                waves.resume(connection, "programme", now_ms)
            elif random.randrange(3) == 0:
                waves.halt(connection, "programme", "by hand", now_ms)
            else:
                # Where the clock was set back, a step would be watched for years: staff go on by `--now` then.
                waves.advance(connection, "programme", now_ms, without_soak=self._cloud.clock_was_set)

        self._cloud.centre.write(move).result()

    async def _prune(self, cashier: Cashier, _random: Random) -> None:
        """The till lets go of all that it may, as if it were old. A backup is made after it: of a cloud that was put
        back to before these rows nobody has them but a newer backup."""
        till = cashier.till
        session = till.journal._writer._session if till.life.alive else None
        if session is None or not self._cloud.up:
            return
        rows = session.connection.execute("SELECT kind, uid, id, body, answer FROM entries").fetchall()
        sent = {state.epoch: state.acked_seq for state in session.epochs}
        if any(row[2] & LARGEST_SEQ <= sent[row[2] >> 40] and not self._holds(till, row) for row in rows):
            return  # put back, and the till has not heard of it: real backups are younger than 90 days
        till.may_be_gone.update({(row[0], row[1]): row[2:] for row in rows})
        with (
            mock.patch.object(pruning, "LEAST_DAYS", 0),
            mock.patch.object(pruning, "NEWEST_ROWS", KEEPS_ROWS),
            contextlib.suppress(Died),
        ):
            await till.call(till.journal.prune(0))
        self._cloud.keep_newest()

    async def _back_up(self, _cashier: Cashier, _random: Random) -> None:
        self._cloud.back_up()

    async def _restore_older(self, _cashier: Cashier, _random: Random) -> None:
        """Somebody puts back a backup that is too old: tills that let go of what it lacks say so and stop sending.

        Then the newest backup is found.
        """
        if not self._cloud.has_newest or not self._cloud.restore():
            return
        await asyncio.sleep(HEARD_S)
        self._cloud.restore(newest=True)

    async def _carry_out(self, cashier: Cashier, _random: Random) -> None:
        """What waits goes to a stick."""
        till = cashier.till
        session = till.journal._writer._session if till.life.alive else None
        if session is None or not self._cloud.up:
            return
        identity = Identity(
            till=till.name,
            store=till.identity.store,
            store_name="",
            time_zone=till.identity.time_zone,
            token="",
            identifier_key="",
            private_key=chain.private_key(till.name),
            seal_key=self._cloud.read(meta.seal_key),
        )
        with mock.patch.object(carrying_out, "SystemClock", return_value=till.clock):
            done = carrying_out.carry_out(session.reader, session.epochs, identity, self._sticks)
        if done.operations and Path(done.path) not in self._carried:
            self._carried.append(Path(done.path))

    async def _carry_in(self, _cashier: Cashier, random: Random) -> None:
        """Some stick arrives, maybe for the second time, maybe long after the line was back."""
        if not self._carried or not self._cloud.up:
            return
        path = random.choice(self._carried)
        write = self._cloud.centre.write
        name = path.name.split("-")[0]
        public_key = keys.public_of(chain.private_key(name))
        is_new = write(lambda connection: tills.add_key(connection, name, public_key)).result()
        try:
            carried.take(self._cloud.centre._writer, path, self._cloud.centre.wall_ms())
        except AdminError as error:
            if not str(error).startswith(MAY_BE_TOLD):
                raise Broken(f"2 the queue of {path.name} is refused: {error}") from None
        finally:
            if is_new:
                write(lambda connection: tills.forget_key(connection, name)).result()

    def _holds(self, till: SimulatedTill, row: Any) -> bool:
        return self._cloud.read(lambda connection: holds(connection, till.name, row[2], row[3]))


def holds(connection: Any, till: str, identity: int, body: bytes) -> bool:
    """Whether the cloud has an op, byte for byte."""
    found = connection.execute(
        "SELECT body FROM ops WHERE till = ? AND epoch = ? AND seq = ?",
        (till, identity >> 40, identity & LARGEST_SEQ),
    ).fetchone()
    return found is not None and bytes(found[0]) == body


def _version(policy: str, version: int) -> Programme:
    """The chain's programme as that version; each gives other points, and keeps the same limits."""
    base = chain.programme(policy)
    first = replace(base.rules[0], percent_basis_points=700 + 100 * (version % 4))
    return replace(base, version=version, rules=(first, *base.rules[1:]))

"""A till whose journal was damaged, cut, deleted or put back from an old copy: it is up again by itself within seconds,
sells, and everything that can be proven reaches the cloud, once."""

import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kit.bridge import receipt
from kit.cashier import Cashier
from kit.chain import ANNA, Chain
from kit.proof import at_cloud
from kit.waiting import wait_for
from kit.world import World

pytestmark = [pytest.mark.faults, pytest.mark.timeout(180)]

SEED = 11
SECTOR = 512
UP_WITHIN_S = 10.0
"""What the product promises of a start, whatever the journal has come to."""


@pytest.fixture
def open_world(tmp_path: Path, forking_chain: Chain) -> Iterator[World]:
    """A cloud behind a line that can be cut."""
    with World(tmp_path, forking_chain) as found:
        found.start_cloud()
        yield found


class Day:
    """Some sales that the cloud has, some that wait, and the state directory as a kill left it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.till = world.till()
        self.till.start().wait_members()
        self.cashier = Cashier(self.till, random.Random(SEED))
        self.cashier.sell(5)
        self.till.drain()
        world.line.mode = "500"
        self.cashier.sell(8)
        self.till.kill()
        self.image = world.folder / "image"
        shutil.copytree(self.till.state_dir, self.image)

    def put_back(self, change: Callable[[Path], object]) -> None:
        """The image with a change made to it."""
        shutil.rmtree(self.till.state_dir)
        shutil.copytree(self.image, self.till.state_dir)
        change(self.till.state_dir)

    def goes_on(self) -> set[str]:
        """Up in time, sells without a line, drains with one; the books hold. Gives the day's sales at the cloud."""
        till = self.till
        self.world.line.mode = "500"
        till.start()
        wait_for(lambda: till.status()["ready"], "the till to take sales", patience_s=UP_WITHIN_S)
        fresh = Cashier(till, random.Random())
        uid = f"new-{fresh.rng.getrandbits(60):x}"
        answer = till.pos.send("PUT", f"/v1/sales/{uid}", receipt(10_000, member={"card": ANNA.card}))
        assert answer.status_code == 200, answer.text
        self.world.line.mode = "pass"
        till.drain()
        self.world.verify()
        self.same_balance()
        till.kill()
        sales = at_cloud(self.world.cloud_db, "SELECT uid FROM sales WHERE till = ?", till.name)
        assert (uid,) in sales
        return {each for (each,) in sales} & set(self.cashier.answers)

    def same_balance(self) -> None:
        """What the till shows of a member is what the cloud has."""
        balance = at_cloud(
            self.world.cloud_db, "SELECT balance - debt FROM balances WHERE member_id = ?", ANNA.member_id
        )[0][0]

        def shown() -> bool:
            found = self.till.pos.identify(card=ANNA.card)
            return bool(found["balance_points"] == balance and not found["unconfirmed_points"])

        wait_for(shown, f"the till to show {balance}")


@pytest.mark.parametrize("each", [1, pytest.param(20, marks=(pytest.mark.soak, pytest.mark.timeout(0)))])
def test_every_kind_of_damage_leaves_a_till_that_goes_on(open_world: World, each: int):
    """A changed bit in file and log, a log cut, deleted or garbled, its index garbled: one life after another."""
    day = Day(open_world)
    draw = random.Random(SEED)
    log, main = (day.image / "journal.db-wal").read_bytes(), (day.image / "journal.db").read_bytes()

    def flip(name: str, content: bytes) -> Callable[[Path], object]:
        bit = draw.randrange(len(content) * 8)
        changed = bytearray(content)
        changed[bit // 8] ^= 1 << bit % 8
        return lambda folder: (folder / name).write_bytes(changed)

    used = len(log.rstrip(b"\0"))
    changes = [flip("journal.db-wal", log[:used]) for _ in range(each)]
    changes += [flip("journal.db", main) for _ in range(each) if main]
    lengths = range(SECTOR, used, SECTOR)
    changes += [
        lambda folder, n=n: (folder / "journal.db-wal").write_bytes(log[:n]) for n in draw.sample(lengths, each)
    ]
    changes += [
        lambda folder: (folder / "journal.db-wal").unlink(),
        lambda folder: (folder / "journal.db-shm").write_bytes(b"\xa5" * 32_768),
    ]
    for change in changes:
        day.put_back(change)
        # Of a changed bit, the row that it hit; the first life is of a log, of which SQLite drops all behind it.
        assert len(day.goes_on()) >= len(day.cashier.answers) - 1


@pytest.mark.parametrize("names", [("journal.db",), ("journal.db", "journal.db-witness")], ids=["seen", "unseen"])
def test_an_old_copy_that_is_put_back_is_found_out(open_world: World, names: tuple[str, ...]):
    """By the witness at start; or by the cloud at hello, when the witness is as old: a new epoch, nothing doubled."""
    world = open_world
    till = world.till()
    till.start().wait_members()
    cashier = Cashier(till, random.Random(SEED))
    cashier.sell(3)
    till.drain()
    world.line.mode = "500"
    cashier.sell(2)
    till.stop()
    copy = {name: (till.state_dir / name).read_bytes() for name in names}
    till.start()
    world.line.mode = "pass"
    cashier.sell(4)
    till.drain()
    till.stop()
    for name, content in copy.items():
        (till.state_dir / name).write_bytes(content)
    world.line.mode = "500"
    till.start()
    cashier.sell(2)
    world.line.mode = "pass"
    till.drain()
    status = till.status()
    assert status["sync"]["halted"] == ""
    epochs = {
        epoch for (epoch,) in at_cloud(world.cloud_db, "SELECT DISTINCT epoch FROM ops WHERE till = ?", till.name)
    }
    assert len(epochs) == 2
    assert {uid for (uid,) in at_cloud(world.cloud_db, "SELECT uid FROM sales WHERE till = ?", till.name)} == set(
        cashier.answers
    )
    applied = at_cloud(world.cloud_db, "SELECT uid FROM movements WHERE till = ? AND kind = 'sale'", till.name)
    assert len(applied) == len(set(applied))
    world.verify()
    if len(names) > 1:
        reports = list(till.state_dir.glob("journal.db.damaged-*.json"))
        assert len(reports) == 1
        assert '"old_copy"' in reports[0].read_text()

"""A disk that is full, read-only or failing: receipts are refused politely and at once, and it goes on by itself."""

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from faults.disk_kit import Jailed, failing, needs_mount, settle
from faults.journal.journal_faults import needs_strace
from kit.bridge import receipt
from kit.cashier import Cashier
from kit.chain import ANNA, Chain
from kit.world import Till, World

pytestmark = [pytest.mark.faults, pytest.mark.timeout(180)]

SEED = 5
ROOM_KIB = 400
"""Some ten sales; the room that the log wants is not there."""
SALES_LIMIT = 200


@pytest.fixture
def open_world(tmp_path: Path, chain: Chain) -> Iterator[World]:
    """A cloud and a till that has its members."""
    with World(tmp_path, chain) as found:
        found.start_cloud()
        yield found


def refused(till: Till, uid: str, member: "dict[str, str] | None") -> None:
    """A sale that can't be written."""
    body = receipt(10_000, **({} if member is None else {"member": member}))
    check_refused(till.pos.send("PUT", f"/v1/sales/{uid}", body), member)


def check_refused(answer: httpx.Response, member: "dict[str, str] | None") -> None:
    """A problem with words for the cashier; a plain sale may go on all the same, and is not kept."""
    told = answer.json()
    if member is None:
        assert answer.status_code == 200, answer.text
        assert not told["kept"]
        assert [message["code"] for message in told["messages"]] == ["not_kept"]
        return
    assert answer.status_code == 503, answer.text
    assert (told["code"], told["retryable"]) == ("journal_unavailable", True)
    assert "without" in told["cashier"]


def sell_until_refused(cashier: Cashier) -> str:
    """Sales until the disk takes no more; the uid of the one that was refused."""
    for _ in range(SALES_LIMIT):
        uid = cashier.ring_up()
        answer = cashier.till.pos.send("PUT", f"/v1/sales/{uid}", cashier.tried[uid])
        if answer.status_code == 503:
            assert answer.json()["code"] == "journal_unavailable"
            return uid
        assert answer.status_code == 200, answer.text
        if not answer.json()["kept"]:
            return uid
        cashier.answers[uid] = answer.content
    raise AssertionError(f"expected a full disk after {SALES_LIMIT} sales")


def sell_small_until_refused(cashier: Cashier, member: "dict[str, str] | None") -> None:
    """A small receipt may still fit into pages that the log has already; the next one does not."""
    for number in range(SALES_LIMIT):
        uid = f"small-{'card' if member else 'plain'}-{number}"
        body = receipt(10_000, **({} if member is None else {"member": member}))
        answer = cashier.till.pos.send("PUT", f"/v1/sales/{uid}", body)
        if answer.status_code == 503 or not answer.json()["kept"]:
            check_refused(answer, member)
            return
        cashier.tried[uid], cashier.answers[uid] = body, answer.content
    raise AssertionError("expected a full disk")


@needs_mount
def test_a_full_disk_refuses_receipts_politely_and_goes_on_by_itself(open_world: World):
    """With a card. Without one they go on, and are not kept. Nothing is half written; quotes go on; nothing is lost."""
    world = open_world
    till = world.till()
    till.start().wait_members().stop()
    jailed = Jailed(till, ROOM_KIB)
    till.agent = jailed
    jailed.facts()
    till.wait_members()
    cashier = Cashier(till, random.Random(SEED))
    cashier.sell()
    jailed.order("fill")
    uid = sell_until_refused(cashier)
    for member in ({"card": ANNA.card}, None):
        sell_small_until_refused(cashier, member)
    assert till.last_seq() == len(cashier.answers)
    assert cashier.till.pos.quote(receipt(10_000, member={"card": ANNA.card}))
    jailed.order("free")
    cashier.make_sure(uid)
    cashier.sell(3)
    till.drain()
    till.stop()
    jailed.end()
    shutil.rmtree(till.state_dir)
    shutil.copytree(jailed.out, till.state_dir)
    till.start()
    world.prove(till, cashier.answers, set(cashier.tried))


@needs_mount
def test_an_agent_that_starts_on_a_full_disk_comes_up_when_there_is_room(open_world: World):
    """It says why it takes no sale; or, if not even that can be written, ends with one line for the service manager."""
    world = open_world
    till = world.till()
    till.start().wait_members()
    cashier = Cashier(till, random.Random(SEED))
    cashier.sell(2)
    till.kill()
    jailed = Jailed(till, 64)
    till.agent = jailed
    jailed.facts()
    uid = cashier.ring_up()
    jailed.order("free")
    cashier.make_sure(uid)
    till.drain()
    till.stop()
    jailed.end()


@needs_strace
@pytest.mark.parametrize(
    "inject",
    [
        "fdatasync,fsync:error=EIO",
        "pwrite64,fdatasync,fsync,ftruncate:error=EROFS",
        pytest.param("pwrite64:error=ENOSPC", marks=pytest.mark.soak),
        pytest.param("pwrite64,fdatasync,fsync,ftruncate:error=EIO", marks=pytest.mark.soak),
    ],
)
def test_a_disk_that_fails_for_a_while_costs_refusals_and_nothing_else(open_world: World, tmp_path: Path, inject: str):
    """Every write or sync of the running agent fails, as on a disk that went read-only; then it is well again."""
    world = open_world
    till = world.till()
    till.start().wait_members()
    settle()
    cashier = Cashier(till, random.Random(SEED))
    cashier.sell(2)
    assert till.agent is not None
    with failing(till.agent.process.pid, inject, tmp_path / "trace"):
        for member in ({"card": ANNA.card}, None):
            refused(till, "bad-1", member)
        refused(till, "bad-2", {"card": ANNA.card})
    assert till.agent.runs
    cashier.sell(3)
    for uid in ("bad-1", "bad-2"):
        body = receipt(10_000) if uid == "bad-1" else receipt(10_000, member={"card": ANNA.card})
        answer = till.pos.send("PUT", f"/v1/sales/{uid}", body)
        # A sync that failed may have brought the bytes to the disk all the same; then the uid is taken by its sale.
        assert answer.status_code in (200, 409), answer.text
        if answer.status_code == 200:
            cashier.tried[uid] = body
            cashier.answers[uid] = answer.content
    world.prove(till, cashier.answers)

"""A till that goes back to a release without grants leaves none behind it, and loses nobody a point."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from till_cloud import granting, vouchers
from till_sync.ops import Cover, SaleBody, decode_body, encode_body
from unit.cloud.cloud_kit import Till
from unit.cloud.grants_kit import LendingChain, covered

ANNA = "m-anna"


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[LendingChain]:
    made = LendingChain(tmp_path / "cloud.db")
    made.member(ANNA, points=1_000)
    yield made
    made.sound()
    made.centre.close()


def pull_as_before(chain: LendingChain, till: Till) -> None:
    """As 0.1.0 asks: without a word of grants."""
    row = chain.centre.authenticate(till.name, f"Bearer {till.token}")
    chain.centre.changes(row, since="", limit=1000)


def push(till: Till, *, ops: int = 1, left: int = 0) -> None:
    """The newest `ops` that the cloud does not have, but for `left` of them, which wait."""
    till.push(len(till.ops) - ops + 1, len(till.ops) - left, remaining=left)


def test_what_is_lent_goes_back_when_everything_is_pushed(chain: LendingChain) -> None:
    """Sales that spent of it and waited are counted first; the rest is the member's at any till."""
    till = chain.taker()
    chain.give(till, ANNA, 600)
    covered(till, "spent", ANNA, 200, "grant")
    till.sale("after", ANNA, 100)
    pull_as_before(chain, till)
    push(till, ops=2, left=1)
    assert chain.granted(ANNA) == 400
    push(till)
    row = chain.row(till, ANNA)
    assert row is not None
    assert (chain.granted(ANNA), row.used, row.released, row.written_off) == (0, 200, 400, 0)
    assert chain.rows("SELECT count(*) FROM ops WHERE status <> 'applied'") == [(0,)]


def test_a_till_that_still_asks_keeps_its_grants(chain: LendingChain) -> None:
    """Also when it has been revoked of another member's: it may spend what it has left with no line."""
    chain.member("m-boris", points=500)
    till = chain.taker()
    chain.give(till, ANNA, 600)
    chain.give(till, "m-boris", 100)
    till.sale("one", ANNA, 100)
    push(till)
    chain.centre.write(lambda c: granting.revoke(c, till.name, "m-boris", "hand", chain.wall())).result()
    till.sale("two", ANNA, 100)
    push(till)
    assert chain.granted(ANNA) == 600


def test_a_late_copy_of_the_last_batch_closes_nothing(chain: LendingChain) -> None:
    """It says that nothing is left, and was right when it was sent."""
    till = chain.taker()
    chain.give(till, ANNA, 600)
    till.sale("one", ANNA, 100)
    push(till)
    covered(till, "spent", ANNA, 200, "grant")
    pull_as_before(chain, till)
    till.push(len(till.ops) - 1, len(till.ops) - 1, remaining=0)
    assert chain.granted(ANNA) == 600


def test_upgraded_again_it_is_lent_to_again(chain: LendingChain) -> None:
    """What was not closed yet is its own as before."""
    till = chain.taker()
    chain.give(till, ANNA, 600)
    pull_as_before(chain, till)
    chain.pull(till)
    till.sale("one", ANNA, 100)
    push(till)
    assert chain.granted(ANNA) == 600
    pull_as_before(chain, till)
    till.sale("two", ANNA, 100)
    push(till)
    assert chain.granted(ANNA) == 0
    chain.pull(till)
    chain.give(till, ANNA, 300)
    assert chain.granted(ANNA) == 300


def test_many_grants_are_closed_in_parts(chain: LendingChain, monkeypatch: pytest.MonkeyPatch) -> None:
    """An op's transaction stays short; the next pushes close the rest."""
    monkeypatch.setattr(granting, "LEFT_BEHIND_AT_ONCE", 2)
    people = [f"m-{number}" for number in range(5)]
    till = chain.taker()
    for who in people:
        chain.member(who, points=100)
        chain.give(till, who, 50)
    pull_as_before(chain, till)
    open_grants = []
    for number in range(4):
        till.sale(f"s-{number}", ANNA, 100)
        push(till)
        open_grants.append(sum(chain.granted(who) > 0 for who in people))
    assert open_grants == [3, 1, 0, 0]
    assert chain.rows("SELECT takes_grants FROM tills WHERE till = ?", till.name) == [(0,)]


@pytest.mark.parametrize("cover", ["grant", "voucher"])
def test_a_hold_of_before_the_way_back_is_worth_its_points(chain: LendingChain, cover: Cover) -> None:
    """The till gave it itself, went back, and sold by it: 0.1.0 writes the hold, and no word of what covers it."""
    till = chain.taker()
    name = ""
    if cover == "grant":
        chain.give(till, ANNA, 600)
    else:
        issued = chain.centre.write(
            lambda c: vouchers.issue(c, ANNA, till=till.name, points=200, days=1, now_ms=chain.wall())
        ).result()
        name = issued[0].voucher
    covered(till, "spent", ANNA, 200, cover)
    body = decode_body(bytes(till.ops.pop().body))
    till.heads.pop()
    assert isinstance(body, SaleBody)
    hold = f"{name}.random" if name else body.hold
    till.add_raw(encode_body(msgspec.structs.replace(body, cover="", hold=hold)))
    (verdict,) = till.push(len(till.ops), remaining=0).results
    assert (verdict.status, verdict.code) == ("applied", "")
    assert chain.granted(ANNA) == (400 if cover == "grant" else 0)

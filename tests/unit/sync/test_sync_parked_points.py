"""A parked sale that spent points gave money away: staff are told whose points and how many, whatever its till says."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from till_sync.exceptions import CloudRefused
from till_sync.parking import PARK_WAITS_MS, Culprit
from till_sync.wire import ParkedOp
from unit.cloud.cloud_kit import Chain, chain
from unit.sync.sync_fakes import FakeClock


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Chain]:
    with chain(tmp_path / "c.db") as made:
        made.member("m-1", points=50_000)
        yield made


@pytest.mark.parametrize("says", [0, 100, 9_000])
def test_points_that_were_held_for_it_are_named(says: int, world: Chain) -> None:
    """A till that parks its redemption and says nothing of points is flagged by the hold that it asked for."""
    till = world.till()
    world.hold(till, "h-k1-abcdefgh", "m-1", 5_000, sale="s1")
    till.sale("s1", "m-1", 10_000)
    stands = ParkedOp(uid="s1", op_kind="sale", size_bytes=9, reason="internal", redeemed_points=says, member_id="m-9")
    word = replace(till.ops[0], body=msgspec.Raw(msgspec.json.encode(stands)), parked=True)
    world.centre.push(till.name, till.request(1, 1, protocol=3, ops=(word,))).result()
    [(member, points, detail)] = world.rows("SELECT member_id, till_points, detail FROM flags WHERE code = 'parked'")
    assert (member, points) == ("m-1", -max(5_000, says))
    assert f"{max(5_000, says)} points" in detail


def test_an_honest_till_says_what_it_spent(world: Chain) -> None:
    """Of a grant the cloud knows no hold: then the till's own word is all there is."""
    till = world.till()
    till.sale("s1", "m-1", 10_000)
    body = msgspec.json.decode(bytes(till.ops[0].body))
    body["result"]["redeemed_points"] = 700
    spent = replace(till.ops[0], body=msgspec.Raw(msgspec.json.encode(body)))
    clock = FakeClock()
    culprit = Culprit(clock=clock)
    error = CloudRefused("no", status=422, code="body_invalid")
    for wait_ms in (*PARK_WAITS_MS, 0):
        assert culprit.failed(1, 1, 1, error) == wait_ms
        clock.mono += wait_ms
    request = culprit.stand_in(till.request(1, 1, ops=(spent,)))
    stands = msgspec.json.decode(request.ops[0].body, type=ParkedOp)
    assert (stands.member_id, stands.redeemed_points, stands.uid) == ("m-1", 700, "s1")
    world.centre.push(till.name, request).result()
    assert world.rows("SELECT member_id, till_points FROM flags WHERE code = 'parked'") == [("m-1", -700)]


@pytest.mark.parametrize(
    "body", [b"[]", b'{"kind":"sale","uid":"s","subject":7}', b'{"result":{"redeemed_points":-1}}']
)
def test_a_body_that_can_t_be_read_is_parked_all_the_same(body: bytes, world: Chain) -> None:
    till = world.till()
    till.sale("s1", "m-1", 10_000)
    culprit = Culprit(clock=FakeClock(), waits_ms=())
    culprit.failed(1, 1, 1, CloudRefused("no", status=422, code="body_invalid"))
    request = culprit.stand_in(till.request(1, 1, ops=(replace(till.ops[0], body=msgspec.Raw(body)),)))
    assert request.ops[0].parked

"""A parked op at the cloud: recorded as rejected by its own fingerprint, and the chain goes on behind it."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from till_cloud.exceptions import RefusedError
from till_cloud.ingest import poison as rules
from till_cloud.verify import verify
from till_sync.wire import OpResult, ParkedOp, PushRequest
from unit.cloud.cloud_kit import Chain, Till, chain
from unit.cloud.test_cloud_push import refusal


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Chain]:
    with chain(tmp_path / "c.db") as made:
        made.member("m-1")
        yield made


@pytest.fixture
def till(world: Chain) -> Till:
    """A till with three sales that have not been sent."""
    one = world.till()
    for uid in ("a", "b", "c"):
        one.sale(uid, "m-1")
    return one


def parked(till: Till, seq: int, **changes: object) -> PushRequest:
    """The till's word for op `seq` in place of its bytes."""
    op = till.ops[seq - 1]
    stands = ParkedOp(uid="b", op_kind="sale", size_bytes=len(bytes(op.body)), reason="internal_error")
    word = replace(op, body=msgspec.Raw(msgspec.json.encode(stands)), parked=True)
    return till.request(seq, seq, **({"protocol": 3, "ops": (word,)} | changes))


def push(till: Till, request: PushRequest) -> OpResult:
    return till.chain.centre.push(till.name, request).result().results[0]


def test_a_parked_op_is_rejected_and_the_line_goes_on(world: Chain, till: Till) -> None:
    """The hash of the next op still chains: the cloud took the stored op's own fingerprint."""
    till.push(1, 1)
    result = push(till, parked(till, 2))
    assert (result.seq, result.status, result.code, result.effect_points) == (2, "rejected", "parked", 0)
    assert till.push(3).results[0].status == "applied"
    assert world.balances("m-1") == (2000, 0, 0)
    assert world.rows("SELECT kind, uid, fingerprint, status FROM ops WHERE seq = 2") == [
        ("sale", "b", till.ops[1].fingerprint, "rejected")
    ]
    [(reason, detail)] = world.rows("SELECT reason, detail FROM poison")
    assert reason == "internal_error"
    assert "bytes" in detail
    assert world.rows("SELECT code FROM flags WHERE seq = 2") == [("parked",)]
    assert world.centre.read(verify).breaches == ()


def test_its_bytes_sent_later_are_a_duplicate(world: Chain, till: Till) -> None:
    """A till that was restarted before it heard the verdict sends the op, or its word again: the same verdict."""
    till.push(1, 1)
    push(till, parked(till, 2))
    for again in (till.push(2, 2).results[0], push(till, parked(till, 2))):
        assert (again.status, again.first, again.code) == ("duplicate", "rejected", "parked")
    assert world.balances("m-1") == (1000, 0, 0)


def test_an_op_that_was_applied_stays_applied(world: Chain, till: Till) -> None:
    """The answer was lost, and the till parks what is in the ledger already: the first verdict stands."""
    till.push(1, 2)
    again = push(till, parked(till, 2))
    assert (again.status, again.first, again.code) == ("duplicate", "applied", "")
    assert world.balances("m-1") == (2000, 0, 0)
    assert world.rows("SELECT count(*) FROM poison") == [(0,)]


def test_a_parked_op_of_other_bytes_than_the_held_ones_is_refused(till: Till) -> None:
    """Its fingerprint is not the one that the cloud holds: another history."""
    till.push(1, 2)
    word = parked(till, 2).ops[0]
    other = replace(word, fingerprint="0" * 64)
    with pytest.raises(RefusedError) as refused:
        push(till, parked(till, 2, ops=(other,)))
    assert refused.value.code == "fingerprint_mismatch"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"prev_hash": "0" * 64}, "chain_mismatch"),
        ({"salt": "another"}, "salt_mismatch"),
        ({"protocol": 2}, "batch_malformed"),
    ],
)
def test_what_the_cloud_can_check_it_checks(till: Till, changes: dict[str, object], code: str) -> None:
    """The chain before it, the salt, and that the till speaks a protocol that has such a thing."""
    till.push(1, 1)
    with pytest.raises(RefusedError) as refused:
        push(till, parked(till, 2, **changes))
    assert refused.value.code == code


@pytest.mark.parametrize("body", [b"{}", b"null", b'{"kind":"parked","uid":"b","op_kind":"sale","size_bytes":-1}'])
@pytest.mark.parametrize("fingerprint", ["", "x" * 64, "a" * 63])
def test_nonsense_in_its_place_is_refused(till: Till, body: bytes, fingerprint: str) -> None:
    """Neither a body that is no stand-in nor a fingerprint that is no hash is recorded."""
    till.push(1, 1)
    word = parked(till, 2).ops[0]
    for other in (replace(word, body=msgspec.Raw(body)), replace(word, fingerprint=fingerprint)):
        with pytest.raises(RefusedError) as refused:
            push(till, parked(till, 2, ops=(other,)))
        assert refused.value.code == "batch_malformed"


def test_what_a_till_says_of_it_is_cut_and_obeys_no_terminal(world: Chain, till: Till) -> None:
    """uid, kind and reason are a till's word."""
    till.push(1, 1)
    stands = ParkedOp(uid="\x1b[31m" + "u" * 500, op_kind="", size_bytes=1, reason="\x07bell")
    word = replace(till.ops[1], body=msgspec.Raw(msgspec.json.encode(stands)), parked=True)
    push(till, parked(till, 2, ops=(word,)))
    [(kind, uid)] = world.rows("SELECT kind, uid FROM ops WHERE seq = 2")
    assert kind == "unknown"
    assert uid.isprintable()
    assert len(uid) <= 64
    assert world.rows("SELECT reason FROM poison") == [("bell",)]


def test_parking_has_the_limit_of_poison(world: Chain) -> None:
    """A cloud that fails over every sale is sent one parked op after the other: it takes a few, then says 503."""
    till = world.till()
    for index in range(rules.TILL_LIMIT + 1):
        till.sale(f"s{index}", "m-1")
    for seq in range(1, rules.TILL_LIMIT + 1):
        assert push(till, parked(till, seq)).code == "parked"
    with pytest.raises(RefusedError) as refused:
        push(till, parked(till, rules.TILL_LIMIT + 1))
    assert refused.value.problem.status == 503
    assert world.rows("SELECT acked_seq FROM tills WHERE till = 'k1'") == [(rules.TILL_LIMIT,)]
    assert till.push(rules.TILL_LIMIT + 1).results[0].status == "applied"


def test_a_push_of_no_ops_is_taken_where_the_next_would_be(world: Chain) -> None:
    """A till asks so whether pushes get through: it is told what is held, and nothing else changes."""
    till = world.till()
    till.sale("a", "m-1")
    till.push()
    last = till.request(1, 1)
    tables = ("ops", "movements", "flags", "balances", "holds")
    before = {table: world.rows(f"SELECT * FROM {table}") for table in tables}
    empty = replace(
        last, protocol=3, first_seq=2, ops=(), prev_hash=last.head_hash, head_hash=last.head_hash, remaining=-1
    )
    answer = world.centre.push(till.name, empty).result()
    assert (answer.acked_seq, answer.results, answer.head_hash) == (1, (), last.head_hash)
    assert {table: world.rows(f"SELECT * FROM {table}") for table in tables} == before
    other = replace(empty, prev_hash="other", head_hash="other")
    assert refusal(lambda: world.centre.push(till.name, other).result()).code == "chain_mismatch"
    behind = replace(empty, first_seq=3)
    assert refusal(lambda: world.centre.push(till.name, behind).result()).code == "seq_gap"
    till.sale("b", "m-1")
    assert till.push_last().status == "applied"


def test_a_push_of_no_ops_may_begin_an_epoch(world: Chain) -> None:
    """The first operation of a new journal may be the one that can't be taken: its chain begins with no head."""
    till = world.till()
    till.sale("a", "m-1")
    till.push()
    last = till.request(1, 1)
    empty = replace(
        last, protocol=3, epoch=last.epoch + 1, salt="new", ops=(), prev_hash="", head_hash="", remaining=-1
    )
    answer = world.centre.push(till.name, empty).result()
    assert (answer.acked_seq, answer.results, answer.head_hash) == (0, (), "")
    assert world.rows("SELECT epoch, acked_seq, head_hash FROM tills") == [(last.epoch + 1, 0, "")]

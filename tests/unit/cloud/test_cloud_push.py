"""A batch as a whole: sequence, epochs, salts, fingerprints, hash chain, limits, and what a duplicate is told."""

import json

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from till_cloud.exceptions import RefusedError
from till_sync.ops import NEWEST_PROTOCOL, OpId, fingerprint
from till_sync.wire import Limits, WireOp
from unit.cloud.cloud_kit import Chain, chain


@pytest.fixture
def world(tmp_path):
    with chain(tmp_path / "c.db") as made:
        made.member("m-1")
        yield made


def refusal(call) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        call()
    return caught.value


def test_a_batch_is_applied_in_sequence_and_acknowledged(world: Chain) -> None:
    """Two sales: both applied, the last acknowledged with its chain hash, the till's row moved on."""
    till = world.till()
    till.sale("a", "m-1", 10_000)
    till.sale("b", "m-1", 5_000)
    answer = till.push()
    assert [(r.seq, r.status, r.balance, r.effect_points) for r in answer.results] == [
        (1, "applied", 1000, 1000),
        (2, "applied", 1500, 500),
    ]
    assert (answer.acked_seq, answer.head_hash) == (2, till.heads[2])
    assert world.rows("SELECT epoch, salt, acked_seq, head_hash FROM tills") == [(1, till.salt, 2, till.heads[2])]


def test_a_repeated_batch_changes_nothing_and_tells_the_first_verdicts(world: Chain) -> None:
    """However often and in whatever pieces it comes, the numbers are those of the first time."""
    till = world.till()
    for uid in "abc":
        till.sale(uid, "m-1", 10_000)
    first = till.push()
    for answer, part in ((till.push(), 3), (till.push(1, 2), 2), (till.push(2, 3), 2), (till.push(3, 3), 1)):
        assert {r.status for r in answer.results} == {"duplicate"}
        assert len(answer.results) == part
        assert answer.acked_seq == 3
        by_seq = {r.seq: r for r in first.results}
        for repeated in answer.results:
            assert msgspec.structs.replace(repeated, status="applied", first="") == by_seq[repeated.seq]
    assert world.balances("m-1") == (3000, 0, 0)


def test_a_batch_may_overlap_what_is_there(world: Chain) -> None:
    """The known part is a duplicate, the new part is applied, and the chain goes on."""
    till = world.till()
    till.sale("a", "m-1", 10_000)
    till.sale("b", "m-1", 10_000)
    till.push(1, 1)
    till.sale("c", "m-1", 10_000)
    answer = till.push(1, 3)
    assert [r.status for r in answer.results] == ["duplicate", "applied", "applied"]
    assert answer.head_hash == till.heads[3]


def test_a_duplicate_of_a_rejected_op_keeps_its_code(world: Chain) -> None:
    """A till whose first answer was lost learns why from the second."""
    till = world.till()
    till.void("nothing")
    assert till.push_last().code == "sale_unknown"
    again = till.push().results[0]
    assert (again.status, again.first, again.code) == ("duplicate", "rejected", "sale_unknown")


def test_a_gap_is_refused_with_what_is_expected(world: Chain) -> None:
    till = world.till()
    for uid in "abc":
        till.sale(uid, "m-1")
    error = refusal(lambda: till.push(2))
    assert (error.problem.status, error.code, error.problem.extras["expected_seq"]) == (409, "seq_gap", 1)
    till.push(1, 1)
    assert refusal(lambda: till.push(3)).problem.extras["expected_seq"] == 2
    assert world.rows("SELECT count(*) FROM ops") == [(1,)]


def test_other_bytes_under_a_known_id_are_refused(world: Chain) -> None:
    """422, and nothing of the batch is kept, new ops behind it neither."""
    till = world.till()
    till.sale("a", "m-1", 10_000)
    till.push()
    till.ops.clear()
    till.heads[1:] = []
    till.sale("a", "m-1", 90_000)
    till.sale("b", "m-1", 10_000)
    error = refusal(till.push)
    assert (error.problem.status, error.code, error.problem.extras["seq"]) == (422, "fingerprint_mismatch", 1)
    assert world.balances("m-1") == (1000, 0, 0)


def test_a_known_fingerprint_over_other_bytes_is_refused(world: Chain) -> None:
    """The fingerprint is worked out again from the bytes; a copied one doesn't help."""
    till = world.till()
    till.sale("a", "m-1", 10_000)
    till.push()
    true = till.ops[0]
    till.ops[0] = WireOp(seq=1, fingerprint=true.fingerprint, body=msgspec.Raw(bytes(true.body) + b" "))
    assert refusal(till.push).code == "fingerprint_mismatch"


def test_a_new_op_whose_bytes_were_changed_on_the_way_is_refused(world: Chain) -> None:
    till = world.till()
    till.sale("a", "m-1", 10_000)
    till.ops[0] = WireOp(
        seq=1, fingerprint=till.ops[0].fingerprint, body=msgspec.Raw(bytes(till.ops[0].body).replace(b"sku1", b"sku2"))
    )
    assert refusal(till.push).code == "fingerprint_mismatch"
    assert world.rows("SELECT count(*) FROM ops") == [(0,)]


def test_a_broken_chain_is_refused(world: Chain) -> None:
    """prev_hash must be the hash that the cloud has after the op before."""
    till = world.till()
    till.sale("a", "m-1")
    assert refusal(lambda: till.push(prev_hash="00")).code == "chain_mismatch"
    till.push()
    till.sale("b", "m-1")
    assert refusal(lambda: till.push(2, prev_hash="00")).code == "chain_mismatch"
    assert till.push_last().status == "applied"


def test_an_older_epoch_is_refused_and_a_newer_one_starts_at_one(world: Chain) -> None:
    till = world.till()
    till.sale("a", "m-1")
    till.push()
    till.new_journal()
    till.sale("b", "m-1")
    till.sale("c", "m-1")
    error = refusal(lambda: till.push(2))
    assert (error.code, error.problem.extras["expected_seq"]) == ("seq_gap", 1)
    assert till.push().acked_seq == 2
    till.epoch, till.salt = 1, "salt-k1"
    error = refusal(till.push)
    assert (error.problem.status, error.code, error.problem.extras["epoch"]) == (409, "stale_epoch", 2)


def test_the_salt_of_an_epoch_is_fixed_at_first_sight(world: Chain) -> None:
    """A till image that was copied and gave itself another salt can't speak for the first one."""
    till = world.till()
    till.sale("a", "m-1")
    till.push()
    till.sale("b", "m-1")
    assert refusal(lambda: till.push(2, salt="other")).code == "salt_mismatch"


def test_two_tills_may_use_the_same_uids_and_epochs(world: Chain) -> None:
    one, two = world.till("k1"), world.till("k2")
    one.sale("a", "m-1")
    two.sale("a", "m-1")
    assert one.push_last().status == two.push_last().status == "applied"
    assert world.balances("m-1") == (2000, 0, 0)


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"protocol": 0}, 426, "protocol_unsupported"),
        ({"protocol": NEWEST_PROTOCOL + 1}, 426, "protocol_unsupported"),
        ({"ops": ()}, 400, "batch_empty"),
        ({"epoch": 0}, 422, "batch_malformed"),
        ({"first_seq": 0}, 422, "batch_malformed"),
        ({"first_seq": 7}, 422, "batch_malformed"),
        ({"salt": ""}, 422, "batch_malformed"),
        ({"salt": "x" * 200}, 422, "batch_malformed"),
        ({"head_hash": "x" * 200}, 422, "batch_malformed"),
    ],
)
def test_a_batch_that_contradicts_itself_is_refused(world: Chain, changes: dict, status: int, code: str) -> None:
    till = world.till()
    till.sale("a", "m-1")
    error = refusal(lambda: till.push(**changes))
    assert (error.problem.status, error.code) == (status, code)


def test_too_many_ops_are_refused_with_the_limits(tmp_path) -> None:
    with chain(tmp_path / "c.db", limits=Limits(max_ops=2)) as world:
        till = world.till()
        for uid in "abc":
            till.sale(uid)
        error = refusal(till.push)
        assert (error.problem.status, error.code) == (413, "batch_too_large")
        assert json.loads(error.problem.encode())["limits"]["max_ops"] == 2
        assert till.push(1, 2).limits.max_ops == 2


def test_an_unknown_till_is_nobody(world: Chain) -> None:
    till = world.till()
    till.sale("a")
    till.name = "k9"
    assert refusal(till.push).problem.status == 401


def test_a_poison_op_is_recorded_and_the_line_moves_on(world: Chain) -> None:
    """Bodies that are no op, between two good ones: rejected with a code, kept as received, and flagged."""
    till = world.till()
    till.sale("a", "m-1")
    for raw in (b"{}", b'"text"', b'{"kind":"sale"}', b'{"kind":"refund"}', b"[" * 500 + b"]" * 500):
        till.add_raw(raw)
    till.sale("b", "m-1")
    results = till.push().results
    assert [r.status for r in results] == ["applied", *["rejected"] * 5, "applied"]
    assert {r.code for r in results[1:6]} == {"body_invalid"}
    assert world.rows("SELECT count(*) FROM flags WHERE code = 'body_invalid'") == [(5,)]
    assert world.rows("SELECT body FROM ops WHERE seq = 2") == [(b"{}",)]
    assert world.balances("m-1") == (2000, 0, 0)


PLACES = (
    (),
    ("uid",),
    ("subject", "member_id"),
    ("hold",),
    ("result", "earned_points"),
    ("result", "redeemed_points"),
    ("result", "programme_version"),
    ("result", "programme_id"),
    ("receipt", "lines"),
    ("programme_digest",),
    ("tier",),
)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_an_op_says_it_gets_a_verdict(world: Chain, data: st.DataObject) -> None:
    """Any JSON, also a true sale with one field replaced by any JSON: applied, adjusted or rejected, never an error."""
    till = world.till(f"k{len(world.rows('SELECT till FROM tills'))}")
    till.sale("a", "m-1", 10_000, redeem=0)
    body = json.loads(bytes(till.ops.pop().body))
    till.heads.pop()
    path: list = [body]
    keys = data.draw(st.sampled_from(PLACES))
    value = data.draw(json_values)
    if keys:
        for key in keys[:-1]:
            path.append(path[-1].setdefault(key, {}))
        path[-1][keys[-1]] = value
    else:
        body = value
    till.add_raw(json.dumps(body).encode())
    assert till.push().results[0].status in {"applied", "adjusted", "rejected"}


def test_the_fingerprint_ties_till_epoch_and_seq(world: Chain) -> None:
    """An op can't be moved to another place of the queue."""
    till = world.till()
    till.sale("a", "m-1")
    moved = till.ops[0]
    till.ops.append(WireOp(seq=2, fingerprint=moved.fingerprint, body=moved.body))
    till.heads.append("h")
    assert refusal(till.push).code == "fingerprint_mismatch"
    assert fingerprint(OpId("k1", 1, 2), till.salt, bytes(moved.body)) != moved.fingerprint

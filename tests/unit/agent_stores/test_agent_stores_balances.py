"""Effects of own ops on balances."""

from hypothesis import given
from hypothesis import strategies as st

from till_agent.balances import OwnEffects
from till_sync.ops import OpId, Subject

ANNA = Subject(member_id="m-1", tag="card:aa")
UNKNOWN = Subject(tag="card:bb")


def op(seq: int, epoch: int = 1) -> OpId:
    """An op of the test's till."""
    return OpId("t-7", epoch, seq)


def test_effects_after_the_included_op_count():
    """What the cloud's figure includes is not counted again; what came after it is."""
    effects = OwnEffects()
    for seq, points in ((1, 10), (2, 20), (3, -5)):
        effects.add(ANNA, op(seq), points)
    assert effects.effect(("m-1",), (0, 0)) == 25
    assert effects.effect(("m-1",), (1, 1)) == 15
    assert effects.effect(("m-1",), (1, 3)) == 0
    assert effects.effect(("m-2",), (0, 0)) == 0


def test_a_later_epoch_comes_after_every_seq_of_the_one_before():
    """Epoch 2 seq 1 is not included in epoch 1 seq 900."""
    effects = OwnEffects()
    effects.add(ANNA, op(1, epoch=2), 7)
    assert effects.effect(("m-1",), (1, 900)) == 7
    assert effects.effect(("m-1",), (2, 1)) == 0


def test_an_op_counts_once_however_often_it_is_added():
    """The journal adds an effect when it commits; the desk may add it again."""
    effects = OwnEffects()
    effects.add(ANNA, op(4), 10)
    effects.add(ANNA, op(2), 1)
    effects.add(ANNA, op(4), 10)
    effects.add(ANNA, op(2), 1)
    assert effects.effect(("m-1",), (0, 0)) == 11
    assert len(effects) == 2


def test_an_op_made_under_a_tag_counts_for_its_member():
    """Once a page has told whose tag it is, the member's balance has the effect, and only once."""
    effects = OwnEffects()
    effects.add(UNKNOWN, op(1), 30)
    effects.add(ANNA, op(2), 5)
    assert effects.effect(("card:bb",), (0, 0)) == 30
    assert effects.effect(("m-1", "card:aa", "card:bb", "card:bb"), (0, 0)) == 35


def test_a_sale_without_a_member_changes_no_balance():
    """An empty subject has no key to keep points under."""
    effects = OwnEffects()
    effects.add(Subject(), op(1), 10)
    assert len(effects) == 0


def test_forgetting_frees_what_nobody_will_ask_for():
    """Effects up to the floor go, those after it stay."""
    effects = OwnEffects()
    for seq in range(1, 11):
        effects.add(ANNA, op(seq), 1)
    effects.forget((1, 7))
    assert len(effects) == 3
    assert effects.effect(("m-1",), (0, 0)) == 3


def test_ops_that_the_cloud_lost_count_again():
    """Effects that come back out of order are forgotten in order all the same."""
    effects = OwnEffects()
    for seq in (5, 6, 3, 4):
        effects.add(ANNA, op(seq), 1)
    effects.forget((1, 4))
    assert len(effects) == 2
    assert effects.effect(("m-1",), (1, 4)) == 2


ids = st.tuples(st.integers(1, 3), st.integers(1, 20))
added = st.lists(st.tuples(st.sampled_from(["m-1", "m-2", "card:aa"]), ids, st.integers(-50, 50)), max_size=40)


@given(added, ids, ids, st.lists(st.sampled_from(["m-1", "m-2", "card:aa"]), max_size=3))
def test_it_is_the_sum_of_what_is_not_included(
    ops: list[tuple[str, tuple[int, int], int]], floor: tuple[int, int], included: tuple[int, int], keys: list[str]
):
    """Whatever the order of ops and whatever was forgotten below `included`, it is the plain sum."""
    effects = OwnEffects()
    model: dict[tuple[str, tuple[int, int]], int] = {}
    for key, where, points in ops:
        effects.add(Subject(member_id=key), OpId("t", *where), points)
        if points:
            model.setdefault((key, where), points)
    effects.forget(min(floor, included))
    expected = sum(points for (key, where), points in model.items() if key in keys and where > included)
    assert effects.effect(tuple(keys), included) == expected

"""Properties that hold for every programme, member and receipt that Hypothesis can draw."""

from hypothesis import given, settings
from hypothesis import strategies as st

from till_loyalty.engine import calculate
from till_loyalty.programme import Programme
from till_loyalty.receipt import MemberState, Receipt
from till_loyalty.results import canonical_bytes
from unit.loyalty import loyalty_properties as properties
from unit.loyalty.loyalty_support import CLOCK, SKUS, TIERS, members, programmes, receipts, wishes

THOROUGH = settings(max_examples=80, deadline=None)
"""Others are drawn each time: what one run leaves out, a later one tries."""


@st.composite
def splits(draw: st.DrawFn) -> tuple[int, list[int], list[int], list[int]]:
    """An amount that its weighted caps can take, with line numbers in any order."""
    pairs = draw(st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 5000)), min_size=1, max_size=12))
    weights, caps = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    room = sum(cap for weight, cap in pairs if weight)
    numbers = draw(st.permutations(range(1, len(pairs) + 1)))
    return draw(st.integers(0, room)), weights, caps, list(numbers)


@THOROUGH
@given(splits())
def test_split_is_exact(case: tuple[int, list[int], list[int], list[int]]) -> None:
    properties.split_matches_reference(*case)


@THOROUGH
@given(programmes(), members, receipts(), wishes)
def test_totals_add_up(programme: Programme, member: MemberState, receipt: Receipt, wish: int) -> None:
    properties.totals_add_up(programme, member, receipt, wish)


@settings(max_examples=150, deadline=None)
@given(programmes(), members, receipts(), wishes)
def test_engine_matches_reference(programme: Programme, member: MemberState, receipt: Receipt, wish: int) -> None:
    properties.engine_matches_reference(programme, member, receipt, wish)


@THOROUGH
@given(programmes(), members, receipts(), wishes)
def test_till_and_cloud_give_the_same_bytes(
    programme: Programme, member: MemberState, receipt: Receipt, wish: int
) -> None:
    properties.same_bytes_after_the_wire(programme, member, receipt, wish)


@THOROUGH
@given(programmes(), members, receipts(), wishes, st.randoms(use_true_random=False))
def test_order_of_lines_changes_no_line(
    programme: Programme, member: MemberState, receipt: Receipt, wish: int, random: object
) -> None:
    """A line gets the same by its number wherever it stands: cash software may send lines in any order."""
    shuffled = list(receipt.lines)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # a generated class has it at run time
    one = calculate(programme, member, receipt, CLOCK, redeem_points=wish)
    other = calculate(programme, member, Receipt(lines=tuple(shuffled)), CLOCK, redeem_points=wish)
    assert {line.number: line for line in one.lines} == {line.number: line for line in other.lines}


@THOROUGH
@given(programmes(), members, receipts(), st.integers(0, 10**6))
def test_more_points_never_allow_less(programme: Programme, member: MemberState, receipt: Receipt, more: int) -> None:
    """With more to spend, no less may be spent."""
    richer = MemberState(tier=member.tier, spendable_points=member.spendable_points + more)
    poor = calculate(programme, member, receipt, CLOCK, redeem_points=-1)
    assert calculate(programme, richer, receipt, CLOCK, redeem_points=-1).redeemed_points >= poor.redeemed_points


@THOROUGH
@given(programmes(), members, receipts(), wishes)
def test_every_zero_and_trim_has_a_reason(
    programme: Programme, member: MemberState, receipt: Receipt, wish: int
) -> None:
    """Nothing earned, nothing redeemable or less than wished: a reason says why."""
    result = calculate(programme, member, receipt, CLOCK, redeem_points=wish)
    codes = {reason.code for reason in result.reasons}
    earning = {"no_rule_applied", "rule_below_minimum_sum", "rule_rounded_to_zero", "tier_unknown"}
    assert result.earned_points or codes & earning
    told = any(code.startswith("redeem_") for code in codes)
    asked = member.spendable_points if wish == -1 else wish
    assert told == (result.redeemable_points == 0 or result.redeemed_points < asked)
    for line in result.lines:
        named = any(accrual.line == line.number for accrual in result.accruals)
        assert named or not line.earned_points


@THOROUGH
@given(programmes(), members, receipts(6), wishes, st.data())
def test_pieces_of_a_return_sum_to_the_whole(
    programme: Programme, member: MemberState, receipt: Receipt, wish: int, data: st.DataObject
) -> None:
    sale = calculate(programme, member, receipt, CLOCK, redeem_points=wish)
    properties.pieces_sum_to_the_whole(sale, data)


@THOROUGH
@given(programmes(), members, receipts(6), wishes, st.data())
def test_no_loop_of_buying_and_returning_gains(
    programme: Programme, member: MemberState, receipt: Receipt, wish: int, data: st.DataObject
) -> None:
    sale = calculate(programme, member, receipt, CLOCK, redeem_points=wish)
    properties.loop_of_buying_and_returning(sale, data)


@settings(max_examples=150, deadline=None)
@given(programmes(), st.sampled_from(("", *TIERS)), receipts(), st.sampled_from((*SKUS, "unrelated")))
def test_one_more_line_and_the_others(programme: Programme, tier: str, receipt: Receipt, extra_sku: str) -> None:
    from msgspec.structs import replace

    rules = tuple(replace(rule, minimum_sum_minor=0) for rule in programme.rules)
    properties.other_lines_keep_their_points(replace(programme, rules=rules), tier, receipt, extra_sku)


@THOROUGH
@given(programmes(), members, receipts(), wishes)
def test_asking_twice_changes_nothing(programme: Programme, member: MemberState, receipt: Receipt, wish: int) -> None:
    """The remembered plan of a programme has no say in a result."""
    once = canonical_bytes(calculate(programme, member, receipt, CLOCK, redeem_points=wish))
    assert canonical_bytes(calculate(programme, member, receipt, CLOCK, redeem_points=wish)) == once

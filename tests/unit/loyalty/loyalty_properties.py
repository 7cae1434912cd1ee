"""Properties of the rules as plain functions of one drawn case, so that mutants can be held against them too.

Each raises AssertionError (or the rules' own InvariantError) when the rules are broken.
"""

from collections import Counter
from fractions import Fraction

import msgspec
from hypothesis import strategies as st

from till_loyalty import allocation, engine, lots, money, returns
from till_loyalty.programme import Programme, Rounding
from till_loyalty.programme_document import decode_programme, programme_json
from till_loyalty.receipt import MemberState, Receipt
from till_loyalty.results import Calculation, ReturnLine, Reversal, canonical_bytes
from unit.loyalty import loyalty_reference as reference
from unit.loyalty.loyalty_support import CLOCK


def division_matches_fractions(numerator: int, denominator: int, rounding: Rounding) -> None:
    """Division rounds as exact fractions do."""
    assert money.divide(numerator, denominator, rounding) == reference.rounded(
        Fraction(numerator, denominator), rounding
    )


def split_matches_reference(amount: int, weights: list[int], caps: list[int], numbers: list[int]) -> None:
    """A split sums to the amount, stays within the caps, and is the split by exact fractions."""
    parts = allocation.allocate(amount, weights, caps=caps, numbers=numbers)
    assert sum(parts) == amount
    assert all(0 <= part <= cap for part, cap in zip(parts, caps, strict=True))
    expected = reference.split(amount, dict(zip(numbers, weights, strict=True)), dict(zip(numbers, caps, strict=True)))
    assert dict(zip(numbers, parts, strict=True)) == expected


def totals_add_up(programme: Programme, member: MemberState, receipt: Receipt, wish: int) -> Calculation:
    """Every total is the sum of its lines, and no limit of the programme is passed."""
    result = engine.calculate(programme, member, receipt, CLOCK, redeem_points=wish)
    assert [line.number for line in result.lines] == [line.number for line in receipt.lines]
    assert result.total_minor == receipt.total_minor
    assert result.payable_minor == sum(line.payable_minor for line in result.lines)
    assert result.redeemed_minor == sum(line.paid_by_points_minor for line in result.lines)
    assert result.redeemed_points == sum(line.redeemed_points for line in result.lines)
    assert result.earned_points == sum(line.earned_points for line in result.lines)
    by_line: Counter[int] = Counter()
    for accrual in result.accruals:
        by_line[accrual.line] += accrual.points
    for sold, got in zip(receipt.lines, result.lines, strict=True):
        assert got.payable_minor == sold.amount_minor - got.paid_by_points_minor
        assert got.earned_points == by_line[sold.number] >= 0
        assert got.redeemed_points >= 0
        if got.paid_by_points_minor:
            assert got.payable_minor >= max(sold.minimum_price_minor, programme.redemption.minimum_line_price_minor)
            assert reference.may(programme, sold, "redeem")
        if got.earned_points:
            assert reference.may(programme, sold, "earn")
    assert 0 <= result.redeemed_points <= result.redeemable_points <= member.spendable_points
    share = Fraction(programme.redemption.max_share_basis_points, 10_000)
    assert result.redeemed_minor <= share * receipt.total_minor
    assert result.redeemed_points % programme.redemption.step_points == 0
    assert result.redeemed_minor * 10**programme.points_exponent == result.redeemed_points * programme.point_value_minor
    assert wish == -1 or result.redeemed_points <= wish
    return result


def engine_matches_reference(programme: Programme, member: MemberState, receipt: Receipt, wish: int) -> None:
    """The engine gives what the second, slow writing of the rules gives: by rule, by line, by total."""
    result = engine.calculate(programme, member, receipt, CLOCK, redeem_points=wish)
    most, spent = reference.redeemed_points(programme, member, receipt, wish)
    assert (result.redeemable_points, result.redeemed_points) == (most, spent)
    paid, points = reference.paid_by_line(programme, receipt, spent)
    assert {line.number: line.paid_by_points_minor for line in result.lines} == paid
    assert {line.number: line.redeemed_points for line in result.lines} == points
    gross = programme.earn_base == "gross"
    bases = {line.number: line.amount_minor - (0 if gross else paid[line.number]) for line in receipt.lines}
    got: dict[str, dict[int, int]] = {}
    for accrual in result.accruals:
        assert accrual.base_minor == bases[accrual.line]
        if accrual.points:
            got.setdefault(accrual.rule, {})[accrual.line] = accrual.points
    assert got == reference.earned_by_rule(programme, member, receipt, bases)


def same_bytes_after_the_wire(programme: Programme, member: MemberState, receipt: Receipt, wish: int) -> None:
    """Till and cloud, each with its own decoded copy of the inputs, give the same bytes."""
    here = engine.calculate(programme, member, receipt, CLOCK, redeem_points=wish)
    there = engine.calculate(
        decode_programme(programme_json(programme)),
        msgspec.json.decode(msgspec.json.encode(member), type=MemberState),
        msgspec.json.decode(msgspec.json.encode(receipt), type=Receipt),
        CLOCK,
        redeem_points=wish,
    )
    raw = canonical_bytes(here)
    assert raw == canonical_bytes(there)
    assert canonical_bytes(msgspec.json.decode(raw, type=Calculation)) == raw


def return_in_pieces(sale: Calculation, data: st.DataObject, pieces: int) -> list[Reversal]:
    """Up to `pieces` drawn partial returns, then everything that is left."""
    earlier: list[Reversal] = []
    left = {line.number: [line.quantity_thousandths, line.amount_minor] for line in sale.lines}
    for _ in range(pieces):
        rows = []
        for number in data.draw(st.lists(st.sampled_from(sorted(left)), max_size=3, unique=True)):
            quantity = data.draw(st.integers(0, left[number][0]))
            amount = data.draw(st.integers(0, left[number][1]))
            if quantity or amount:
                rows.append(ReturnLine(number=number, quantity_thousandths=quantity, amount_minor=amount))
                left[number][0] -= quantity
                left[number][1] -= amount
        if rows:
            earlier.append(returns.reverse(sale, earlier, rows))
    if any(quantity or amount for quantity, amount in left.values()):
        earlier.append(returns.reverse(sale, earlier))
    return earlier


def pieces_sum_to_the_whole(sale: Calculation, data: st.DataObject) -> None:
    """However a sale comes back, the pieces add up to exactly it, and no half-way state favours the member."""
    reversals = return_in_pieces(sale, data, 4)
    sold = {line.number: line for line in sale.lines}
    money: Counter[int] = Counter()
    goods: Counter[int] = Counter()
    back: Counter[int] = Counter()
    taken: Counter[int] = Counter()
    for reversal in reversals:
        assert reversal.money_back_minor == sum(row.money_back_minor for row in reversal.lines)
        assert reversal.points_back == sum(row.points_back for row in reversal.lines)
        assert reversal.points_taken == sum(row.points_taken for row in reversal.lines)
        for row in reversal.lines:
            assert min(row.money_back_minor, row.points_back, row.points_taken) >= 0
            money[row.number] += row.money_back_minor
            goods[row.number] += row.amount_minor
            back[row.number] += row.points_back
            taken[row.number] += row.points_taken
            line = sold[row.number]
            if line.amount_minor:
                part = Fraction(goods[row.number], line.amount_minor)
                assert back[row.number] <= line.redeemed_points * part
                assert 0 <= money[row.number] - line.payable_minor * part < 1
            if line.payable_minor:
                part = Fraction(money[row.number], line.payable_minor)
                assert taken[row.number] >= line.earned_points * part
    for line in sale.lines:
        assert money[line.number] == line.payable_minor
        assert back[line.number] == line.redeemed_points
        assert taken[line.number] == line.earned_points


def loop_of_buying_and_returning(sale: Calculation, data: st.DataObject) -> None:
    """Buying and giving everything back, in pieces, twice over, leaves lots, balance and money as they were."""
    first = lots.Lot(lot_id="first", earned=sale.redeemed_points // 2 + 5, left=sale.redeemed_points // 2 + 5)
    second = lots.Lot(lot_id="second", earned=sale.redeemed_points, left=sale.redeemed_points, expires_at_ms=10**15)
    account = lots.Account(lots=(first, second))
    start = account.balance_points
    for turn in ("once", "again"):
        sold = lots.spend(account, sale.redeemed_points)
        movements = list(sold.movements)
        account = lots.earn(sold.account, f"sale-{turn}", sale.earned_points).account
        own = [f"sale-{turn}"] if sale.earned_points else []
        money = -sale.payable_minor
        for reversal in return_in_pieces(sale, data, 2):
            given = lots.give_back(account, lots.open_uses(movements), reversal.points_back)
            movements += [each for each in given.movements if each.kind == "give_back"]
            account = lots.take_back(given.account, own, reversal.points_taken, policy="debt").account
            money += reversal.money_back_minor
            assert account.balance_points <= start + sale.earned_points
        assert money == 0
        assert account.balance_points == start
        assert account.debt == 0
    assert account.lots[:2] == (first, second)


def other_lines_keep_their_points(programme: Programme, tier: str, receipt: Receipt, extra_sku: str) -> None:
    """What one more line does to the points of the others, when no points are spent and no rule has a minimum sum.

    A line that no rule takes: nothing. Rounding by line: nothing, whatever the line. Rounding by receipt: no rule gives
    less in total, and a line loses at most 2 minor points a rule, by the split of what is rounded once.
    """
    extra = msgspec.structs.replace(
        receipt.lines[0], number=1000, sku=extra_sku, category=(), amount_minor=777, minimum_price_minor=0
    )
    longer = Receipt(lines=(*receipt.lines, extra))
    who = MemberState(tier=tier)
    before = engine.calculate(programme, who, receipt, CLOCK)
    after = engine.calculate(programme, who, longer, CLOCK)
    unrelated = not any(reference.takes(rule.match, extra) for rule in programme.rules)
    if unrelated or programme.round_at == "line":
        assert after.lines[:-1] == before.lines
        return
    got_before: dict[str, Counter[int]] = {}
    got_after: dict[str, Counter[int]] = {}
    for got, result in ((got_before, before), (got_after, after)):
        for accrual in result.accruals:
            got.setdefault(accrual.rule, Counter())[accrual.line] += accrual.points
    for rule, points in got_before.items():
        assert got_after[rule].total() >= points.total()
        assert all(got_after[rule][number] >= points[number] - 2 for number in points)

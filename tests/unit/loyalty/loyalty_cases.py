"""Properties of one sale by any programme with every kind of rule; for tests, and for mutants that must fail them."""

import random
from collections import Counter
from datetime import date

from hypothesis import assume
from hypothesis import strategies as st
from msgspec.structs import replace

from fakes.programmes import Case, cases, is_whole, matches, needs, programmes, receipts
from till_loyalty import engine, life, limits, plan, programme_document
from till_loyalty.matching import is_everything
from till_loyalty.programme import Programme, Rule
from till_loyalty.receipt import Line, MemberState, Receipt
from till_loyalty.results import Calculation, canonical_bytes
from till_loyalty.rule_parts import Discount, Funding, Limit, Match, PerMoney, PerUnit
from till_sync.ops import SaleBody, Subject, decode_body, encode_body

STRANGE = Line(number=1000, sku="unrelated", amount_minor=777, name="a line that no rule names")
SOME = Match(skus=("a", "b", "c"))


def splits_sum(data: st.DataObject) -> None:
    """Every total is the sum of its lines, every line the sum of its rules, and the lots are all that was earned."""
    case = data.draw(cases())
    result = case.calculate()
    points, money = Counter[int](), Counter[int]()
    for accrual in result.accruals:
        points[accrual.line] += accrual.points
    for given in result.discounts:
        money[given.line] += given.amount_minor
    for line, sold in zip(result.lines, case.receipt.lines, strict=True):
        assert (line.number, line.amount_minor) == (sold.number, sold.amount_minor)
        assert line.earned_points == points[line.number] >= 0
        assert line.discount_minor == money[line.number] >= 0
        assert line.payable_minor == line.amount_minor - line.discount_minor - line.paid_by_points_minor >= 0
        assert line.payable_minor >= min(sold.minimum_price_minor, sold.amount_minor)
    assert result.earned_points == sum(line.earned_points for line in result.lines)
    assert result.redeemed_points == sum(line.redeemed_points for line in result.lines)
    assert result.redeemed_minor == sum(line.paid_by_points_minor for line in result.lines)
    assert result.discount_minor == sum(line.discount_minor for line in result.lines)
    assert result.payable_minor == sum(line.payable_minor for line in result.lines)
    lots = life.lots_of(case.programme, result, case.clock.business_date)
    lives = Counter[tuple[str, str]]()
    for accrual in result.accruals:
        lives[(accrual.active_from, accrual.expires_on)] += accrual.points
    assert sorted(lots) == sorted(life.LotTerms(*days, total) for days, total in lives.items() if total)


def limits_hold(data: st.DataObject) -> None:
    """No rule gives more than each of its limits leaves, nor anything where it must not."""
    case = data.draw(cases())
    result = case.calculate()
    day = date.fromisoformat(case.clock.business_date)
    gave = Counter[str]()
    for accrual in result.accruals:
        gave[accrual.rule] += accrual.points
    for given in result.discounts:
        gave[given.rule] += given.amount_minor
    member = case.member or MemberState()
    for rule in case.programme.rules:
        for limit in rule.limits:
            key = limits.period_key(limit.per, day)
            had = [each for each in member.usage if (each.rule, each.per, each.key) == (rule.id, limit.per, key)]
            if limit.per == "budget":
                assert gave[rule.id] <= case.budgets.get(rule.id, gave[rule.id])
            elif limit.amount:
                assert gave[rule.id] <= max(0, limit.amount - sum(each.amount for each in had))
            if limit.uses and sum(each.uses for each in had) >= limit.uses:
                assert not gave[rule.id]
            if case.offline and limit.offline == "refuse":
                assert not gave[rule.id]


def order_of_rules_has_no_say(data: st.DataObject) -> None:
    """Rules, coupons and lists may stand in the document in any order, also those of one priority."""
    case = data.draw(cases())
    mixed = random.Random(data.draw(st.integers(0, 10**6)))
    rules, coupons = list(case.programme.rules), list(case.programme.coupons)
    mixed.shuffle(rules)
    mixed.shuffle(coupons)
    other = replace(case.programme, rules=tuple(rules), coupons=tuple(coupons))
    assert canonical_bytes(case.calculate(other)) == canonical_bytes(case.calculate())


def order_of_lines_has_no_say(data: st.DataObject) -> None:
    """Cash software may send lines in any order: a line gets the same by its number."""
    case = data.draw(cases())
    lines = list(case.receipt.lines)
    random.Random(data.draw(st.integers(0, 10**6))).shuffle(lines)
    other = case.calculate(receipt=Receipt(lines=tuple(lines)))
    assert {line.number: line for line in other.lines} == {line.number: line for line in case.calculate().lines}


def body_of(case: Case, result: Calculation) -> SaleBody:
    """The op that a till would make of the sale."""
    return SaleBody(
        uid="u",
        store="s",
        at_wall_ms=1,
        at_mono_ms=2,
        boot="b",
        clock=case.clock,
        subject=Subject(member_id="m") if case.member else Subject(),
        receipt=case.receipt,
        result=result,
        programme_digest="d",
        offline=case.offline,
        facts=case.member,
        place=case.place,
        codes=case.codes,
        budgets=dict(case.budgets),
        usage=limits.usage_of(case.programme, result, case.clock.business_date),
    )


def an_odd_point_goes_to_the_lower_number(data: st.DataObject) -> None:
    """Two lines of one price share a gift that two don't divide: the line of the lower number gets the odd point.

    The same where a limit leaves an odd number of the gift.
    """
    case = data.draw(cases())
    numbers = data.draw(st.permutations((1, 2)))
    line = Line(number=1, sku="a", amount_minor=data.draw(st.integers(2, 10**6)))
    receipt = Receipt(lines=tuple(replace(line, number=number) for number in numbers))
    odd = 2 * data.draw(st.integers(0, 500)) + 1
    gift = data.draw(
        st.sampled_from(
            (
                Rule(id="gift", points=odd),
                Rule(id="gift", points=odd + 1, limits=(Limit(per="receipt", amount=odd),)),
            )
        )
    )
    programme = replace(case.programme, rules=(gift,), exclusions=())
    result = engine.calculate(programme, MemberState(), receipt, case.clock)
    given = {each.number: each.earned_points for each in result.lines}
    assert given[1] == given[2] + 1


def the_free_one_of_equals_is_chosen_by_its_number(data: st.DataObject) -> None:
    """One of two is free, and both cost the same: which line gets the money off depends on numbers, not on places."""
    case = data.draw(cases())
    line = Line(number=1, sku="a", amount_minor=data.draw(st.integers(2, 10**6)))
    rule = Rule(id="one-free", discount=Discount(buy_units=1, get_units=1))
    programme = replace(case.programme, rules=(rule,), exclusions=())
    found = []
    for numbers in ((1, 2), (2, 1)):
        receipt = Receipt(lines=tuple(replace(line, number=number) for number in numbers))
        result = engine.calculate(programme, MemberState(), receipt, case.clock)
        found.append({each.number: each.discount_minor for each in result.lines})
    assert found[0] == found[1]
    assert sum(found[0].values()) > 0


def till_and_cloud_give_the_same_bytes(data: st.DataObject) -> None:
    """What the cloud reads out of an op's body and of the programme's text leads it to the till's own result."""
    case = data.draw(cases())
    result = case.calculate()
    raw = encode_body(body_of(case, result))
    body = decode_body(raw)
    assert isinstance(body, SaleBody)
    assert encode_body(body) == raw
    there = engine.calculate(
        programme_document.decode_programme(programme_document.programme_json(case.programme)),
        body.facts,
        body.receipt,
        body.clock,
        redeem_points=case.redeem_points,
        place=body.place,
        codes=body.codes,
        budgets=body.budgets,
        offline=body.offline,
    )
    assert canonical_bytes(there) == canonical_bytes(body.result) == canonical_bytes(result)


def a_sale_counts_as_it_was_quoted(data: st.DataObject) -> None:
    """With the quote's own discounts taken, the sale's figures are the quote's, and who pays for them."""
    programme = data.draw(programmes(kinds=("money", "money", "points")))
    if data.draw(st.booleans()):
        funding = Funding(supplier="maker", share_basis_points=5000)
        programme = replace(programme, rules=tuple(replace(each, funded_by=funding) for each in programme.rules))
    assume(is_whole(programme))
    case = data.draw(cases(programme=st.just(programme)))
    quote = case.calculate()
    sale = case.calculate(taken=quote.discounts)
    assert replace(sale, reasons=()) == replace(quote, reasons=())


def a_recount_is_two_counts_in_one(data: st.DataObject) -> None:
    """The sale with what was taken, and the discounts of the same sale with nothing taken."""
    case = data.draw(cases(programme=programmes(kinds=("money", "money", "points"))))
    quoted = case.calculate().discounts
    taken = data.draw(st.sampled_from(((), quoted, quoted[:1])))
    found = engine.recount(
        case.programme,
        case.member,
        case.receipt,
        case.clock,
        taken=taken,
        redeem_points=case.redeem_points,
        place=case.place,
        codes=case.codes,
        budgets=case.budgets,
        offline=case.offline,
    )
    assert canonical_bytes(found.result) == canonical_bytes(case.calculate(taken=taken))
    assert (found.by_rules, found.fault) == (quoted, "")


def another_programme_in_between_changes_nothing(data: st.DataObject) -> None:
    """The remembered plan of a programme is of that very programme, whatever the other one is called."""
    plan._plans = ()
    case = data.draw(cases())
    other = replace(data.draw(programmes(most_rules=2)), id=case.programme.id, version=case.programme.version)
    once = canonical_bytes(case.calculate())
    between = canonical_bytes(case.calculate(other))
    assert canonical_bytes(case.calculate()) == once
    plan._plans = ()
    assert canonical_bytes(case.calculate(other)) == between


def _specific(programme: Programme) -> Programme:
    """The same with no match that takes every line."""

    def named(match: Match) -> Match:
        return SOME if is_everything(match) else match

    def of(rule: Rule) -> Rule:
        discount = rule.discount
        if discount is not None and discount.buy is not None:
            discount = replace(discount, buy=named(discount.buy))
        needs = tuple(replace(need, match=named(need.match)) for need in rule.needs)
        return replace(rule, match=named(rule.match), needs=needs, discount=discount)

    return replace(programme, rules=tuple(of(rule) for rule in programme.rules))


def an_unrelated_line_changes_no_other(data: st.DataObject) -> None:
    """A line that no rule takes, needs or counts as bought changes nothing of the others, when no points are spent.

    With points spent they are split over one line more, so that figures of others move.
    """
    programme = _specific(data.draw(programmes()))
    if data.draw(st.booleans()):
        need = data.draw(needs)
        programme = _specific(replace(programme, rules=tuple(replace(each, needs=(need,)) for each in programme.rules)))
    assume(is_whole(programme))
    case = data.draw(cases(programme=st.just(programme), redeem_points=st.just(0)))
    longer = Receipt(lines=(*case.receipt.lines, STRANGE))
    before, after = case.calculate(), case.calculate(receipt=longer)
    assert after.lines[:-1] == before.lines
    assert after.lines[-1].earned_points == after.lines[-1].discount_minor == 0
    assert [each for each in after.accruals if each.line != STRANGE.number] == list(before.accruals)


def one_more_line_of_a_rule(data: st.DataObject) -> None:
    """What one more line of the rules' own goods does to the others: of rules that only add up, by rounding.

    Rules of a percent, per money and per unit without limits, groups, sums to reach, or points spent. Rounded by line:
    nothing. Rounded by receipt: no rule gives less in all, and a line loses at most 2 minor points of a percent, or of
    points per money 2 portions, by the split of what was rounded once.
    """
    kinds = st.one_of(
        st.fixed_dictionaries({"percent_basis_points": st.sampled_from((1, 100, 333, 5000))}),
        st.just({"per_money": PerMoney(points=1, per_minor=90)}),
        st.just({"per_unit": PerUnit(points=3)}),
    )
    count = data.draw(st.integers(1, 3))
    rules = tuple(Rule(id=f"r{index}", match=data.draw(matches), **data.draw(kinds)) for index in range(count))
    programme = replace(data.draw(programmes(most_rules=1)), rules=rules, exclusions=())
    receipt = data.draw(receipts())
    extra = replace(receipt.lines[0], number=1000, amount_minor=data.draw(st.integers(0, 3000)), minimum_price_minor=0)
    case = data.draw(cases(programme=st.just(programme), receipt=st.just(receipt), redeem_points=st.just(0)))
    before, after = case.calculate(), case.calculate(receipt=Receipt(lines=(*receipt.lines, extra)))
    if programme.round_at == "line":
        assert after.lines[:-1] == before.lines
        return
    for rule in rules:
        old = {each.line: each.points for each in before.accruals if each.rule == rule.id}
        new = {each.line: each.points for each in after.accruals if each.rule == rule.id}
        assert sum(new.values()) >= sum(old.values())
        assert all(new.get(number, 0) >= points - 2 for number, points in old.items())


PROPERTIES = (
    splits_sum,
    limits_hold,
    order_of_rules_has_no_say,
    order_of_lines_has_no_say,
    an_odd_point_goes_to_the_lower_number,
    the_free_one_of_equals_is_chosen_by_its_number,
    till_and_cloud_give_the_same_bytes,
    a_sale_counts_as_it_was_quoted,
    a_recount_is_two_counts_in_one,
    another_programme_in_between_changes_nothing,
    an_unrelated_line_changes_no_other,
    one_more_line_of_a_rule,
)

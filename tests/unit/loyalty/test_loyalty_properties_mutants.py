"""Rules broken on purpose: each property over all kinds of rules must fail on a mistake that somebody could make."""

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from till_loyalty import (
    conditions,
    coupons,
    discounts,
    engine,
    events,
    giving,
    life,
    limits,
    lots,
    matching,
    plan,
    programme_document,
    returns,
    taken,
)
from till_loyalty.exceptions import LoyaltyError
from unit.loyalty import loyalty_calendar as calendars
from unit.loyalty import loyalty_cases as cases
from unit.loyalty import loyalty_parsing as parsing
from unit.loyalty.loyalty_wallet import no_history_gains
from unit.loyalty.test_loyalty_mutants import Mutant, Property, plant

MUTANTS = {
    "rules of one priority act in the order of the document": Mutant(
        plan.Plan, "__init__", "(rule.priority, rule.id)", "rule.priority", (cases.order_of_rules_has_no_say,)
    ),
    "a plan is remembered by its programme's name": Mutant(
        plan,
        "plan_of",
        "plan.programme is programme",
        "plan.programme.id == programme.id",
        (cases.another_programme_in_between_changes_nothing,),
    ),
    "cheapest units of equal price go by their place": Mutant(
        discounts._Work,
        "_cheapest",
        "self.numbers[index]",
        "index",
        (cases.the_free_one_of_equals_is_chosen_by_its_number,),
    ),
    "a fixed gift is split by place": Mutant(
        giving.Giving,
        "_split",
        ", numbers=[line.number for line in self.lines]",
        "",
        (cases.an_odd_point_goes_to_the_lower_number,),
    ),
    "what a limit leaves is split by place": Mutant(
        limits,
        "trim",
        ", numbers=numbers)",
        ")",
        (cases.an_odd_point_goes_to_the_lower_number,),
    ),
    "the first line gets all points of a rule": Mutant(
        giving.Giving,
        "_split",
        "allocate(points, self.bases, numbers=[line.number for line in self.lines])",
        "[points, *[0] * (len(self.bases) - 1)]",
        (cases.order_of_lines_has_no_say,),
    ),
    "a recount does not look at the rules' discounts": Mutant(
        engine._ByRules,
        "ask",
        "discount(plan, lines, standing, situation).given",
        "[]",
        (cases.a_recount_is_two_counts_in_one,),
    ),
    "points of a rule per unit are given once for all lines": Mutant(
        giving.Giving,
        "per_unit",
        "line.quantity_thousandths // terms.per_thousandths",
        "sum(each.quantity_thousandths for each in self.lines) // terms.per_thousandths // len(self.lines)",
        (cases.one_more_line_of_a_rule,),
    ),
    "what is needed is looked for in every line": Mutant(
        plan.Plan,
        "_rule_lines",
        "is_met(each.need, lines, selected.get(each.match, ()))",
        "is_met(each.need, lines, range(len(lines)))",
        (cases.an_unrelated_line_changes_no_other,),
    ),
    "a match of lists takes every line": Mutant(
        matching,
        "is_everything",
        "or match.lists",
        "",
        (cases.an_unrelated_line_changes_no_other,),
    ),
    "a limit is passed by one": Mutant(
        limits, "_left", "max(0, limit.amount - sum", "1 + max(0, limit.amount - sum", (cases.limits_hold,)
    ),
    "what was had this week is looked for under another year": Mutant(
        limits,
        "period_key",
        "year, week, _ = day.isocalendar()",
        "year, week = day.year, day.isocalendar()[1]",
        (calendars.weeks_are_named_by_their_thursday,),
    ),
    "a taken discount is told from the full price": Mutant(
        taken,
        "discounts_taken",
        "left = lines[place].amount_minor - result.line_money[place]",
        "left = lines[place].amount_minor",
        (cases.a_sale_counts_as_it_was_quoted,),
    ),
    "the supplier's share is lost on the way": Mutant(
        taken,
        "discounts_taken",
        "(funding.supplier, funding.share_basis_points) if funding else",
        '("", 0) if funding else',
        (cases.a_sale_counts_as_it_was_quoted,),
    ),
    "one lot for points that end on different days": Mutant(
        life,
        "lots_of",
        "groups[terms] = groups.get(terms, 0) + accrual.points",
        "groups[terms] = accrual.points",
        (cases.splits_sum,),
    ),
    "earlier returns are forgotten": Mutant(returns, "reverse", "known.add(row)", "pass", (no_history_gains,)),
    "spent points come back rounded up": Mutant(
        returns._Progress,
        "take",
        "back_due = sold.redeemed_points * after // whole",
        "back_due = sold.redeemed_points * after // whole + 1",
        (no_history_gains,),
    ),
    "what can not be taken is forgotten": Mutant(lots, "take_back", "work.owe(points)", "pass", (no_history_gains,)),
    "an event is given as often as it happens": Mutant(
        events, "_due", "if (event.id, key) in given:", "if False:", (no_history_gains,)
    ),
    "a purchase that is brought back keeps its events": Mutant(
        events, "lost_by_return", "if kept_minor <", "if kept_minor < 0 * ", (no_history_gains,)
    ),
    "a coupon comes back with the first piece": Mutant(
        coupons, "coupons_back", "if returned_minor < sale.total_minor:", "if not returned_minor:", (no_history_gains,)
    ),
    "a day begins at midnight by the clock before the change": Mutant(
        life.LotTerms,
        "active_at_ms",
        "day_start_ms(",
        "(lambda day, zone: day_start_ms(day, zone) + 3_600_000)(",
        (calendars.points_live_on_the_stores_days,),
    ),
    "the last day is not lived to its end": Mutant(
        life.LotTerms, "expires_at_ms", "day_end_ms(", "day_start_ms(", (calendars.points_live_on_the_stores_days,)
    ),
    "a span past midnight belongs to the day on which it ends": Mutant(
        conditions, "_day_in", "timedelta(days=1)", "timedelta(days=0)", (calendars.windows_hold_by_the_wall_clock,)
    ),
    "the last minute of a span is in it": Mutant(
        conditions,
        "_day_in",
        "span.from_ <= time < span.to",
        "span.from_ <= time <= span.to",
        (calendars.windows_hold_by_the_wall_clock,),
    ),
    "a month's end runs over": Mutant(
        life,
        "plus_months",
        "min(day.day, calendar.monthrange(year, month + 1)[1])",
        "min(day.day, 28)",
        (calendars.months_end_on_their_last_day,),
    ),
    "where it is rounded does not travel": Mutant(
        programme_document,
        "decode_programme",
        "return _decoder.decode(canonical)",
        'return msgspec.structs.replace(_decoder.decode(canonical), round_at="receipt")',
        (cases.till_and_cloud_give_the_same_bytes,),
    ),
    "a document of the wrong encoding is not looked for": Mutant(
        programme_document,
        "_text_of",
        "except UnicodeDecodeError as error:",
        "except KeyError as error:",
        (parsing.any_bytes_parse_or_are_refused,),
    ),
    "a fault of TOML leaves as its reader raised it": Mutant(
        programme_document,
        "_load",
        "except ValueError as error:",
        "except KeyError as error:",
        (parsing.a_harmed_example_parses_or_is_refused,),
    ),
    "a document's types are not looked at": Mutant(
        programme_document,
        "parse_programme",
        'check_value(data, Programme, "", report)',
        "None",
        (parsing.a_harmed_tree_parses_or_is_refused,),
    ),
    "29 February is 1 March in other years": Mutant(
        conditions, "birthday_in", "2, 28", "3, 1", (calendars.birthdays_are_near_as_the_days_count,)
    ),
}


def hold(one_property: Property) -> None:
    """Draw cases until the property fails, or does not; no shrinking, nothing kept."""

    @settings(
        max_examples=1000,
        deadline=None,
        database=None,
        derandomize=True,
        report_multiple_bugs=False,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def draws(data: st.DataObject) -> None:
        one_property(data)

    draws()


@pytest.mark.slow
@pytest.mark.parametrize("name", MUTANTS)
def test_a_broken_rule_fails_its_property(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its own assertion, or by an error: of the rules on what can't be, or, of a parser, one that is not its own."""
    mutant = MUTANTS[name]
    plant(mutant, monkeypatch)
    for one_property in mutant.caught_by:
        with pytest.raises((AssertionError, LoyaltyError, ValueError)):
            hold(one_property)


@settings(max_examples=10, deadline=None, database=None)
@given(st.data())
def test_every_property_has_its_mutant(data: st.DataObject) -> None:
    """A property that no mutant fails proves nothing; and unharmed rules fail none."""
    caught = {each for mutant in MUTANTS.values() for each in mutant.caught_by}
    theirs = {each for module in (cases, calendars, parsing) for each in module.PROPERTIES} | {no_history_gains}
    assert theirs <= caught
    data.draw(st.sampled_from(sorted(caught, key=lambda each: each.__name__)))(data)

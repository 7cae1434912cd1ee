"""Mistakes that somebody could make in discounts taken, coupons, lots, days, tiers and events: a test fails on each."""

import itertools
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from till_loyalty import conditions, coupons, days, engine, events, life, limits, lots, redemption, taken, tiers
from till_loyalty.exceptions import LoyaltyError
from unit.loyalty import test_loyalty_conditions as of_conditions
from unit.loyalty import test_loyalty_core_events as of_events
from unit.loyalty import test_loyalty_core_lots as of_lots
from unit.loyalty import test_loyalty_core_redemption as of_redemption
from unit.loyalty import test_loyalty_core_taken as of_taken
from unit.loyalty import test_loyalty_core_tiers as of_tiers
from unit.loyalty.test_loyalty_mutants import Mutant, plant

Test = Callable[..., None]


class Mistake(NamedTuple):
    """A change of one function's source, and the test that must fail on it."""

    mutant: Mutant
    caught_by: Test


def mistake(holder: Any, name: str, old: str, new: str, caught_by: Test) -> Mistake:
    return Mistake(Mutant(holder, name, old, new, ()), caught_by)


MISTAKES = {
    "a discount taken is worked out again": mistake(
        engine,
        "_count",
        "if discounted is None and plan.discounts:",
        "if plan.discounts:",
        of_taken.test_taken_none_asks_the_rules_and_an_empty_tuple_does_not,
    ),
    "two discounts take more than their line costs": mistake(
        taken,
        "discounts_taken",
        "row.amount_minor > left",
        "row.amount_minor > lines[place].amount_minor",
        of_taken.test_discounts_that_can_not_be_are_refused,
    ),
    "the request says which supplier pays": mistake(
        taken,
        "discounts_taken",
        "if row.rule in rules:",
        "if False:",
        of_taken.test_the_programme_says_who_pays_and_the_rows_say_at_which_price,
    ),
    "a coupon refused by now is not used up by its discount": mistake(
        engine,
        "_with_coupons",
        "tuple(sorted(used))",
        "tuple(sorted(coupons & used))",
        of_taken.test_a_taken_discount_uses_its_coupon_though_it_is_refused_by_now,
    ),
    "nobody is counted as somebody": mistake(
        engine,
        "_count",
        "nobody=True",
        "nobody=False",
        of_taken.test_a_discount_that_asks_for_a_member_is_not_for_nobody,
    ),
    "a limit by member lets nobody pass": mistake(
        limits,
        "trim",
        "if situation.nobody and",
        "if False and",
        of_taken.test_a_discount_that_asks_for_a_member_is_not_for_nobody,
    ),
    "codes of one coupon are counted together": mistake(
        coupons,
        "_is_spent",
        '(each.rule, each.per, each.key) == (coupon.id, "code", code)',
        '(each.rule, each.per) == (coupon.id, "code")',
        of_taken.test_a_code_is_used_so_often_by_all_together,
    ),
    "a code is used once more than it may be": mistake(
        coupons,
        "_is_spent",
        ">= coupon.uses_per_code",
        "> coupon.uses_per_code",
        of_taken.test_a_code_is_used_so_often_by_all_together,
    ),
    "a counted code is taken without a line": mistake(
        coupons,
        "_why_not",
        "and _is_limited(coupon)",
        "and coupon.uses_per_member",
        of_taken.test_a_code_of_counted_use_is_refused_offline_unless_held_or_allowed,
    ),
    "nobody uses a code that is counted": mistake(
        coupons,
        "accepted_of_nobody",
        "or _is_limited(coupon)",
        "",
        of_taken.test_nobody_uses_codes_that_nobody_counts,
    ),
    "a used code is used up instead of a good one": mistake(
        coupons,
        "codes_used",
        "spent | used",
        "used | spent",
        of_taken.test_one_code_of_a_coupon_is_used_up_and_it_is_one_with_a_use_left,
    ),
    "29 February is 1 March": mistake(
        conditions, "birthday_in", "date(year, 2, 28)", "date(year, 3, 1)", of_conditions.test_a_birthday_needs_no_year
    ),
    "a birthday without a year is of a year without 29 February": mistake(
        conditions, "day_of_birth", "LEAP_YEAR:04d", "LEAP_YEAR + 1:04d", of_conditions.test_a_birthday_needs_no_year
    ),
    "lots never wake": mistake(
        lots,
        "inactive_points",
        "lot.sleeps(now_ms)",
        "lot.active_at_ms is not None",
        of_lots.test_points_sleep_until_their_moment,
    ),
    "sleeping points are spent": mistake(
        lots, "spend", "if not work.sleeps(index):", "if True:", of_lots.test_points_sleep_until_their_moment
    ),
    "a lot that moved has no day of waking": mistake(
        lots, "_moved", "active_at_ms=lot.active_at_ms,", "", of_lots.test_points_sleep_until_their_moment
    ),
    "what holds keep is taken": mistake(
        lots._Work,
        "take",
        "most if sleeps else min(most, self.free)",
        "most",
        of_lots.test_sleeping_points_are_not_what_holds_keep,
    ),
    "what is free is free twice": mistake(
        lots._Work, "take", "self.free -= points", "pass", of_lots.test_sleeping_points_are_not_what_holds_keep
    ),
    "a living lot gets a grace": mistake(
        lots, "give_back", "due <= now_ms", "True", of_lots.test_only_an_expired_lot_gets_a_grace
    ),
    "only the first lot of a sale is taken back": mistake(
        lots,
        "take_back",
        "for lot_id in own]",
        "for lot_id in list(own)[:1]]",
        of_lots.test_points_of_a_sale_in_several_lots_are_taken_back_from_all_of_them,
    ),
    "accruals of one life replace each other": mistake(
        life,
        "lots_of",
        "groups.get(terms, 0) + accrual.points",
        "accrual.points",
        of_lots.test_a_sale_makes_a_lot_for_each_life,
    ),
    "lots come in the order of accruals": mistake(
        life,
        "lots_of",
        "(not lot.expires_on, lot.expires_on, lot.active_from)",
        "0",
        of_lots.test_lots_sum_to_what_was_earned_in_an_order_of_their_own,
    ),
    "a grace of no days lasts the day": mistake(
        life, "grace_until_ms", "if days else None", "", of_lots.test_the_grace_of_a_return
    ),
    "a day without a midnight begins in the day before": mistake(
        days, "day_start_ms", "if first > second:", "if False:", of_lots.test_days_of_clock_changes
    ),
    "a day that comes back has ended already": mistake(
        days, "day_end_ms", "if first < second and", "if False and", of_lots.test_days_of_clock_changes
    ),
    "a tier wants more than its threshold": mistake(
        tiers, "tier_by_spend", "<= carried", "< carried", of_tiers.test_a_threshold_is_reached_with_its_last_kopeck
    ),
    "two periods are added up": mistake(tiers, "carried_by", "max(", "int.__add__(", of_tiers.test_moves),
    "a tier stepped over is not reached": mistake(
        tiers,
        "move_of",
        "least < each.from_spend_minor <= carried",
        "each.id == after and each.from_spend_minor > least",
        of_tiers.test_one_receipt_or_many_lead_to_the_same_tier,
    ),
    "a tier beside the ladder is left": mistake(
        tiers,
        "moves_by_spend",
        "(place == 0 or each.from_spend_minor > 0)",
        "True",
        of_tiers.test_nothing_moves_without_a_period_or_a_threshold,
    ),
    "a period follows itself": mistake(
        tiers, "period_before", "or 1) - 2", "or 1) - 1", of_tiers.test_periods_follow_one_another
    ),
    "an event happens again": mistake(
        events, "_due", "(event.id, key) in given", "False", of_events.test_a_welcome_comes_once
    ),
    "an event knows no last day": mistake(
        events, "_due", "text >= event.to_date", "text > event.to_date", of_events.test_an_event_has_a_term
    ),
    "a purchase as large as the first is a first one": mistake(
        events,
        "_is_first",
        "largest < least",
        "largest <= least",
        of_events.test_a_first_purchase_is_the_first_of_its_size,
    ),
    "one friend pays once for all": mistake(
        events,
        "for_referrer",
        "purchase.member_id",
        '""',
        of_events.test_who_brings_friends_gets_something_for_each_up_to_the_most,
    ),
    "the most is passed within one move": mistake(
        events,
        "on_tiers_reached",
        "*((award.event, award.key) for award in awards)",
        "",
        of_events.test_each_tier_on_the_way_is_reached,
    ),
    "yesterday's birthday is given again": mistake(
        events,
        "on_day",
        "birthday > last_run",
        "birthday >= last_run",
        of_events.test_days_without_a_run_lose_no_birthday,
    ),
    "a purchase given back whole keeps its event": mistake(
        events,
        "lost_by_return",
        "max(1, ",
        "max(0, ",
        of_events.test_a_return_takes_back_what_its_purchase_gave,
    ),
    "a tier is lost that the period before carries": mistake(
        events,
        "lost_by_tier",
        "carried_by(spent, period)",
        "spent.get(period, 0)",
        of_events.test_a_tier_that_is_not_carried_any_more_takes_its_points_back,
    ),
    "proof is asked for at the threshold": mistake(
        redemption,
        "redeem",
        "points > terms.proof_above_points",
        "points >= terms.proof_above_points",
        of_redemption.test_proof_is_needed_above_its_threshold,
    ),
    "the smallest balance is too small": mistake(
        redemption,
        "_why_nothing",
        "spendable < terms.minimum_balance_points",
        "spendable <= terms.minimum_balance_points",
        of_redemption.test_the_smallest_balance_is_reached_with_its_last_point,
    ),
    "the ceiling of a receipt is forgotten": mistake(
        redemption,
        "redeem",
        "if terms.maximum_receipt_minor:",
        "if False:",
        of_redemption.test_the_tightest_limit_of_a_receipt_holds_and_is_told,
    ),
}


def run(test: Test) -> None:
    """The test as pytest would run it, with each of its parameters."""
    tables = []
    for mark in getattr(test, "pytestmark", ()):
        names = mark.args[0]
        names = (names,) if isinstance(names, str) else names
        tables.append([dict(zip(names, row if len(names) > 1 else (row,), strict=True)) for row in mark.args[1]])
    for row in itertools.product(*tables):
        test(**{name: value for part in row for name, value in part.items()})


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_caught(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test named beside it passes without the mistake, and fails with it by its own assertion or our own error."""
    mutant, test = MISTAKES[name]
    run(test)
    right = getattr(mutant.holder, mutant.name)
    plant(mutant, monkeypatch)
    wrong = getattr(mutant.holder, mutant.name)
    assert wrong is not right
    for title, module in list(sys.modules.items()):
        if "test_loyalty_co" in title and getattr(module, mutant.name, None) is right:
            monkeypatch.setattr(module, mutant.name, wrong)
    with pytest.raises((AssertionError, LoyaltyError, pytest.fail.Exception)):
        run(test)

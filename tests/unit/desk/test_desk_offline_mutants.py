"""For each rule of spending without the cloud: a desk that breaks it is found out by the test named beside it."""

import pytest

from kit.mistakes import Mistake, must_be_caught
from till_agent import own_facts
from till_agent.desk import allowing, cloud_time, covering, holding
from till_agent.journal import changes
from unit.desk import test_desk_offline_spending as of_spending
from unit.desk import test_desk_races as of_races

MISTAKES = {
    "a grant is whole again after a restart": Mistake(
        changes,
        "pack_change",
        'redeemed if cover == "grant" else 0',
        "0",
        of_spending.test_a_grant_spent_before_a_restart_stays_spent,
    ),
    "a grant of an old journal is spent": Mistake(
        allowing.Allowing,
        "_left",
        "row.epoch == row.included[0] == self.epoch()",
        "row.epoch == row.included[0]",
        of_spending.test_a_grant_of_another_epoch_is_nothing,
    ),
    "a hold of an old journal is spent": Mistake(
        holding,
        "_of_another_epoch",
        "return not",
        "return False and",
        of_spending.test_a_grant_of_another_epoch_is_nothing,
    ),
    "what open receipts keep is spent again": Mistake(
        allowing.Allowing,
        "_left",
        "- held)",
        ")",
        of_spending.test_open_holds_are_taken_off_and_come_back_without_an_op,
    ),
    "what was given back is spent": Mistake(
        allowing.Allowing,
        "_left",
        "- spent.released ",
        "",
        of_spending.test_a_larger_wish_gives_the_grant_back_once_the_cloud_asks_for_it,
    ),
    "a recall is answered twice": Mistake(
        allowing.Allowing,
        "to_give_back",
        "row.recall - released",
        "row.recall",
        of_spending.test_what_the_cloud_recalls_is_given_back_once,
    ),
    "the floor limit is counted by sale": Mistake(
        allowing.Allowing,
        "_floor",
        "terms.member_points - spent - held",
        "terms.member_points",
        of_spending.test_within_the_floor_limit_a_member_spends_without_a_grant,
    ),
    "the floor limit of the till is counted by member": Mistake(
        own_facts.OwnFacts,
        "add_row",
        "self._floor_points += change.floor",
        "pass",
        of_spending.test_the_tills_own_cap_counts_all_members_and_open_receipts,
    ),
    "the floor limit is credit": Mistake(
        allowing.Allowing,
        "_floor",
        "min(terms.member_points - spent - held, free)",
        "terms.member_points - spent - held",
        of_spending.test_nobody_spends_more_than_they_are_shown_to_have,
    ),
    "time is told by the wall clock": Mistake(
        cloud_time.CloudTime,
        "silent_ms",
        "clock.mono_ms() - seen.mono_ms",
        "clock.wall_ms() - seen.wall_ms",
        of_spending.test_the_floor_limit_ends_with_its_hours_and_after_a_clock_that_went_back,
    ),
    "a clock that went back over a reboot is believed": Mistake(
        cloud_time.CloudTime,
        "silent_ms",
        "if off_ms < 0:",
        "if False:",
        of_spending.test_after_a_reboot_only_a_wall_clock_that_went_on_is_believed,
    ),
    "a grant never ends": Mistake(
        allowing.Allowing,
        "grant",
        "if row.until_ms and",
        "if False and",
        of_spending.test_a_grant_whose_time_is_over_is_not_spent_and_is_given_back,
    ),
    "a voucher is taken twice": Mistake(
        covering.Covering,
        "check",
        'stored.state == "used"',
        "False",
        of_spending.test_a_voucher_names_its_member_and_is_taken_once,
    ),
    "a voucher is kept for two receipts": Mistake(
        covering.Covering,
        "_free_voucher",
        'stored.state == "granted"',
        "False",
        of_spending.test_a_voucher_is_for_one_receipt_at_a_time_and_comes_back_with_a_dropped_one,
    ),
    "a proof that nobody checked is good": Mistake(
        allowing.Allowed,
        "points",
        "if self.proof < 0",
        "if True",
        of_spending.test_without_a_line_no_proof_can_be_checked,
    ),
    "the floor limit is spent beside the grant": Mistake(
        covering.Covering,
        "give",
        'if cover == "floor":',
        "if False:",
        of_spending.test_a_grant_goes_before_the_floor_limit_which_gives_it_back_first,
    ),
    "what the till was granted waits for others at the cloud": Mistake(
        holding.Holding,
        "hold",
        "None if self._for_cloud[request.sale_uid] else await self._here(request, found)",
        "None",
        of_races.test_what_the_till_was_granted_waits_for_no_other_receipt_at_the_cloud,
    ),
    "giving a grant back waits for those at the cloud": Mistake(
        holding.Holding,
        "give_back_grants",
        "self._own_turn",
        "self._cloud_turn",
        of_races.test_what_the_till_was_granted_waits_for_no_other_receipt_at_the_cloud,
    ),
    "a receipt overtakes itself": Mistake(
        holding.Holding,
        "hold",
        "None if self._for_cloud[request.sale_uid] else ",
        "",
        of_races.test_a_receipt_that_asks_again_waits_for_what_it_asked_before,
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_caught(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test passes without the mistake and fails with it."""
    must_be_caught(MISTAKES[name], monkeypatch)

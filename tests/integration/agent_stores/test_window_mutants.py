"""Rules of windows are broken on purpose in a copy of the cloud or the agent: the tests that hold them must fail."""

from pathlib import Path

import pytest

from kit.broken import Mutant, notice, pass_unbroken
from kit.forks import Forks

HERE = "tests/integration/agent_stores/test_window_tills.py::"

CROSSING = "tests/integration/agent_stores/test_window_crossing.py::"

INCLUDES = "tests/integration/agent_stores/test_leaving_includes.py::"

TURNS = "tests/integration/agent_stores/test_cache_turns.py::"

FORMER = "tests/unit/cloud/test_window_former.py::"

CLOUD: list[Mutant] = [
    (
        "a stolen till's token gets the whole base",
        "former.py",
        "and not (since_ms and now_ms - since_ms >= KEPT_DAYS * DAY_MS):",
        "and True:",
        FORMER + "test_a_till_that_kept_its_window_for_long_does_not_get_the_whole_base",
    ),
    (
        "an upgrade can't be taken back",
        "former.py",
        "and not (since_ms and now_ms - since_ms >= KEPT_DAYS * DAY_MS):",
        "and not since_ms:",
        FORMER + "test_an_upgrade_can_be_taken_back_for_a_while",
    ),
    (
        "a stretch is of everybody",
        "centre.py",
        "        if not windowed:\n            self.expect_window(till.till)\n",
        "",
        FORMER + "test_the_chain_chooses",
    ),
    (
        "a till gets another store's file",
        "snapshot_routes.py",
        "if not any(snapshots.is_of(connection, wanted, scope) for scope in scopes):",
        "if not scopes:",
        HERE + "test_a_till_gets_the_files_of_its_own_members_only",
    ),
    (
        "strangers are asked about without end",
        "meeting.py",
        "            over = len(wider) > STRANGERS_AN_HOUR and",
        "            over = False and",
        HERE + "test_a_till_asks_about_so_many_strangers_an_hour",
    ),
    (
        "a till gets everybody's changes",
        "windows.py",
        "    if not asked or meta.told",
        "    if True or meta.told",
        HERE + "test_a_till_holds_whom_its_store_has_seen_and_nobody_else",
    ),
    (
        "pages are of every store",
        "store/windows.py",
        "WHERE s.store = :store AND s.member_id = b.member_id AND s.inside = 1)\n    OR",
        "WHERE s.member_id = b.member_id AND s.inside = 1)\n    OR",
        HERE + "test_a_till_holds_whom_its_store_has_seen_and_nobody_else",
    ),
    (
        "nobody is told who has left",
        "windows.py",
        "        elif after:  #",
        "        elif False:  #",
        HERE + "test_who_is_not_seen_for_long_leaves_the_till",
    ),
    (
        "who is asked for is served, and nothing more",
        "meeting.py",
        "        windows.see(book, current.store, member_id)\n",
        "",
        HERE + "test_who_is_asked_for_is_served_and_comes_into_the_window",
    ),
    (
        "digests are of the whole base",
        "changes.py",
        "    ids, last = windows.ids_after(connection, scope, after, digests.STRETCH_MEMBERS)",
        '    ids, last = windows.ids_after(connection, "", after, digests.STRETCH_MEMBERS)',
        HERE + "test_a_till_holds_whom_its_store_has_seen_and_nobody_else",
    ),
    (
        "a former till gets its store's members",
        "windows.py",
        "    if not asked or meta.told",
        "    if meta.told",
        HERE + "test_a_former_till_gets_what_it_got",
    ),
    (
        "who was lent points leaves",
        "store/windows.py",
        "        WHERE g.member_id = s.member_id AND g.points > 0 AND t.store = s.store)",
        "        WHERE g.member_id = s.member_id AND g.points > 99 AND t.store = s.store)",
        HERE + "test_who_was_lent_points_stays",
    ),
    (
        "who left and is erased then is told as one who left",
        "windows.py",
        "        elif member_id in erased:  #",
        "        elif False:  #",
        CROSSING + "test_who_left_and_is_erased_then_goes_whatever_waits",
    ),
    (
        "nobody is told that one who left is erased",
        "store/windows.py",
        "WHERE member_id = ? AND inside = 0",
        "WHERE member_id = ? AND inside = 0 AND 0",
        CROSSING + "test_who_left_and_is_erased_then_goes_whatever_waits",
    ),
    (
        "whoever an erased member was before is forgotten of",
        "erasing.py",
        "        windows.tell_erased(connection, each, book",
        "        windows.tell_erased(connection, member_id, book",
        CROSSING + "test_whoever_became_another_is_erased_with_them_where_they_left",
    ),
]

SEARCH = "tests/integration/agent_stores/test_search_forgets.py"

ANEW = "tests/integration/agent_stores/test_registrations_anew.py::"

SALES = "tests/integration/agent_stores/test_window_sales.py::"

AGENT: list[Mutant] = [
    (
        "a kill between a page and what follows it takes who was sold to meanwhile",
        "cache/lookups.py",
        "if noted else progress",
        "if False else progress",
        SALES + "test_who_is_sold_to_while_a_page_takes_them_away_stays",
    ),
    (
        "a kill right after a new cache took its place takes who was sold to meanwhile",
        "cache/store.py",
        "self._lookups.with_noted(stay))",
        "stay)",
        SALES + "test_who_is_sold_to_while_a_page_takes_them_away_stays",
    ),
    (
        "an answer about one who is kept is left alone",
        "cache/pages.py",
        "    if is_here and not leaving",
        "    if is_here and True or leaving",
        SALES + "test_who_is_brought_again_by_an_answer_is_as_the_cloud_says",
    ),
    (
        "who is sold to while a page is written goes with it",
        "cache/store.py",
        "            if gone := ",
        "            if gone := 0 * ",
        SALES + "test_a_card_leads_to_who_is_going_until_they_are_brought_back",
    ),
    (
        "who is brought back is nobody until then",
        "cache/lookups.py",
        "        if not self._meanwhile:\n            return None\n",
        "        return None\n",
        SALES + "test_a_card_leads_to_who_is_going_until_they_are_brought_back",
    ),
    (
        "a card leads nowhere until its owner is brought back",
        "cache/lookups.py",
        "self._meanwhile.get(key) or next(tagged, None)",
        "self._meanwhile.get(key)",
        SALES + "test_a_card_leads_to_who_is_going_until_they_are_brought_back",
    ),
    (
        "who was erased is brought back",
        "cache/lookups.py",
        "if member_id not in removed]",
        "if True]",
        SALES + "test_who_was_erased_is_not_brought_back",
    ),
    (
        "who was erased is brought back into a new cache",
        "cache/store.py",
        " | (aside.removed if aside else set())",
        "",
        SALES + "test_who_was_erased_while_a_new_cache_was_made_is_not_brought_back_into_it",
    ),
    (
        "who is here again is put back as they were",
        "cache/pages.py",
        "(each[0][0],)).fetchone() is None]",
        "(each[0][0],)).fetchone() is None or True]",
        SALES + "test_who_is_looked_up_while_a_page_changes_them_is_as_it_says",
    ),
    (
        "who was looked up a moment before goes",
        "cache/store.py",
        " | self._lookups.lately()",
        "",
        SALES + "test_who_was_looked_up_within_a_minute_stays",
    ),
    (
        "who was looked up once stays for ever",
        "cache/lookups.py",
        "if at_ms >= since_ms]",
        "if at_ms >= 0]",
        SALES + "test_who_was_looked_up_within_a_minute_stays",
    ),
    (
        "nobody waits until it is known whom operations speak of",
        "cache/store.py",
        "        await self.caught_up()\n",
        "",
        SALES + "test_a_page_waits_until_it_is_known_whom_operations_of_a_new_journal_speak_of",
    ),
    (
        "who registered is known by the ids of a journal that was put aside",
        "journal/rebuilding.py",
        "                await self.also_reads()\n",
        "",
        ANEW + "test_a_card_given_here_leads_to_its_member_after_the_journal_was_put_aside",
    ),
    (
        "a page forgets who registered while a new journal is read",
        "core.py",
        "        if journal.is_caught_up:",
        "        if True:",
        ANEW + "test_a_page_forgets_nobody_while_the_new_journal_is_read",
    ),
    (
        "what came back counts by the id that the sale had in a journal that was put aside",
        "desk/elsewhere.py",
        "if _till_of(about) == till]",
        "if about == sale_op]",
        "tests/integration/agent_stores/test_returns_anew.py",
    ),
    (
        "who was erased stays in the search's index",
        "cache/pages.py",
        "        search_index.forget(connection, removed)\n",
        "",
        SEARCH,
    ),
    (
        "whom mending drops stays in the search's index",
        "cache/checking.py",
        "    search_index.forget(connection, dropped)\n",
        "",
        SEARCH,
    ),
    (
        "the search's index of what is pulled anew stays until somebody searches",
        "cache/pages.py",
        "    if left or progress.filling:\n        search",
        "    if left:\n        search",
        SEARCH,
    ),
    (
        "a card that was given is nobody's operation",
        "core.py",
        " | registrations.speak_of(included)",
        "",
        SALES + "test_a_card_given_to_somebody_is_an_operation_about_them",
    ),
    (
        "a card that was given is spoken of for as long as the cache includes less",
        "registrations.py",
        " if (op_id.epoch, op_id.seq) > included for tag in tags",
        " for tag in tags",
        INCLUDES + "test_who_is_kept_for_a_card_goes_when_the_cloud_has_answered",
    ),
    (
        "the floor is past who was taken in again",
        "cache/pages.py",
        "    floor = min(progress.floor, floor) if gone else progress.floor\n",
        "    floor = progress.floor\n",
        INCLUDES + "test_the_floor_rests_for_one_who_is_looked_up_while_a_page_lets_them_go",
    ),
    (
        "members are written with pauses though nobody sells",
        "cache/turns.py",
        "if first and self._pauses > 0:",
        "if first:",
        TURNS + "test_members_are_written_with_pauses_only_after_somebody_has_asked_to_sell",
    ),
    (
        "members are written without pauses beside sales",
        "cache/store.py",
        "turns.pace.called()",
        "turns.pace",
        TURNS + "test_members_are_written_with_pauses_only_after_somebody_has_asked_to_sell",
    ),
    (
        "a new cache keeps who left while it was made",
        "cache/aside.py",
        "pages.write_page(connection, self.progress, page, seen, waiting, serves=False)",
        "pages.write_page(connection, self.progress, page, seen, None, serves=False)",
        CROSSING + "test_who_leaves_while_a_new_cache_is_built_is_not_in_it",
    ),
    (
        "a digest of before an answer is compared",
        "cache/crossing.py",
        "if self._is_met else page",
        "if False else page",
        CROSSING + "test_a_digest_made_before_somebody_was_asked_for_is_no_divergence",
    ),
    (
        "after an answer no digest is compared any more",
        "cache/crossing.py",
        "        self._is_met = False\n\n    def takes",
        "        self._is_met = self._is_met\n\n    def takes",
        CROSSING + "test_a_digest_made_before_somebody_was_asked_for_is_no_divergence",
    ),
    (
        "an answer is taken whatever was told since",
        "cache/crossing.py",
        "answer.server_time_ms <= self._gone",
        "answer.server_time_ms < -1 + 0 * self._gone",
        CROSSING + "test_an_answer_that_comes_after_the_news_that_they_went_is_too_late",
    ),
    (
        "mending drops whom waiting ops speak of",
        "cache/checking.py",
        "            and leaving.keep(connection, member_id, waiting, progress.base)\n",
        "            and False\n",
        CROSSING + "test_mending_keeps_whom_waiting_ops_speak_of",
    ),
    (
        "mending keeps the erased",
        "cache/checking.py",
        "            and member_id not in erased\n",
        "",
        CROSSING + "test_mending_lets_go_of_the_erased_whatever_waits",
    ),
    (
        "who was erased is taken over into a new cache",
        "cache/aside.py",
        "        self.removed |= pages.removed_by(page)\n",
        "",
        CROSSING + "test_who_was_erased_is_not_taken_over_into_a_new_cache",
    ),
    (
        "who has left goes, whatever waits",
        "cache/leaving.py",
        "    if member_id in waiting or",
        "    return False\n    if member_id in waiting or",
        HERE + "test_a_member_with_waiting_ops_stays_until_the_cloud_has_them",
    ),
    (
        "a pull from the beginning drops whom waiting ops speak of",
        "cache/pages.py",
        "    if waiting and gone:",
        "    if False:",
        HERE + "test_a_member_with_waiting_ops_stays_when_all_is_pulled_anew",
    ),
    (
        "a new cache drops whom waiting ops speak of",
        "cache/aside.py",
        "        if serving is None or waiting is None:",
        "        if True:",
        HERE + "test_a_new_cache_comes_from_the_stores_own_snapshot",
    ),
    (
        "who has left stays for ever",
        "cache/pages.py",
        "        left += leaving.leave(",
        "        left += 0 * leaving.leave(connection, [], waiting, None) and leaving.leave(",
        HERE + "test_who_is_not_seen_for_long_leaves_the_till",
    ),
    (
        "a stretch is never compared",
        "cache/checking.py",
        "    agrees = (found.count, found.digest) == (stretch.count, stretch.digest)",
        "    agrees = True",
        HERE + "test_a_divergence_is_found_within_the_window",
    ),
]


ALL = [("till_cloud", each) for each in CLOUD] + [("till_agent", each) for each in AGENT]


@pytest.mark.slow
@pytest.mark.parametrize(("package", "mutant"), ALL, ids=[each[0] for _, each in ALL])
def test_a_broken_rule_of_windows_is_noticed(forks: Forks, tmp_path: Path, package: str, mutant: Mutant) -> None:
    """The mutated copy fails the tests that hold the rule."""
    notice(forks, tmp_path, package, mutant)


@pytest.mark.slow
@pytest.mark.parametrize(("package", "mutants"), [("till_cloud", CLOUD), ("till_agent", AGENT)], ids=["cloud", "agent"])
def test_the_unbroken_copy_passes_the_same_tests(
    forks: Forks, tmp_path: Path, package: str, mutants: list[Mutant]
) -> None:
    """It is the broken rule that they notice, and not the copying."""
    pass_unbroken(forks, tmp_path, package, mutants)

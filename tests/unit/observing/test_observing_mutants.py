"""Rules of watchdog, heartbeat and audit are broken on purpose in a copy: the tests that hold them must fail."""

from pathlib import Path

import pytest

from kit.broken import Mutant, notice, pass_unbroken
from kit.forks import Forks

WATCHDOG = "tests/unit/supervision/test_supervision_watchdog.py::"
JOURNAL = "tests/unit/audit/test_audit_journal.py::"
TRAIL = "tests/unit/audit/test_audit_trail.py::"
TILL = "tests/unit/heartbeat/test_heartbeat_till.py::"
CLOUD = "tests/unit/heartbeat/test_heartbeat_cloud.py::"


AGENT: list[Mutant] = [
    (
        "a dead till is fed",
        "supervision/watchdog.py",
        "        if dead:\n            self._give_up(dead)\n            return\n",
        "        if dead:\n            self._give_up(dead)\n",
        WATCHDOG + "test_a_dead_till_is_not_fed",
    ),
    (
        "the journal is not looked at",
        "supervision/watchdog.py",
        "if ticks > limits[part]]",
        'if ticks > limits[part] and part != "journal"]',
        WATCHDOG + "test_each_part_is_given_its_time_and_no_more",
    ),
    (
        "a disk is given no more time than code",
        "supervision/watchdog.py",
        "JOURNAL: self.journal_ticks(), BRIDGE",
        "JOURNAL: WRITER_TICKS, BRIDGE",
        WATCHDOG + "test_a_disk_that_stalls_is_waited_for",
    ),
    (
        "an old answer counts for ever",
        "supervision/watchdog.py",
        "            self._silent[part] += 1",
        "            pass",
        WATCHDOG + "test_each_part_is_given_its_time_and_no_more",
    ),
    (
        "the start is watched as the sale path",
        "supervision/watchdog.py",
        "START_TICKS = 60",
        "START_TICKS = 8",
        WATCHDOG + "test_a_start_may_take_a_minute_and_asks_for_time",
    ),
    (
        "a tail is not missed",
        "journal/proving.py",
        "        if state.last_seq < each.seq:",
        "        if False:",
        JOURNAL + "test_a_tail_that_the_witness_knows_is_missed",
    ),
    (
        "the hash that was told is not compared",
        "journal/proving.py",
        "        elif each.hash and",
        "        elif False and",
        JOURNAL + "test_a_chain_that_was_made_anew_is_not_the_one_that_was_told",
    ),
    (
        "a row is checked against any row before it",
        "journal/reader.py",
        "            checked = self._check(columns, previous)",
        "            checked = CheckedRow(OpId(self.till, epoch, found), Row(*columns[2:]), bytes(columns[1]), '')",
        JOURNAL + "test_an_edited_row_is_named",
    ),
    (
        "what was acknowledged is not held against the journal",
        "journal/proving.py",
        "_against(reader, (*_acknowledged(reader), *told))",
        "_against(reader, told)",
        JOURNAL + "test_a_tail_that_the_cloud_has_is_missed",
    ),
    (
        "a line that was taken out is not missed",
        "audit_trail.py",
        "    if line.prev != before.hash or line.seq != before.seq + 1:",
        "    if False:",
        TRAIL + "test_the_first_bad_line_is_named",
    ),
    (
        "what flickers is told each time",
        "beating.py",
        "LEAST_PAUSE_MS = 10_000",
        "LEAST_PAUSE_MS = 0",
        TILL + "test_what_flickers_does_not_fill_the_line",
    ),
    (
        "the wish is written again and again",
        "beating.py",
        "        if body != self._written:",
        "        if True:",
        TILL + "test_another_release_is_written_down_once_and_taken_back",
    ),
    (
        "all come at once when the line is back",
        "beating.py",
        "SPREAD_MS = 60_000",
        "SPREAD_MS = 3_600_000",
        TILL + "test_none_goes_out_without_a_line_and_the_next_is_spread",
    ),
]

CENTRE: list[Mutant] = [
    (
        "a head that went back is no finding",
        "heartbeats.py",
        "        if beat.head_seq < seq:",
        "        if False:",
        CLOUD + "test_a_head_that_went_back_or_changed_is_found",
    ),
    (
        "a heartbeat that was held up is a finding",
        "heartbeats.py",
        "    if not late:",
        "    if True:",
        CLOUD + "test_a_heartbeat_that_was_held_up_is_no_finding",
    ),
    (
        "an overtaken heartbeat is the newest",
        "heartbeats.py",
        "        if key == till.public_key and counter < highest:",
        "        if False:",
        CLOUD + "test_the_number_a_heartbeat_was_signed_with_orders_it",
    ),
    (
        "held against what is acknowledged now",
        "heartbeats.py",
        "(before.acked_epoch, before.acked_seq, before.acked_hash),",
        "",
        CLOUD + "test_a_head_below_what_was_acknowledged_is_found",
    ),
    (
        "the history is never forgotten",
        "store/heartbeats.py",
        "    connection.execute(_FORGET_POINTS,",
        "    (_FORGET_POINTS,",
        CLOUD + "test_the_newest_is_kept_whole_and_a_day_of_figures",
    ),
]


def test_the_tests_pass_over_copies_that_are_whole(forks: Forks, tmp_path: Path) -> None:
    """So it is not the copying that they notice."""
    pass_unbroken(forks, tmp_path / "a", "till_agent", AGENT)
    pass_unbroken(forks, tmp_path / "c", "till_cloud", CENTRE)


@pytest.mark.parametrize("mutant", AGENT, ids=[mutant[0] for mutant in AGENT])
def test_a_broken_rule_of_the_agent_is_noticed(forks: Forks, tmp_path: Path, mutant: Mutant) -> None:
    """Each in a copy of its own."""
    notice(forks, tmp_path, "till_agent", mutant)


@pytest.mark.parametrize("mutant", CENTRE, ids=[mutant[0] for mutant in CENTRE])
def test_a_broken_rule_of_the_cloud_is_noticed(forks: Forks, tmp_path: Path, mutant: Mutant) -> None:
    """Each in a copy of its own."""
    notice(forks, tmp_path, "till_cloud", mutant)

"""Each rule of sync is broken on purpose in a copy of the package: the tests that hold the rule must fail.

A test that can't fail is a defect; here is shown that these can.
"""

from pathlib import Path

import pytest

from kit.broken import Mutant, notice, pass_unbroken
from kit.forks import Forks

UNIT = "tests/unit/sync/"
LINE = "tests/integration/sync/"

MUTANTS: list[Mutant] = [
    (
        "verdicts of other ops are recorded",
        "push.py",
        "if [result.seq for result in answer.results] != [op.seq for op in request.ops]:",
        "if False:",
        UNIT + "test_sync_push.py::test_an_answer_to_another_batch_records_nothing",
    ),
    (
        "less acknowledged than sent passes",
        "push.py",
        "if answer.acked_seq < last_seq:",
        "if False:",
        UNIT + "test_sync_push.py::test_an_answer_to_another_batch_records_nothing",
    ),
    (
        "more acknowledged than sent passes",
        "push.py",
        "if (request.epoch, answer.acked_seq) > max(known, (request.epoch, last_seq)):",
        "if False:",
        LINE + "test_sync_line.py::test_a_bad_answer_records_nothing_and_the_same_bytes_go_again",
    ),
    (
        "the chain hash of the answer is not looked at",
        "push.py",
        'if answer.acked_seq == last_seq and answer.head_hash not in ("", request.head_hash):',
        "if False:",
        UNIT + "test_sync_push.py::test_an_answer_to_another_batch_records_nothing",
    ),
    (
        "another incarnation acknowledges",
        "push.py",
        "if answer.incarnation != request.incarnation:",
        "if False:",
        UNIT + "test_sync_push.py::test_an_answer_of_another_incarnation_records_nothing",
    ),
    (
        "a 200 of any content type acknowledges",
        "client.py",
        "        _require_plain_json(reply.headers)\n",
        "",
        UNIT
        + "test_sync_push.py::test_nothing_but_a_well_formed_answer_acknowledges "
        + LINE
        + "test_sync_line.py::test_a_bad_answer_records_nothing_and_the_same_bytes_go_again",
    ),
    (
        "a portal's 401 halts the till",
        "answers.py",
        'return NotOurCloud(f"expected an answer of our protocol, not {reply.status} without a problem")',
        "kind = _REFUSALS.get(reply.status)\n        return kind('', status=reply.status) if kind else NotOurCloud('')",
        UNIT + "test_sync_client.py::test_a_status_without_a_problem_is_a_stranger_s",
    ),
    (
        "ops leave in whatever order the outbox gives",
        "push.py",
        "if not sequence or sequence != list(range(request.first_seq, request.first_seq + len(sequence))):",
        "if not sequence:",
        UNIT + "test_sync_push.py::test_a_batch_out_of_order_never_leaves",
    ),
    (
        "a retry is made anew",
        "push.py",
        "is_fresh = self._clock.mono_ms() - batch.made_mono_ms <= RESEND_AGE_MS",
        "is_fresh = False",
        UNIT + "test_sync_push.py::test_a_retry_carries_identical_bytes_even_when_more_ops_have_come",
    ),
    (
        "the batch is forgotten before its verdicts are stored",
        "push.py",
        "            await storing\n        self._batch = None",
        "            self._batch = None\n            await storing\n        self._batch = None",
        UNIT + "test_sync_push.py::test_an_answer_that_could_not_be_stored_is_asked_for_again",
    ),
    (
        "what follows verdicts that were not stored goes on",
        "push.py",
        "            self._batch = None\n            self._ahead.drop()\n",
        "            pass\n",
        UNIT + "test_push_storing.py::test_what_failed_to_be_stored_goes_out_again_before_what_followed_it",
    ),
    (
        "that verdicts could not be stored is told to nobody",
        "push.py",
        "            self._batch = None\n            self._ahead.drop()\n            raise\n",
        "            pass\n",
        UNIT + "test_push_storing.py::test_what_failed_to_be_stored_goes_out_again_before_what_followed_it",
    ),
    (
        "verdicts are stored beside those before them",
        "push.py",
        "        await self.stored()\n        storing =",
        "        storing =",
        UNIT + "test_push_storing.py::test_what_failed_to_be_stored_goes_out_again_before_what_followed_it",
    ),
    (
        "what follows is read while verdicts are stored",
        "push.py",
        "            await asyncio.wait({self._storing})\n",
        "            pass\n",
        UNIT + "test_push_storing.py::test_the_next_batch_goes_out_while_verdicts_are_stored_and_its_own_wait_for_them",
    ),
    (
        "a step ends with verdicts under way that nobody waits for",
        "push.py",
        "if self._ahead.is_ready and not answer.retry_after_ms:",
        "if True:",
        UNIT + "test_push_storing.py::test_a_step_that_no_batch_follows_at_once_ends_with_its_verdicts_stored",
    ),
    (
        "a failed step leaves verdicts under way",
        "push.py",
        "            await self._end_storing(error)\n",
        "",
        UNIT + "test_push_storing.py::test_a_batch_that_fails_beside_it_ends_the_step_when_nothing_is_stored_any_more",
    ),
    (
        "a cancelled step leaves verdicts under way",
        "push.py",
        "            self._storing.cancel()\n",
        "",
        UNIT + "test_push_storing.py::test_a_step_that_is_cancelled_leaves_nothing_under_way",
    ),
    (
        "a pull begins while verdicts are stored",
        "rounds.py",
        "        await self._pusher.stored()\n",
        "",
        UNIT + "test_push_storing.py::test_a_pull_that_has_its_turn_within_a_queue_finds_all_verdicts_stored",
    ),
    (
        "what somebody waits for at the cloud gathers with sales",
        "worker.py",
        "await self._wait(early_ms, self._asked, self._urgent)",
        "await self._wait(early_ms, self._asked)",
        UNIT + "test_sync_worker.py::test_what_somebody_waits_for_at_the_cloud_gathers_with_nothing",
    ),
    (
        "what was read ahead is kept when the batch before it failed",
        "push.py",
        "        except BaseException as error:\n            self._ahead.drop()\n",
        "        except BaseException as error:\n",
        UNIT + "test_push_ahead.py::test_a_rest_that_fits_into_the_half_of_a_batch_waits_for_that_batch_too",
    ),
    (
        "a pull over a slow line keeps the push waiting",
        "pull.py",
        " and (not stored or self._clock.mono_ms() < until_ms):",
        ":",
        UNIT + "test_sync_pull.py::test_a_pull_over_a_slow_line_gives_the_push_its_turn_sooner",
    ),
    (
        "what was read of a journal that was put aside is sent",
        "push.py",
        " and batch.opened == self._opened",
        "",
        LINE + "test_push_replaced.py::test_each_operation_goes_out_under_one_id",
    ),
    (
        "what was read ahead is sent however old it is",
        "push.py",
        "return is_fresh and batch.opened",
        "return batch.opened",
        UNIT + "test_push_ahead.py::test_what_was_read_is_given_up_when_the_cloud_takes_less_has_changed_or_it_is_old",
    ),
    (
        "more is acknowledged to the journal than the batch",
        "push.py",
        "self._outbox.record(batch.request.epoch, batch.last_seq, answer.results)",
        "self._outbox.record(batch.request.epoch, answer.acked_seq, answer.results)",
        UNIT + "test_sync_push.py::test_a_cloud_that_holds_more_than_the_batch_is_believed_for_the_batch_only",
    ),
    (
        "one op too large is sent for ever",
        "push.py",
        "if count == 1:",
        "if False:",
        UNIT + "test_sync_push.py::test_an_op_too_large_alone_is_an_error_and_not_a_loop",
    ),
    (
        "a page that includes unsent ops is stored",
        "pull.py",
        "if (page.epoch, page.acked_seq) > known:",
        "if False:",
        UNIT + "test_sync_pull.py::test_nothing_of_a_bad_page_is_stored",
    ),
    (
        "410 is asked about for ever",
        "pull.py",
        "if not cursor or resets > 1:",
        "if resets > 50:",
        UNIT + "test_sync_pull.py::test_410_without_a_cursor_is_an_error_and_not_a_loop",
    ),
    (
        "no jitter",
        "retry.py",
        "return self._uniform(0, min(self._cap_ms, self._base_ms << min(attempt - 1, _MAX_DOUBLINGS)))",
        "return min(self._cap_ms, self._base_ms << min(attempt - 1, _MAX_DOUBLINGS))",
        UNIT + "test_sync_retry.py::test_waits_of_many_tills_are_spread_over_the_whole_range",
    ),
    (
        "no budget",
        "retry.py",
        "if self._left < 1:",
        "if False:",
        UNIT + "test_sync_retry.py::test_without_budget_waits_go_to_their_full_length",
    ),
    (
        "a year of Retry-After is kept",
        "retry_after.py",
        "SHARED_LIMIT_MS = 120_000",
        "SHARED_LIMIT_MS = 10**15",
        LINE + "test_sync_line.py::test_retry_after_over_the_wire",
    ),
    (
        "no spread after an outage",
        "retry.py",
        "self._spread_due = self._spread_due or self.down",
        "self._spread_due = False",
        UNIT + "test_sync_worker.py::test_after_an_outage_the_first_work_is_spread",
    ),
    (
        "the queue is sent into a dead line",
        "rounds.py",
        "if self._line.down or not self._greeted:",
        "if not self._greeted:",
        UNIT + "test_sync_worker.py::test_after_an_outage_the_first_work_is_spread",
    ),
    (
        "after a gap nobody asks where the cloud stands",
        "rounds.py",
        "_GREET_AGAIN = (AnswerMismatch, IncarnationChanged, SequenceGap, HistoryConflict)",
        "_GREET_AGAIN = (AnswerMismatch, IncarnationChanged, HistoryConflict)",
        UNIT + "test_sync_halts.py::test_a_gap_is_mended_by_one_comparison",
    ),
    (
        "each sale cuts the back-off short",
        "worker.py",
        "await self._wait(round(seconds * 1000), self._asked)",
        "await self._wait(round(seconds * 1000), self._asked, self._nudged)",
        UNIT + "test_sync_worker.py::test_a_nudge_does_not_cut_a_back_off_short",
    ),
    (
        "a conflict is hammered",
        "exceptions.py",
        '    code = "history_conflict"\n    retryable = False',
        '    code = "history_conflict"\n    retryable = True',
        UNIT + "test_sync_halts.py::test_a_conflict_of_histories_halts_and_is_shown",
    ),
    (
        "an unexpected exception ends the worker",
        "worker.py",
        "retry=retry_if_exception_type(Exception)",
        "retry=retry_if_exception_type(SyncError)",
        UNIT + "test_sync_worker.py::test_an_unexpected_exception_never_ends_the_worker",
    ),
    (
        "another hold's answer is taken",
        "holds.py",
        "if (answer.hold, answer.points) != (request.hold, request.points):",
        "if False:",
        UNIT + "test_sync_client.py::test_no_usable_answer_to_a_hold_is_unreachable",
    ),
    (
        "the identity is not synced before it takes its name",
        "files.py",
        "            os.fsync(file.fileno())\n",
        "",
        UNIT + "test_sync_identity.py::test_the_file_is_synced_before_it_takes_the_name",
    ),
    (
        "TCP_NODELAY is forgotten",
        "http/protocol.py",
        "        _send_at_once(transport)\n",
        "",
        LINE + "test_sync_serving.py::test_accepted_sockets_send_at_once",
    ),
    (
        "an empty line between requests is no beginning of a head",
        "http/protocol.py",
        "if self.timeout_keep_alive_task is not None and self.head_since is None:",
        "if False:",
        LINE + "test_sync_serving.py::test_empty_lines_between_requests_keep_no_connection",
    ),
    (
        "what is thrown away keeps the loop",
        "http/protocol.py",
        "                await asyncio.sleep(0)\n",
        "                pass\n",
        LINE + "test_sync_serving.py::test_whoever_sends_on_after_a_refusal_leaves_the_loop_to_others",
    ),
    (
        "slow heads are looked for once",
        "http/protocol.py",
        "        if under_way:\n",
        "        if False:\n",
        LINE + "test_sync_serving.py::test_one_timer_looks_after_the_heads_of_all_connections",
    ),
    (
        "a refusal is lost to a reset",
        "http/protocol.py",
        "        self._linger_when_closed = True\n        self.transport.close()",
        "        self.transport.close()",
        LINE + "test_sync_serving.py::test_what_is_no_request_is_refused_with_a_problem_and_the_connection_closed",
    ),
    (
        "a defect's message is logged",
        "defects.py",
        'stack = "".join(traceback.format_tb(error.__traceback__))',
        'stack = "".join(traceback.format_exception(error))',
        LINE + "test_sync_problems.py::test_a_defect_is_a_500_that_says_nothing_and_logs_no_data",
    ),
    (
        "a parked op forgets its fingerprint",
        "parking.py",
        "parked = replace(op, body=msgspec.Raw(msgspec.json.encode(stands)), parked=True)",
        "parked = replace(op, body=msgspec.Raw(msgspec.json.encode(stands)), parked=True, fingerprint='0' * 64)",
        UNIT + "test_parking_search.py::test_the_parked_op_keeps_its_fingerprint_and_the_chain_its_hashes",
    ),
    (
        "the search drops the half behind the one that went through",
        "parking.py",
        "if epoch != self._epoch or last >= self._last:",
        "if True:",
        UNIT + "test_parking_search.py::test_the_search_takes_as_many_requests_as_halvings",
    ),
    (
        "the search goes op by op",
        "parking.py",
        "return max(1, (self._last - self._first + 1) // 2)",
        "return 1",
        UNIT + "test_parking_search.py::test_the_search_takes_as_many_requests_as_halvings",
    ),
    (
        "ops are parked while the cloud itself is unwell",
        "rounds.py",
        "            await self._greet()\n            wait_ms",
        "            wait_ms",
        UNIT + "test_parking_search.py::test_a_cloud_that_falls_ill_at_the_last_try_parks_nothing",
    ),
    (
        "an op is parked though no push at all gets through",
        "rounds.py",
        "            await self._pusher.prove_line(error)\n",
        "",
        UNIT + "test_flapping_backend.py::test_nothing_is_parked_while_no_push_at_all_gets_through",
    ),
    (
        "three tries are enough",
        "parking.py",
        "PARK_WAITS_MS = (40_000,) * 23",
        "PARK_WAITS_MS = (60_000, 240_000)",
        UNIT + "test_flapping_backend.py::test_a_backend_that_flaps_for_hours_parks_no_good_op",
    ),
    (
        "an op is parked at its first failure",
        "parking.py",
        "if self._tries < len(self._waits_ms):",
        "if False:",
        UNIT + "test_parking_search.py::test_it_is_tried_three_times_with_growing_waits",
    ),
    (
        "whoever asks often has an op parked early",
        "parking.py",
        "if now_ms < self._counts_from_ms:",
        "if False:",
        UNIT + "test_parking_search.py::test_it_is_tried_three_times_with_growing_waits",
    ),
    (
        "a former cloud is sent a parked op",
        "push.py",
        "self._protocol >= PARKED_PROTOCOL or is_strange(error)",
        "True",
        UNIT + "test_parking_search.py::test_a_former_cloud_is_sent_no_parked_op",
    ),
    (
        "one op after the other is parked",
        "parking.py",
        "if self._in_a_row >= PARKED_IN_A_ROW:",
        "if False:",
        UNIT + "test_parking_search.py::test_where_all_ops_are_refused_a_few_are_parked_and_the_rest_wait",
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize("mutant", MUTANTS, ids=[mutant[0] for mutant in MUTANTS])
def test_a_broken_rule_is_noticed(forks: Forks, tmp_path: Path, mutant: Mutant) -> None:
    """The mutated copy fails the tests that hold the rule."""
    notice(forks, tmp_path, "till_sync", mutant)


@pytest.mark.slow
def test_the_unbroken_copy_passes_the_same_tests(forks: Forks, tmp_path: Path) -> None:
    """It is the broken rule that they notice, and not the copying."""
    pass_unbroken(forks, tmp_path, "till_sync", MUTANTS)

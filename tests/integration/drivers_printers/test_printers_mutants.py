"""Builds of the printer drivers with a promise broken: the tests notice each.

What is promised: nothing is printed again by itself; REFUSED only if not one byte went; PRINTED only with the proof.
"""

from pathlib import Path

import pytest

from kit.broken import Mutant, notice, pass_unbroken
from kit.forks import Forks

UNIT, INTEGRATION = "tests/unit/drivers_printers", "tests/integration/drivers_printers"
DRIVER, ADVERSARY = f"{UNIT}/test_printers_driver.py", f"{UNIT}/test_printers_adversary.py"
PROTOCOL = f"{UNIT}/test_printers_status_protocol.py"
LINKS, SPOOL = f"{INTEGRATION}/test_printers_links.py", f"{INTEGRATION}/test_printers_spool.py"

MUTANTS: list[Mutant] = [
    (
        "what is in doubt is put back in line",
        "spool_store.py",
        "        waits = state is PrintState.REFUSED\n",
        "        waits = state in (PrintState.REFUSED, PrintState.UNKNOWN)\n",
        f"{INTEGRATION}/test_printers_worker.py::test_a_job_in_doubt_is_never_given_to_a_printer_again",
    ),
    (
        "what was being printed at a restart is put back in line",
        "spool_store.py",
        "set state = 'unknown', detail = ?",
        "set state = 'queued', waits = 1, detail = ?",
        f"{SPOOL}::test_after_a_restart_queued_and_refused_jobs_go_on_and_a_begun_one_is_unknown",
    ),
    (
        "a stall is a refusal however much went",
        "printers/printer.py",
        "isinstance(exc, TransportStalled) and exc.sent <= len(earlier)",
        "isinstance(exc, TransportStalled)",
        f"{DRIVER}::test_a_printer_that_takes_some_bytes_and_stalls_is_unknown",
    ),
    (
        "a lost line is a refusal",
        "printers/printer.py",
        "return Outcome.REFUSED if is_untouched else Outcome.UNKNOWN",
        "return Outcome.REFUSED",
        f"{DRIVER}::test_a_connection_lost_in_the_job_is_unknown_and_the_state_lost",
    ),
    (
        "taken is printed",
        "printers/printer.py",
        "        if proof is None:\n            self._unproven += 1",
        "        if proof is None:\n            return Outcome.PRINTED",
        f"{DRIVER}::test_no_proof_within_the_deadline_is_unknown",
    ),
    (
        "nobody asks what is still owed",
        "printers/conversation.py",
        "return not self._is_in_step or bool(self._protocol.owed)",
        "return not self._is_in_step",
        f"{DRIVER}::test_a_late_proof_of_an_earlier_job_does_not_prove_the_next",
    ),
    (
        "a run begins in step",
        "printers/conversation.py",
        "        self._is_in_step = False\n        \"\"\"",
        "        self._is_in_step = True\n        \"\"\"",
        f"{ADVERSARY}::test_a_proof_that_an_earlier_run_asked_for_does_not_prove_this_runs_first_slip",
    ),
    (
        "what breaks off of an automatic status is read as proofs",
        "printers/escpos_status.py",
        "                events += [Unexpected(each) for each in self._automatic]\n",
        "                events += [found for each in self._automatic[1:] for found in self._single(each)]\n",
        f"{PROTOCOL}::test_an_automatic_status_that_breaks_off_proves_nothing",
    ),
    (
        "a break on the line is a zero byte",
        "transports/serial_line.py",
        "termios.IGNBRK | termios.IGNPAR",
        "0",
        f"{LINKS}::test_a_serial_line_reads_neither_breaks_nor_broken_bytes",
    ),
    (
        "a print queue's silence is a refusal",
        "transports/cups.py",
        "        raise TransportLost(f\"{self.queue}: {self._lp} ended",
        "        raise TransportRefused(f\"{self.queue}: {self._lp} ended",
        f"{INTEGRATION}/test_printers_queues.py::test_a_slip_is_refused_only_when_cups_itself_said_no",
    ),
]  # fmt: skip


def test_unbroken_they_pass(forks: Forks, tmp_path: Path) -> None:
    """So it's the mistakes that are noticed."""
    pass_unbroken(forks, tmp_path, "till_drivers", MUTANTS)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant[0])
def test_a_broken_promise_is_noticed(forks: Forks, tmp_path: Path, mutant: Mutant) -> None:
    """At least one test fails over each."""
    notice(forks, tmp_path, "till_drivers", mutant)

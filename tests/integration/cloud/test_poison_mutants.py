"""Rules of poison and parked ops are broken on purpose in a copy of the cloud: the tests that hold them must fail."""

from pathlib import Path

import pytest

from kit.broken import Mutant, notice, pass_unbroken
from kit.forks import Forks

POISON = "tests/unit/cloud/test_poison_ops.py::"
PARKED = "tests/unit/cloud/test_parking_cloud.py::"

MUTANTS: list[Mutant] = [
    (
        "a push of no ops is taken on any chain",
        "ingest/push.py",
        "        if request.first_seq == acked + 1:\n            _check_chain",
        "        if fresh:\n            _check_chain",
        PARKED + "test_a_push_of_no_ops_is_taken_where_the_next_would_be",
    ),
    (
        "an error of the environment is called poison",
        "ingest/poison.py",
        "        error, sqlite3.OperationalError | MemoryError | OSError | ImportError | StoreError | ProgrammeError\n",
        "        error, StoreError | ProgrammeError\n",
        POISON + "test_an_error_of_the_environment_is_no_verdict",
    ),
    (
        "a damaged database is called poison",
        "ingest/poison.py",
        "if type(error) in (sqlite3.DatabaseError, LoyaltyError):",
        "if False:",
        POISON + "test_an_error_of_the_environment_is_no_verdict",
    ),
    (
        "one failure by itself is enough",
        "ingest/poison.py",
        "TRIES = 2",
        "TRIES = 1",
        POISON + "test_what_works_the_second_time_is_applied",
    ),
    (
        "what a poison op moved stays",
        "ingest/careful.py",
        '            connection.execute("ROLLBACK TO op")\n',
        "",
        POISON + "test_one_op_that_breaks_is_rejected_and_its_neighbours_are_applied",
    ),
    (
        "a poison op's points stay in the book of the next",
        "ingest/careful.py",
        "    book = Book(whole.book.connection, whole.book.now_ms)\n    return replace(whole, book=book, applied",
        "    return replace(whole, applied",
        POISON + "test_one_op_that_breaks_is_rejected_and_its_neighbours_are_applied",
    ),
    (
        "the verdict changes when the op is sent again",
        "store/ops.py",
        'status="duplicate",\n                first=first,',
        'status="duplicate",\n                first="applied" if code == "poison" else first,',
        POISON + "test_the_verdict_stands_when_the_cloud_is_mended",
    ),
    (
        "a release that breaks over every sale rejects them",
        "ingest/careful.py",
        "    if unproven:\n",
        "    if False:\n",
        POISON + "test_a_release_that_breaks_over_every_sale_rejects_none",
    ),
    (
        "any number is rejected",
        "ingest/poison.py",
        "if own <= TILL_LIMIT and chain <= CHAIN_LIMIT:",
        "if True:",
        POISON + "test_more_than_a_few_are_not_the_ops_fault",
    ),
    (
        "tills are counted alone",
        "ingest/poison.py",
        "if own <= TILL_LIMIT and chain <= CHAIN_LIMIT:",
        "if own <= TILL_LIMIT:",
        POISON + "test_a_chain_has_its_limit_too",
    ),
    (
        "parked ops have no limit",
        "ingest/push.py",
        "if any(op.parked for op in fresh):",
        "if False:",
        PARKED + "test_parking_has_the_limit_of_poison",
    ),
    (
        "a parked op is compared by the bytes that stand for it",
        "ingest/push.py",
        "not op.parked and ",
        "",
        PARKED + "test_its_bytes_sent_later_are_a_duplicate",
    ),
    (
        "a parked op's fingerprint is not kept",
        "ingest/poison.py",
        "fingerprint=op.fingerprint,",
        "fingerprint='0' * 64,",
        PARKED + "test_its_bytes_sent_later_are_a_duplicate",
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize("mutant", MUTANTS, ids=[mutant[0] for mutant in MUTANTS])
def test_a_broken_rule_of_poison_is_noticed(forks: Forks, tmp_path: Path, mutant: Mutant) -> None:
    """The mutated copy fails the tests that hold the rule."""
    notice(forks, tmp_path, "till_cloud", mutant)


@pytest.mark.slow
def test_the_unbroken_cloud_passes_the_same_tests(forks: Forks, tmp_path: Path) -> None:
    """It is the broken rule that they notice, and not the copying."""
    pass_unbroken(forks, tmp_path, "till_cloud", MUTANTS)

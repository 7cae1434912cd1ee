"""Commits that arrive together share one sync: counted by the system calls that are really made."""

from pathlib import Path

import pytest

from faults.journal.journal_faults import fresh_folder, needs_strace, syncs_of

pytestmark = [pytest.mark.faults, needs_strace]

SALES = 60


def test_sixty_at_once_take_a_few_syncs_and_one_after_another_sixty(tmp_path: Path):
    """What the two runs have in common (making the file, closing it) is taken off by a run without sales."""
    nothing = syncs_of(fresh_folder(tmp_path), "together", 0)
    together = syncs_of(fresh_folder(tmp_path), "together", SALES) - nothing
    alone = syncs_of(fresh_folder(tmp_path), "alone", SALES) - nothing
    assert SALES <= alone <= SALES + 3
    assert together <= 6

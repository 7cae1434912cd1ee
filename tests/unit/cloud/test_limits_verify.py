"""The ledger is added up in a time that grows with it, not with its square."""

from pathlib import Path

import pytest

from till_cloud.verify import CHECKS, Check
from unit.cloud.cloud_kit import chain


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.code)
def test_no_check_reads_a_whole_table_for_each_row_of_another(tmp_path: Path, check: Check) -> None:
    """Where a hundred thousand ops met as many movements so, it took hours: SQLite makes no index of its own there."""
    with chain(tmp_path / "c.db") as world:
        plan = [str(row[3]) for row in world.rows(f"EXPLAIN QUERY PLAN {check.sql}")]
    assert not [step for step in plan if step.startswith("SCAN") and "LEFT-JOIN" in step]

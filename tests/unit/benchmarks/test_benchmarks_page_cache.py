"""Files that are kept in the system's memory while something is measured."""

from pathlib import Path

import pytest

from tillbench.page_cache import kept_in_memory


def test_files_are_read_while_it_lasts(tmp_path: Path) -> None:
    """And whoever asked knows that they have been read once."""
    file = tmp_path / "cache.db"
    file.write_bytes(b"x" * 10_000)
    with kept_in_memory(file):
        pass


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    """Else the disk would be measured under another name."""
    with pytest.raises(RuntimeError, match="expected a process that reads 1 files"), kept_in_memory(tmp_path / "none"):
        pass

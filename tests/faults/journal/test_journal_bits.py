"""Changed bits and cut logs: found before they are pushed, or without any effect on a row (invariant 14)."""

import random
from collections import Counter
from pathlib import Path

import pytest

from faults.journal import journal_specimen as specimens
from faults.journal.journal_mutants import MUTANTS

pytestmark = pytest.mark.faults

SEED = 44
FLIPS = 300
SECTOR = 512


def flip(content: bytes, bit: int) -> bytes:
    """The same with one bit changed."""
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def flipped(tmp_path: Path, name: str, *, log: bool, flips: int) -> Counter[str]:
    """How many of so many random changes to one of the files were noticed how."""
    specimen = specimens.make(tmp_path / "made", 40, log=log)
    draw = random.Random(SEED)
    found: Counter[str] = Counter()
    content = specimen.files[name]
    for number in range(flips):
        bit = draw.randrange(len(content) * 8)
        found[specimens.check(specimen, specimen.files | {name: flip(content, bit)}, tmp_path / str(number))] += 1
    return found


@pytest.mark.timeout(180)
def test_no_flipped_bit_is_pushed_or_read(tmp_path: Path):
    """Three hundred journals, each with a bit changed somewhere in the file."""
    found = flipped(tmp_path, "journal.db", log=False, flips=FLIPS)
    assert sum(found.values()) == FLIPS
    assert found["moved aside"] > FLIPS // 4


def test_no_flipped_bit_of_the_log_is_pushed_or_read(tmp_path: Path):
    """SQLite drops what follows such a bit; the witness says that it is gone."""
    found = flipped(tmp_path, "journal.db-wal", log=True, flips=60)
    assert found["gap"] > 30


def test_no_flipped_bit_of_the_witness_does_harm(tmp_path: Path):
    """It is believed only as a whole."""
    found = flipped(tmp_path, "journal.db-witness", log=False, flips=60)
    assert found == {"harmless": 60}


def cut_log(tmp_path: Path) -> Counter[str]:
    """The log of a running agent, cut at every sector."""
    specimen = specimens.make(tmp_path / "made", specimens.ACKED + 3, body_bytes=60, log=True)
    log = specimen.files["journal.db-wal"]
    found: Counter[str] = Counter()
    for length in range(0, len(log) + SECTOR, SECTOR):
        files = specimen.files | {"journal.db-wal": log[:length]}
        found[specimens.check(specimen, files, tmp_path / str(length))] += 1
    return found


@pytest.mark.timeout(180)
def test_a_cut_log_never_loses_an_op_without_a_word(tmp_path: Path):
    """What is left is as it was written; what is gone is told of, and its ids are never given to others."""
    found = cut_log(tmp_path)
    assert found["harmless"] >= 1
    assert found["gap"] > 0
    assert found["missing"] > 0


def test_a_deleted_log_is_told_of(tmp_path: Path):
    """Everything since the last copy is gone with it."""
    specimen = specimens.make(tmp_path / "made", 20, log=True)
    files = {name: content for name, content in specimen.files.items() if name != "journal.db-wal"}
    assert specimens.check(specimen, files, tmp_path / "opened") == "missing"


def test_a_journal_that_does_not_check_its_chain_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The control: rows taken as they are read, changed bits and all."""
    monkeypatch.setattr(*MUTANTS["chain not checked"]())
    with pytest.raises(AssertionError):
        flipped(tmp_path, "journal.db", log=False, flips=FLIPS)


def test_a_journal_that_asks_no_witness_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The control: a log that was cut looks like a shorter day."""
    monkeypatch.setattr(*MUTANTS["witness not read"]())
    with pytest.raises(AssertionError):
        cut_log(tmp_path)

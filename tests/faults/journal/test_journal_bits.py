"""Changed bits and cut logs: found before they are pushed, or without any effect on a row (invariant 14); and what
waited goes on, but for the row that was hit.
"""

import random
from collections import Counter
from pathlib import Path

import pytest

from faults.journal import journal_specimen as specimens
from faults.journal.journal_mutants import MUTANTS

pytestmark = pytest.mark.faults

SEED = 44
FLIPS, LOG_FLIPS, WITNESS_FLIPS = 300, 140, 60
SALES = 40
SECTOR = 512
SOME_CUTS = 4 * SECTOR
"""`make soak` cuts at every sector."""
SOAK = (pytest.mark.soak, pytest.mark.timeout(0))


def flip(content: bytes, bit: int) -> bytes:
    """The same with one bit changed."""
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def flipped(tmp_path: Path, name: str, *, log: bool, flips: int) -> Counter[str]:
    """How many of so many random changes to one of the files were noticed how."""
    specimen = specimens.make(tmp_path / "made", SALES, log=log)
    draw = random.Random(SEED)
    found: Counter[str] = Counter()
    content = specimen.files[name]
    for number in range(flips):
        bit = draw.randrange(len(content) * 8)
        files = specimen.files | {name: flip(content, bit)}
        noticed, lost = specimens.check(specimen, files, tmp_path / str(number))
        found[noticed] += 1
        found["ops lost"] += lost
    return found


@pytest.mark.timeout(180)
def test_no_flipped_bit_is_pushed_or_read(tmp_path: Path):
    """Three hundred journals, each with a bit changed somewhere in the file: at most the row that was hit is lost, and
    of a page's head, the rows on it.
    """
    found = flipped(tmp_path, "journal.db", log=False, flips=FLIPS)
    assert found["harmless"] + found["moved aside"] == FLIPS
    assert found["moved aside"] > FLIPS // 5
    assert found["ops lost"] <= found["moved aside"] * 2


def test_no_flipped_bit_of_the_log_is_pushed_or_read(tmp_path: Path):
    """SQLite drops what follows such a bit; the witness says that it is gone, and it is read all the same."""
    found = flipped(tmp_path, "journal.db-wal", log=True, flips=LOG_FLIPS)
    assert found["gap"] > LOG_FLIPS // 2
    assert found["ops lost"] <= LOG_FLIPS // 20


def test_no_flipped_bit_of_the_witness_does_harm(tmp_path: Path):
    """It is believed only as a whole."""
    found = flipped(tmp_path, "journal.db-witness", log=False, flips=WITNESS_FLIPS)
    assert found == {"harmless": WITNESS_FLIPS, "ops lost": 0}


def cut_log(tmp_path: Path, step: int = SOME_CUTS) -> Counter[str]:
    """The log of a running agent, cut every so many bytes."""
    specimen = specimens.make(tmp_path / "made", specimens.ACKED + 3, body_bytes=60, log=True)
    log = specimen.files["journal.db-wal"]
    found: Counter[str] = Counter()
    for length in range(0, len(log) + step, step):
        files = specimen.files | {"journal.db-wal": log[:length]}
        found[specimens.check(specimen, files, tmp_path / str(length))[0]] += 1
    return found


@pytest.mark.parametrize("step", [SOME_CUTS, pytest.param(SECTOR, marks=SOAK)])
def test_a_cut_log_never_loses_an_op_without_a_word(tmp_path: Path, step: int):
    """What is left is as it was written; what is gone is told of, and its ids are never given to others."""
    found = cut_log(tmp_path, step)
    assert found["harmless"] >= 1
    assert found["gap"] > 0
    assert found["moved aside"] > 0


def test_a_deleted_log_is_told_of(tmp_path: Path):
    """Everything since the last copy is gone with it."""
    specimen = specimens.make(tmp_path / "made", 20, log=True)
    files = {name: content for name, content in specimen.files.items() if name != "journal.db-wal"}
    assert specimens.check(specimen, files, tmp_path / "opened") == ("missing", 8)


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

"""The mark beside the journal."""

from pathlib import Path

import pytest

from till_agent.journal.witness import RECORD_BYTES, Mark, Witness


def test_the_last_mark_is_read_back(tmp_path: Path):
    """A shorter mark leaves nothing of a longer one before it."""
    witness = Witness(tmp_path / "w")
    witness.write(Mark("till-with-a-long-name", 12, 345_678))
    witness.write(Mark("t", 1, 2))
    witness.close()
    assert Witness(tmp_path / "w").read() == Mark("t", 1, 2)
    assert (tmp_path / "w").stat().st_size == RECORD_BYTES


@pytest.mark.parametrize("content", [b"", b"t 1 2", b"t 1 2 00000000", b"\xff\xfe", b"\n" * 128, b"t x 2 00000000"])
def test_a_torn_mark_says_nothing(tmp_path: Path, content: bytes):
    """Anything that is not a whole mark is as good as none."""
    (tmp_path / "w").write_bytes(content)
    assert Witness(tmp_path / "w").read() is None


def test_every_changed_bit_is_noticed(tmp_path: Path):
    """A mark with a changed bit is not believed."""
    path = tmp_path / "w"
    witness = Witness(path)
    witness.write(Mark("t-7", 3, 1000))
    witness.close()
    good = path.read_bytes()
    for bit in range(len(good.rstrip()) * 8):
        bad = bytearray(good)
        bad[bit // 8] ^= 1 << bit % 8
        path.write_bytes(bad)
        assert Witness(path).read() in (None, Mark("t-7", 3, 1000))


def test_a_disk_that_refuses_the_mark_stops_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    """The journal is whole without its mark, so this is a warning, given once."""
    witness = Witness(tmp_path / "no-such-folder" / "w")
    witness.write(Mark("t", 1, 1))
    witness.write(Mark("t", 1, 2))
    assert len(caplog.records) == 1

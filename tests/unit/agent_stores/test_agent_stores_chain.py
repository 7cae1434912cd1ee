"""The hash chain by itself."""

import hashlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from till_agent.journal.chain import FIRST, Row, row_hash
from till_sync.ops import OpId, fingerprint

ROW = Row(1_700_000_000_000, 25, "sale", "u-1", "", "m-1", "h-1", b"\x01\x02", b'{"a":1}', b'{"kind":"sale"}')
OP = OpId("t-7", 1, 1)


def test_the_first_row_hashes_to_what_the_format_says():
    """The format is fixed: journals written today are checked by every later version."""
    parts = [b"", fingerprint(OP, "salt", ROW.body).encode(), b"sale", b"u-1", b"", b"\x01\x02", b'{"a":1}']
    parts += [b"1700000000000", b"m-1", b"25", b"h-1"]
    expected = hashlib.sha256(b"".join(len(part).to_bytes(8, "big") + part for part in parts)).digest()
    assert row_hash(FIRST, OP, "salt", ROW) == (expected, fingerprint(OP, "salt", ROW.body))
    assert expected.hex() == "886f017265ff2a3138c1c98e159d5ba80dd3e69cd87066a5330e8c5ba6e52297"


@pytest.mark.parametrize(
    "change",
    [
        {"at_wall_ms": 1_700_000_000_001},
        {"effect_points": 26},
        {"kind": "void"},
        {"uid": "u-2"},
        {"about_uid": "u-1"},
        {"subject_key": "m-2"},
        {"hold": ""},
        {"request_digest": b"\x01\x03"},
        {"answer": b'{"a":2}'},
        {"body": b'{"kind":"sole"}'},
    ],
)
def test_every_column_counts(change: dict[str, object]):
    """A change of any one column changes the hash."""
    assert row_hash(FIRST, OP, "salt", msgspec.structs.replace(ROW, **change))[0] != row_hash(FIRST, OP, "salt", ROW)[0]


@pytest.mark.parametrize(
    ("previous", "op_id", "salt"),
    [
        (b"x" * 32, OP, "salt"),
        (FIRST, OpId("t-8", 1, 1), "salt"),
        (FIRST, OpId("t-7", 2, 1), "salt"),
        (FIRST, OpId("t-7", 1, 2), "salt"),
        (FIRST, OP, "other"),
    ],
)
def test_the_place_of_a_row_counts(previous: bytes, op_id: OpId, salt: str):
    """The same columns elsewhere, or in another journal, hash to something else."""
    assert row_hash(previous, op_id, salt, ROW)[0] != row_hash(FIRST, OP, "salt", ROW)[0]


texts = st.text(alphabet="ab", max_size=3)


@given(st.tuples(texts, texts, texts, texts, texts), st.tuples(texts, texts, texts, texts, texts))
def test_columns_that_run_together_do_not_look_alike(first: tuple[str, ...], second: tuple[str, ...]):
    """Moving a character from one column into the next changes the hash, though the text in all is the same."""

    def hashed(columns: tuple[str, ...]) -> bytes:
        kind, uid, about_uid, subject_key, hold = columns
        changed = {"kind": kind, "uid": uid, "about_uid": about_uid, "subject_key": subject_key, "hold": hold}
        return row_hash(FIRST, OP, "salt", msgspec.structs.replace(ROW, **changed))[0]

    assert (hashed(first) == hashed(second)) == (first == second)

"""The hash chain of the journal: what ties each row to all rows before it. Pure.

`row_hash = SHA-256` over the hash of the row before ("" for the first of an epoch), the op's fingerprint, and every
other column, each with its length before it, so that no two different rows give the same bytes. A bit that changes
anywhere in a row, or a row that is missing, added or moved, shows at that row.
"""

import hashlib

from msgspec import Struct

from till_sync.ops import OpId, fingerprint

FIRST = b""
"""What stands before the first row of an epoch."""
_LENGTH_BYTES = 8


class Row(Struct, frozen=True):
    """The columns of one journal row that its hash covers: all of them."""

    at_wall_ms: int
    effect_points: int
    kind: str
    uid: str
    about_uid: str
    subject_key: str
    hold: str
    request_digest: bytes
    answer: bytes
    body: bytes


def row_hash(previous: bytes, op_id: OpId, salt: str, row: Row) -> tuple[bytes, str]:
    """Hash of one row after `previous`, and the fingerprint (hex) of its op; both from what is stored, nothing kept."""
    mark = fingerprint(op_id, salt, row.body)
    parts = (
        previous,
        mark.encode(),
        row.kind.encode(),
        row.uid.encode(),
        row.about_uid.encode(),
        row.request_digest,
        row.answer,
        b"%d" % row.at_wall_ms,
        row.subject_key.encode(),
        b"%d" % row.effect_points,
        row.hold.encode(),
    )
    framed: list[bytes] = []
    for part in parts:
        framed.append(len(part).to_bytes(_LENGTH_BYTES, "big"))
        framed.append(part)
    return hashlib.sha256(b"".join(framed)).digest(), mark

"""A till with a hundred thousand sales waiting, made in seconds: rows chained as the journal chains them."""

import sqlite3
from pathlib import Path

from till_agent.journal.chain import FIRST, Row, row_hash
from till_agent.journal.schema import APPEND, row_id
from till_sync.ops import OpId
from unit.cloud.cloud_kit import Till

MEMBERS = 100
POINTS = 1000


def member_of(number: int) -> str:
    return f"m-{number % MEMBERS}"


def sale_body(maker: Till, number: int) -> bytes:
    """A sale of one line to one of the members, as the engine counts it; all of one form, with another uid each."""
    form = _FORMS.get(id(maker))
    if form is None:
        maker.sale("the-uid", "the-member")
        form = _FORMS[id(maker)] = bytes(maker.ops[-1].body)
    return form.replace(b"the-uid", f"s{number:07}".encode()).replace(b"the-member", member_of(number).encode())


_FORMS: dict[int, bytes] = {}


def lengthen(path: Path, till: str, maker: Till, count: int) -> None:
    """Append sales 1 to `count` to a closed, empty journal. The witness beside it is taken away: it speaks of fewer."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA synchronous=OFF")
    [(epoch, salt)] = connection.execute("SELECT epoch, salt FROM epochs").fetchall()
    head = FIRST
    connection.execute("BEGIN")
    for seq in range(1, count + 1):
        uid = f"s{seq:07}"
        row = Row(
            1_700_000_000_000,
            POINTS,
            "sale",
            uid,
            "",
            member_of(seq),
            "",
            seq.to_bytes(32, "big"),
            b'{"answer":"%s"}' % uid.encode(),
            sale_body(maker, seq),
        )
        head, _ = row_hash(head, OpId(till, epoch, seq), salt, row)
        columns = [getattr(row, name) for name in row.__struct_fields__]
        connection.execute(APPEND, (row_id(epoch, seq), head, *columns))
    connection.execute("COMMIT")
    connection.close()
    path.with_name(path.name + "-witness").unlink(missing_ok=True)

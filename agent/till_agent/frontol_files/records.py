"""What `frontol.db` holds, as types. A document's states:

waiting -> matched | ignored | found -> accruing -> accrued -> withdrawn
                               found -> dismissed
"""

from typing import Literal

from msgspec import Struct

State = Literal["waiting", "matched", "ignored", "found", "accruing", "accrued", "withdrawn", "dismissed"]
"""waiting: read, not judged. matched: the journal has it. ignored: nobody's, or from before Tillside. found: for a
person to look at. accruing: about to be journalled. accrued: journalled from the report. withdrawn: was accrued, and
voided because the bridge's own sale came after all. dismissed: a person has seen it."""


class FileRecord(Struct, kw_only=True):
    """A report as far as it was read. `state`: reading, read, unfinished, unreadable; `signature`: by what a look tells
    that nothing has changed."""

    path: str
    state: str = "reading"
    error: str = ""
    database: str = ""
    report: str = ""
    mark: str = ""
    signature: str = ""
    inode: int = 0
    size: int = 0
    start: int = 0
    offset: int = 0
    line: int = 4
    tail: bytes = b""
    rows: int = 0
    passed_by: int = 0
    unknown: int = 0
    repeated: int = 0
    closed: int = 0
    known: int = 0
    other_documents: int = 0
    refused: int = 0
    read_ms: int = 0


class DocumentRecord(Struct, frozen=True, kw_only=True):
    """A closed document and what became of it. `finding`: why it is shown to a person, "" when it is not."""

    id: int
    database: str
    close_number: int
    kind: str
    till: str
    shift: str
    number: str
    uid: str
    local_time: str
    total_minor: int
    path: str
    line: int
    policy: str
    state: str
    finding: str
    sale_uid: str
    reference: str
    points: int
    detail: str
    ready_ms: int
    changed_ms: int
    body: bytes


class SoldRecord(Struct, frozen=True, kw_only=True):
    """A sale or return of the journal. `document`: the document it was matched with, 0 for none."""

    uid: str
    kind: str
    epoch: int
    seq: int
    local_time: str
    number: str
    shift: str
    goods_minor: int
    redeemed_minor: int
    earned_minor: int
    voided: int
    document: int

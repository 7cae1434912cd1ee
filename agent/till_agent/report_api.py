"""The bridge's JSON about Frontol's sales reports (see `till_agent.api`). Nothing personal: members are references."""

from typing import Literal

from msgspec import Struct

FindingState = Literal["found", "accruing", "accrued", "withdrawn", "dismissed"]


class ReportFile(Struct, frozen=True, kw_only=True):
    """A report and how far it was read. `state`: reading, read, unfinished (Frontol is writing), unreadable.

    `mark`: `#` Frontol waits for it to be read, `@` it was marked. `known`: documents that an earlier report had
    already. `refused`: rows that could not be taken; `refused_rows` names the first of them.
    """

    path: str
    state: str
    error: str
    database: str
    report: str
    mark: str
    size_bytes: int
    read_bytes: int
    rows: int
    passed_by: int
    unknown: int
    documents: int
    known: int
    refused: int
    read_ms: int
    refused_rows: tuple["RefusedRow", ...] = ()


class RefusedRow(Struct, frozen=True, kw_only=True):
    """A row that could not be taken, by its line in the file; `code`: field_count, number, moment, text,
    row_too_long, never_closed."""

    line: int
    code: str
    detail: str


class ReportTotals(Struct, frozen=True, kw_only=True):
    """Documents of all reports by what became of them."""

    waiting: int = 0
    matched: int = 0
    ignored: int = 0
    found: int = 0
    accrued: int = 0
    withdrawn: int = 0
    dismissed: int = 0


class Reports(Struct, frozen=True, kw_only=True):
    """`watching`: the configuration names reports. `since`: the first day on which sales are looked for."""

    watching: bool
    since: str = ""
    totals: ReportTotals = ReportTotals()
    files: tuple[ReportFile, ...] = ()


class Finding(Struct, frozen=True, kw_only=True):
    """A document that the journal did not have, or has otherwise. `finding` says which; see docs/reference/frontol.md.

    `document` is `till/shift/number`. `points`: what was journalled from it. `sale_uid`: the journal's document that it
    belongs to, where one is known. `acceptable`: `accept` would journal it.
    """

    id: int
    finding: str
    state: FindingState
    kind: Literal["sale", "return", "cancel"]
    uid: str
    document: str
    local_time: str
    total_minor: int
    points: int
    reference: str
    sale_uid: str
    detail: str
    path: str
    line: int
    acceptable: bool


class Findings(Struct, frozen=True, kw_only=True):
    """Newest first; `open`: how many wait for a person in all."""

    open: int
    findings: tuple[Finding, ...]


class Decided(Struct, frozen=True, kw_only=True):
    """A finding after the decision."""

    finding: Finding

"""What people see of reports and findings: rows of `frontol.db` as the bridge's JSON."""

from typing import cast

from till_agent.frontol_files.judging import SINCE
from till_agent.frontol_files.records import DocumentRecord, FileRecord
from till_agent.frontol_files.store import Store
from till_agent.report_api import Finding, Findings, FindingState, RefusedRow, ReportFile, Reports

REFUSED_SHOWN = 20
"""Of a report's refused rows in one answer; the rest is said by its number."""
ACCEPTABLE = frozenset({"unseen_sale", "points_spent", "too_old"})
"""Findings whose document can be journalled as it is."""
ACCEPTABLE_WITH_SALE = frozenset({"unseen_return", "cancelled_sold"})
"""The same, where the sale is known that they are about."""


def is_acceptable(record: DocumentRecord) -> bool:
    """Whether a person may have it journalled."""
    if record.state not in ("found", "accruing"):
        return False
    return record.finding in ACCEPTABLE or (record.finding in ACCEPTABLE_WITH_SALE and bool(record.sale_uid))


def finding_of(record: DocumentRecord) -> Finding:
    """One finding."""
    return Finding(
        id=record.id,
        finding=record.finding,
        state=cast("FindingState", record.state),
        kind=record.kind,  # type: ignore[arg-type]  # SQLite gives text; `Document.kind` is what was written
        uid=record.uid,
        document=f"{record.till}/{record.shift}/{record.number}",
        local_time=record.local_time,
        total_minor=record.total_minor,
        points=record.points,
        reference=record.reference,
        sale_uid=record.sale_uid,
        detail=record.detail,
        path=record.path,
        line=record.line,
        acceptable=is_acceptable(record),
    )


def findings_of(store: Store, *, only_open: bool, limit: int) -> Findings:
    """Findings, newest first."""
    rows = store.listed(only_open=only_open, limit=limit)
    return Findings(open=store.tally().found, findings=tuple([finding_of(each) for each in rows]))


def reports_of(store: Store, *, watching: bool) -> Reports:
    """All reports, the one read last first."""
    return Reports(
        watching=watching,
        since=store.meta(SINCE),
        totals=store.tally(),
        files=tuple([_file_of(store, each) for each in store.files()]),
    )


def _file_of(store: Store, record: FileRecord) -> ReportFile:
    rows = store.refused(record.path, REFUSED_SHOWN) if record.refused else []
    return ReportFile(
        path=record.path,
        state=record.state,
        error=record.error,
        database=record.database,
        report=record.report,
        mark=record.mark,
        size_bytes=record.size,
        read_bytes=record.offset,
        rows=record.rows,
        passed_by=record.passed_by,
        unknown=record.unknown,
        documents=record.closed,
        known=record.known,
        refused=record.refused,
        read_ms=record.read_ms,
        refused_rows=tuple([RefusedRow(line=each.line, code=each.code, detail=each.detail) for each in rows]),
    )

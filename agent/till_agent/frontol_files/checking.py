"""A report looked through by itself: no state, no journal, nothing written."""

from pathlib import Path

from msgspec import Struct

from till_agent.frontol_files.documents import Document
from till_agent.frontol_files.exceptions import ReportUnreadable
from till_agent.frontol_files.gathering import Counts, Gatherer, Refused
from till_agent.frontol_files.report import read_head, read_slice

REFUSED_SHOWN = 100


class Checked(Struct, kw_only=True):
    """What is in a report. Amounts are minor units of money."""

    database: str
    report: str
    mark: str
    encoding: str
    rows: int = 0
    passed_by: int = 0
    unknown: int = 0
    repeated: int = 0
    refused: int = 0
    sales: int = 0
    with_card: int = 0
    returns: int = 0
    cancelled: int = 0
    other_documents: int = 0
    still_open: int = 0
    sold_minor: int = 0
    bonus_minor: int = 0
    returned_minor: int = 0
    unknown_types: dict[str, int] = {}
    refused_rows: list[Refused] = []


def check_report(path: Path, encoding: str) -> Checked:
    """Look a whole report through, in bounded memory. ReportUnreadable when it is none."""
    try:
        with path.open("rb") as file:
            head = read_head(file, encoding)
            checked = Checked(
                database=head.database, report=head.report, mark=head.mark, encoding=head.encoding, refused_rows=[]
            )
            gatherer = Gatherer(head)
            offset, line = head.start, 4
            while not (found := read_slice(file, head, offset, line, last=True)).empty:
                for number, text in found.rows:
                    gatherer.add(number, text)
                gatherer.refused += [
                    Refused(line=each, code="row_too_long", detail="the row has no end") for each in found.too_long
                ]
                offset, line = found.end, found.line
                _take(checked, *gatherer.take())
    except OSError as exc:
        raise ReportUnreadable(exc.strerror or str(exc)) from exc
    checked.still_open = len(gatherer.open)
    checked.unknown_types = {str(kind): count for kind, count in sorted(gatherer.unknown_types.items())}
    return checked


def _take(checked: Checked, closed: list[Document], refused: list[Refused], counts: Counts) -> None:
    for name in ("rows", "passed_by", "unknown", "repeated", "other_documents"):
        setattr(checked, name, getattr(checked, name) + getattr(counts, name))
    checked.refused += len(refused)
    checked.refused_rows += refused[: max(0, REFUSED_SHOWN - len(checked.refused_rows))]
    for document in closed:
        if document.kind == "sale":
            checked.sales += 1
            checked.with_card += bool(document.cards)
            checked.sold_minor += document.goods_minor
            checked.bonus_minor += document.bonus_minor
        elif document.kind == "return":
            checked.returns += 1
            checked.returned_minor += document.total_minor
        else:
            checked.cancelled += 1

"""Errors of Frontol's files.

FrontolFileError
├── ReportUnreadable      a report can't be read: no rights, no disk, not a report
│   └── ReportUnfinished  its first lines are not whole yet
├── RowRefused            a row of a report can't be taken; its code says why
├── StoreUnavailable      what is known of reports can't be kept or read now
└── LoadRefused           a load file can't be written now, or not from these rows
"""

# ruff: noqa: N818  # names say what happened; a suffix would add nothing


class FrontolFileError(Exception):
    """Base of every error that `till_agent.frontol_files` raises on purpose."""


class ReportUnreadable(FrontolFileError):
    """Raised when a file can't be read, or is no sales report."""


class ReportUnfinished(ReportUnreadable):
    """Raised when a report has no whole head yet: Frontol is writing it."""


class RowRefused(FrontolFileError):
    """Raised when a row is not what its type asks for. `code` is stable: `field_count`, `number`, `moment`, `text`."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class StoreUnavailable(FrontolFileError):
    """Raised when `frontol.db` can't be written or read (disk full, no rights, damaged)."""


class LoadRefused(FrontolFileError):
    """Raised when no load file may be written: Frontol still has the last one, or a row can't be loaded."""

"""Errors of the cloud.

CloudError
├── StoreError              the database can't be used
│   ├── StoreFormatError    the file is not a cloud database, or was made by a later version
│   └── StoreUnavailableError  the disk refuses, the database stays locked, or the cloud is stopping
├── AdminError              a command can't be carried out as asked
│   └── ImportRefusedError  a members file has bad lines
└── CursorError             a cursor of the changes feed that this cloud did not make

RefusedError (a till_sync ProblemError)  a till's request is answered with a problem
"""

from collections.abc import Mapping
from typing import Any

from till_sync.problems import ProblemError


class CloudError(Exception):
    """Base of every error that `till_cloud` raises on purpose, refusals to tills aside."""


class StoreError(CloudError):
    """Base of the errors of the database file."""


class StoreFormatError(StoreError):
    """Raised when the file is not a cloud database, or was made by a later version of Tillside."""


class StoreUnavailableError(StoreError):
    """Raised when nothing can be written: disk full, locked for too long, or the writer has stopped."""


class AdminError(CloudError):
    """Raised when a command of the chain's staff can't be carried out; the message says what was expected."""


class ImportRefusedError(AdminError):
    """Raised when a members file is not taken because of its bad lines; `errors` counts them."""

    def __init__(self, message: str, *, errors: int) -> None:
        super().__init__(message)
        self.errors = errors


class CursorError(CloudError):
    """Raised when a cursor can't be read; `stale` when it was good once, in another life of the database."""

    def __init__(self, message: str, *, stale: bool) -> None:
        super().__init__(message)
        self.stale = stale


class RefusedError(ProblemError):
    """Raised when a till's request is refused; `code` is stable (docs/reference/cloud.md)."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        retryable: bool = False,
        headers: Mapping[str, str] | None = None,
        **extras: Any,
    ) -> None:
        super().__init__(status, code, detail, retryable=retryable, headers=headers, extras=extras)
        self.code = code

"""Errors of the installer, one tree:

InstallerError
├── ServiceError
└── LayoutError

Each has a stable `code`, and a message that says what was expected and what to do.
"""


class InstallerError(Exception):
    """Raised when an installation can't be made, changed or looked at.

    `code` is stable; `exit_code` is the command's.
    """

    code = "installer"
    exit_code = 1

    def __init__(self, message: str, *, code: str = "", exit_code: int = 0) -> None:
        super().__init__(message)
        self.code = code or self.code
        self.exit_code = exit_code or self.exit_code


class ServiceError(InstallerError):
    """Raised when whoever runs the agent refuses or does not answer."""

    code = "service"


class LayoutError(InstallerError):
    """Raised when what is installed is not laid out as an installation is."""

    code = "layout"

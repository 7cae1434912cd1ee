"""Errors of moving a till:

InstallerError
└── CloneError
"""

from till_installer.exceptions import InstallerError


class CloneError(InstallerError):
    """Raised when a till can't be taken from a machine, or brought to one. `code` is stable; nothing was half done that
    doing it again would not finish."""

    code = "clone"

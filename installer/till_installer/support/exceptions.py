"""Errors of the support bundle, one tree:

SupportError
├── TooLargeError
└── NotAllowedError
"""

from till_installer.exceptions import InstallerError


class SupportError(InstallerError):
    """Raised when a bundle can't be made."""

    code = "support"


class TooLargeError(SupportError):
    """Raised when a bundle would be larger than what may be sent."""

    code = "support_too_large"


class NotAllowedError(SupportError):
    """Raised when something is to be put in that the list of what may go out does not have. A programmer's error."""

    code = "support_not_allowed"

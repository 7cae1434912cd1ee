"""Errors of setting up, one tree:

SetupError
├── PreconditionError
└── QueueError

Each has a stable `code` and says what was expected and the one thing to do.
"""

from till_installer.exceptions import InstallerError

EXIT_NOT_ENROLLED = 5
"""Installed and running, but not enrolled yet: `tillside agent enrol` does that when the cloud answers."""
EXIT_QUEUE = 4
"""Nothing was removed: operations wait for the cloud."""


class SetupError(InstallerError):
    """Raised when an installation can't be made, mended or removed."""

    code = "setup"


class PreconditionError(SetupError):
    """Raised when something is wrong before anything was changed: rights, room, configuration, port."""

    code = "precondition"


class QueueError(SetupError):
    """Raised when removing would lose operations that the cloud does not have."""

    code = "queue_waiting"
    exit_code = EXIT_QUEUE

"""Errors of upgrades, one tree:

UpgradeError
├── RefusedError
└── BusyError

Codes of refusals: `same_version`, `not_installed`, `rolled_back_before`, `no_way_back`, `cache_would_empty`,
`disk_full`, `staging_failed`, `rehearsal_start`, `rehearsal_sale`, `rehearsal_slip`, `rehearsal_queue`,
`receipt_open`, `journal_unreadable`, `stop_failed`, `no_previous`, `service_masked`, `interrupted`. After each of them
the version that ran runs.
"""

from till_installer.exceptions import InstallerError

EXIT_REFUSED = 3
EXIT_ROLLED_BACK = 4
EXIT_BUSY = 5


class UpgradeError(InstallerError):
    """Raised when a change of version can't be made or finished."""

    code = "upgrade"


class RefusedError(UpgradeError):
    """Raised when a version is not put in place; the one that runs goes on."""

    code = "refused"
    exit_code = EXIT_REFUSED


class BusyError(UpgradeError):
    """Raised when another upgrade, rollback or watch is under way."""

    code = "busy"
    exit_code = EXIT_BUSY

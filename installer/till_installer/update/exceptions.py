"""Errors of updates, one tree. Each refusal has its own code and exit status, so that a script can tell them apart:

UpdateError
├── RefusedError            nothing was taken; the till keeps what it has
│   ├── NoRootError         20 update_no_root
│   ├── UnreachableError    21 update_unreachable       the only one that mends itself
│   ├── MetadataAlteredError 22 update_metadata_altered
│   ├── WrongKeysError      23 update_wrong_keys        too few signatures by the keys that this till trusts
│   ├── OlderMetadataError  24 update_older_metadata    a rollback of what was published
│   ├── ExpiredError        25 update_expired           a freeze, a forgotten refresh, or this till's clock
│   ├── MixedError          26 update_mixed             genuine files that were not published together
│   ├── EndlessError        27 update_endless
│   ├── SlowError           28 update_too_slow
│   ├── TargetAlteredError  29 update_target_altered
│   ├── TooLargeError       30 update_too_large
│   ├── DiskFullError       31 update_disk_full
│   ├── PlatformError       32 update_platform
│   ├── OlderReleaseError   33 update_older_release
│   ├── UnknownReleaseError 34 update_unknown_release
│   ├── BusyError           35 update_busy
│   ├── PausedError         36 update_paused
│   ├── FailedBeforeError   37 update_failed_before
│   └── InsecureError       38 update_insecure
└── RepositoryError         1  repository               the chain's own side
"""

from till_installer.exceptions import InstallerError


class UpdateError(InstallerError):
    """Raised when an update can't be had."""

    code = "update"


class RefusedError(UpdateError):
    """Base of refusals: nothing was taken, and nothing changed but a download that may go on later."""


class NoRootError(RefusedError):
    """Raised when this till has no root metadata to trust, so that nothing can be checked."""

    code, exit_code = "update_no_root", 20


class UnreachableError(RefusedError):
    """Raised when nobody answers, or the line breaks."""

    code, exit_code = "update_unreachable", 21


class MetadataAlteredError(RefusedError):
    """Raised when metadata is not what was signed, or no metadata at all."""

    code, exit_code = "update_metadata_altered", 22


class WrongKeysError(RefusedError):
    """Raised when metadata has too few signatures by keys that this till trusts."""

    code, exit_code = "update_wrong_keys", 23


class OlderMetadataError(RefusedError):
    """Raised when metadata is older than what this till has seen."""

    code, exit_code = "update_older_metadata", 24


class ExpiredError(RefusedError):
    """Raised when metadata is past its date."""

    code, exit_code = "update_expired", 25


class MixedError(RefusedError):
    """Raised when metadata is genuine, and of another publication than the rest."""

    code, exit_code = "update_mixed", 26


class EndlessError(RefusedError):
    """Raised when a file does not end where it must."""

    code, exit_code = "update_endless", 27


class SlowError(RefusedError):
    """Raised when data comes so slowly that it would keep the till from ever having it."""

    code, exit_code = "update_too_slow", 28


class TargetAlteredError(RefusedError):
    """Raised when a bundle is not the one that was signed."""

    code, exit_code = "update_target_altered", 29


class TooLargeError(RefusedError):
    """Raised when a bundle is larger than any of ours."""

    code, exit_code = "update_too_large", 30


class DiskFullError(RefusedError):
    """Raised when there is no room for the download."""

    code, exit_code = "update_disk_full", 31


class PlatformError(RefusedError):
    """Raised when a version is there, and not for this machine."""

    code, exit_code = "update_platform", 32


class OlderReleaseError(RefusedError):
    """Raised when a version is asked for that is older than the one that runs."""

    code, exit_code = "update_older_release", 33


class UnknownReleaseError(RefusedError):
    """Raised when a version is asked for that was not published."""

    code, exit_code = "update_unknown_release", 34


class BusyError(RefusedError):
    """Raised when another update is under way."""

    code, exit_code = "update_busy", 35


class PausedError(RefusedError):
    """Raised when the chain has halted the wave."""

    code, exit_code = "update_paused", 36


class FailedBeforeError(RefusedError):
    """Raised when this till has tried that version and went back."""

    code, exit_code = "update_failed_before", 37


class InsecureError(RefusedError):
    """Raised when the address would be asked in clear over a network."""

    code, exit_code = "update_insecure", 38


class RepositoryError(UpdateError):
    """Raised when the chain's own repository can't be made, changed or published."""

    code = "repository"

"""Errors of bundles, one tree:

BundleError
├── UnsignedError
├── ForeignKeyError
├── AlteredError
├── UnfitError
├── UnsafeError
└── BuildError

Each message says what was expected and what to do; `code` is stable.
"""

from till_installer.exceptions import InstallerError

EXIT_REFUSED = 3
"""Of commands that were shown a bundle which must not be installed."""


class BundleError(InstallerError):
    """Raised when a bundle can't be read or used."""

    code = "bundle_format"
    exit_code = EXIT_REFUSED


class UnsignedError(BundleError):
    """Raised when a bundle has no signature, or there is no key to check it by."""

    code = "bundle_unsigned"


class ForeignKeyError(BundleError):
    """Raised when a bundle is signed by none of the keys that are trusted, or was altered since."""

    code = "bundle_foreign_key"


class AlteredError(BundleError):
    """Raised when a file of a bundle is not the one that was signed, is missing, or is one too many."""

    code = "bundle_altered"


class UnfitError(BundleError):
    """Raised when a bundle is for another system, processor or Python."""

    code = "bundle_unfit"


class UnsafeError(BundleError):
    """Raised when a bundle holds what none does: links, paths that climb, more bytes than it may."""

    code = "bundle_unsafe"


class BuildError(BundleError):
    """Raised when a bundle can't be made."""

    code = "bundle_build"
    exit_code = 1

"""Whether a bundle is for this machine."""

import msgspec

from till_installer.bundle.exceptions import UnfitError
from till_installer.bundle.manifest import Manifest
from till_installer.setup import bootstrap


def must_fit(manifest: Manifest) -> None:
    """UnfitError (`bundle_platform`, `bundle_libc`, `bundle_python`) when it is for another machine or Python."""
    try:
        bootstrap.check_machine(msgspec.to_builtins(manifest))
    except bootstrap.RefusedError as exc:
        raise UnfitError(str(exc), code=exc.code) from exc

"""What an upgrade needs of an installation beside its folders: who runs the agent, and whose releases it takes."""

from till_installer.layout import Layout
from till_installer.services.ports import ServiceManager


def service_of(layout: Layout) -> ServiceManager:
    """Whoever runs the agent of this installation."""
    from till_installer.services.choosing import manager_of

    return manager_of(layout)


def installed_keys(layout: Layout) -> tuple[str, ...]:
    """Public keys that releases are signed by, as the installation was given them; () when it was given none."""
    from till_installer.bundle.keys import public_keys

    path = layout.config_dir / "release.pub"
    return public_keys((str(path),)) if path.is_file() else ()

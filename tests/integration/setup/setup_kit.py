"""Installations for tests of the set-up: a small bundle, an empty root, a manager that notes what it is asked."""

import os
from pathlib import Path
from typing import Any

import pytest

from kit.bundles import PUBLIC, install_quickly, small_bundle
from kit.processes import free_port
from till_installer.layout import Layout, linux_layout
from till_installer.services.ports import ServiceManager, ServiceState, ServiceStatus
from till_installer.setup import bootstrap
from till_installer.setup.installing import Done, Installing, Wishes

KILLED = 137


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all tests, which don't change it."""
    return small_bundle(tmp_path_factory.mktemp("setup") / "bundle")


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """An empty root with the till's settings beside it."""
    made = linux_layout(tmp_path / "root")
    (tmp_path / "till.toml").write_text(f'[agent]\nstate_dir = "{made.state_dir}"\n[bridge]\nport = {free_port()}\n')
    return made


@pytest.fixture
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "_install_packages", install_quickly)


quick = pytest.mark.usefixtures("_quick")
"""Without pip: a version is unpacked."""


class Stub:
    """A manager that notes what it is asked; nothing runs."""

    kind = "stub"

    def __init__(self) -> None:
        self.state: ServiceState = "absent"

    def install(self, command: tuple[str, ...], *, config: Path) -> None:
        """Known from now on."""
        if self.state == "absent":
            self.state = "stopped"

    def remove(self) -> None:
        """Forgotten."""
        self.state = "absent"

    def start(self) -> None:
        """Runs."""
        self.state = "running"

    def stop(self, timeout_s: float = 10.0) -> None:
        """Rests."""
        self.state = "stopped" if self.state == "running" else self.state

    def status(self) -> ServiceStatus:
        """As it was told."""
        return ServiceStatus(state=self.state)


def put_in(layout: Layout, bundle: Path, manager: ServiceManager | None = None, **more: Any) -> Done:
    """Install with the usual wishes."""
    wishes: dict[str, Any] = {"config": layout.root.parent / "till.toml", "release_keys": (PUBLIC,), **more}
    return Installing(layout, manager).install(Wishes(bundle=bundle, **wishes))


def killed(layout: Layout, bundle: Path, step: str) -> None:
    """An installation that dies right after a step."""

    def at(name: str) -> None:
        if name == step:
            os._exit(KILLED)

    pid = os.fork()
    if pid == 0:
        try:
            wishes = Wishes(bundle=bundle, config=layout.root.parent / "till.toml", release_keys=(PUBLIC,))
            Installing(layout, Stub(), at=at).install(wishes)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == KILLED

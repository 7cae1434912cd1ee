"""What root's surroundings must not change: who may read what is installed, and what an older bundle is let near."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import click
import pytest
from click.testing import CliRunner

from till_agent.core import JOURNAL_FILE
from till_agent.journal import schema
from till_installer.bundle.manifest import Manifest, Schemas
from till_installer.layout import linux_layout
from till_installer.setup import bootstrap
from till_installer.setup.cli import setup
from till_installer.setup.exceptions import PreconditionError
from till_installer.setup.installing import Installing
from till_installer.update.cli import update
from till_installer.upgrade.cli import upgrade
from unit.upgrader.upgrader_journals import make


@pytest.fixture
def hardened() -> Iterator[None]:
    """A root whose files are nobody else's, as guides to hardening have it."""
    before = os.umask(0o077)
    yield
    os.umask(before)


@pytest.mark.usefixtures("hardened")
@pytest.mark.parametrize("group", [setup, update, upgrade])
def test_a_hardened_root_installs_what_the_agent_can_read(group: click.Group, tmp_path: Path) -> None:
    """Folders of versions and of browser policies are for all to read."""
    CliRunner().invoke(group, ["status", "--root", str(tmp_path)])
    assert os.umask(0o077) == 0o022


@pytest.mark.usefixtures("hardened")
def test_a_bundles_own_install_does_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It makes the folder of all versions."""
    monkeypatch.setattr("sys.argv", ["install", "--root", str(tmp_path)])
    assert bootstrap.main() == 3
    assert os.umask(0o077) == 0o022


def test_an_older_bundle_is_not_put_over_a_newer_journal(tmp_path: Path) -> None:
    """With the agent stopped, or removed and installed anew: it would start, and sell nothing."""
    layout = linux_layout(tmp_path)
    layout.state_dir.mkdir(parents=True)
    make(layout.state_dir / JOURNAL_FILE)
    installing = Installing(layout, None)
    older = cast("Manifest", cast("Any", type("Older", (), {"schemas": Schemas(journal=schema.VERSION, cache=1)})))
    installing._must_read_journal(older)
    with closing(sqlite3.connect(layout.state_dir / JOURNAL_FILE)) as connection:
        connection.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
    with pytest.raises(PreconditionError) as caught:
        installing._must_read_journal(older)
    assert caught.value.code == "journal_unreadable"

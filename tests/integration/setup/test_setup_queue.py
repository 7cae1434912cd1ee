"""Nothing is removed while the cloud lacks some of it; and the mistakes that would let it be are noticed."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

from kit.broken import Mutant, notice, pass_unbroken
from kit.forks import Forks
from till_agent.audit_trail import AUDIT_FILE, read
from till_agent.journal.aside import DamageReport, write_report
from till_agent.journal.salvage import Salvage
from till_installer.layout import Layout, linux_layout
from till_installer.setup import removing
from till_installer.setup.exceptions import QueueError, SetupError
from till_installer.setup.removing import uninstall
from till_installer.setup.repairing import repair
from till_installer.upgrade.exceptions import BusyError
from till_installer.upgrade.queue import QueueProof
from till_installer.upgrade.record import Records

WAITS = QueueProof(count=12, digest="a" * 64)


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    """A till on which twelve operations wait."""
    made = linux_layout(tmp_path / "root")
    made.state_dir.mkdir(parents=True)
    (made.state_dir / "journal.db").write_bytes(b"twelve")
    (made.state_dir / "tokens").mkdir()
    (made.state_dir / "tokens/pos.token").write_text("secret")
    monkeypatch.setattr(removing, "count_queue", lambda journal: _count(journal))
    return made


def _count(journal: Path) -> QueueProof:
    return WAITS if journal.read_bytes() == b"twelve" else QueueProof()


@pytest.mark.parametrize("discard", [None, 0, 11, 13])
def test_a_queue_is_not_thrown_away_by_a_guess(layout: Layout, discard: int | None) -> None:
    """Only who names how many operations are lost may lose them."""
    with pytest.raises(QueueError) as caught:
        uninstall(layout, None, purge=True, discard=discard)
    assert (caught.value.code, caught.value.exit_code) == ("queue_waiting", 4)
    assert (layout.state_dir / "journal.db").read_bytes() == b"twelve"


@pytest.mark.parametrize("state", ["begun", "partly", "given_up"])
@pytest.mark.parametrize("is_there", [True, False])
def test_what_waits_in_a_journal_that_was_put_aside_is_not_thrown_away(
    layout: Layout, tmp_path: Path, state: Literal["begun", "partly", "given_up"], is_there: bool
) -> None:
    """Nobody has counted it: it can be saved or carried out, with its log, but not guessed."""
    name = "journal.db.damaged-20260101-000000"
    (layout.state_dir / name).write_bytes(b"old")
    (layout.state_dir / f"{name}-wal").write_bytes(b"log of the old")
    report = DamageReport(found_wall_ms=1, code="damaged", detail="", moved_to=name, salvage=Salvage(state=state))
    write_report(layout.state_dir, report)
    if not is_there:
        (layout.state_dir / "journal.db").unlink()
    with pytest.raises(QueueError) as caught:
        uninstall(layout, None, purge=True, discard=12)
    assert caught.value.code == "queue_aside"
    done = uninstall(layout, None, purge=True, carry_to=tmp_path / "stick")
    assert (Path(done.carried_to) / f"{name}-wal").read_bytes() == b"log of the old"


def test_a_queue_is_lost_by_its_number_and_kept_without_purge(layout: Layout) -> None:
    """Uninstalling alone asks nothing, for it removes none of it."""
    assert uninstall(layout, None).purged is False
    assert (layout.state_dir / "journal.db").exists()
    assert [line.what for line in read(layout.state_dir / AUDIT_FILE)[0]] == ["uninstalled"]
    assert uninstall(layout, None, purge=True, discard=12).waiting == 12
    assert not layout.state_dir.exists()


def test_nothing_is_removed_or_mended_under_a_change_of_version(layout: Layout) -> None:
    """Its upgrader would find its programs gone, or the agent started that it has stopped."""
    layout.version_dir("0.1.0").mkdir(parents=True)
    with Records(layout).alone():
        with pytest.raises(BusyError):
            uninstall(layout, None, purge=True, discard=12)
        with pytest.raises(BusyError):
            repair(layout, None)
    assert (layout.state_dir / "journal.db").read_bytes() == b"twelve"


def test_a_queue_is_carried_out_before_it_is_removed(layout: Layout, tmp_path: Path) -> None:
    """The whole of the data, for root's eyes, with the same queue in it."""
    done = uninstall(layout, None, purge=True, carry_to=tmp_path / "stick")
    copy = Path(done.carried_to)
    assert (done.waiting, done.queue_hash) == (12, WAITS.digest)
    assert copy.stat().st_mode & 0o777 == 0o700
    assert (copy / "journal.db").read_bytes() == b"twelve"
    assert (copy / "tokens/pos.token").read_text() == "secret"
    assert not layout.state_dir.exists()


def test_a_copy_that_is_another_queue_removes_nothing(
    layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bad stick is found out while there is something to copy."""
    monkeypatch.setattr(removing, "mirror_at_rest", lambda source, target: target.write_bytes(b"torn"))
    with pytest.raises(SetupError) as caught:
        uninstall(layout, None, purge=True, carry_to=tmp_path / "stick")
    assert caught.value.code == "not_carried"
    assert (layout.state_dir / "journal.db").read_bytes() == b"twelve"


UNIT = "tests/unit/setup/test_setup_bundle.py"
HERE = "tests/integration/setup/test_setup_queue.py"
OTHER = "tests/integration/setup/test_setup_other_version.py"
MUTANTS: list[Mutant] = [
    ("signature", "bundle/manifest.py", "if not any(ed25519", "if False and not any(ed25519", UNIT),
    ("extra files", "bundle/manifest.py", "sorted(found - wanted)", "sorted(found - found)", UNIT),
    ("hashes", "bundle/manifest.py", " or digest(path) != wanted.sha256", "", UNIT),
    ("climbing", "bundle/archive.py", '".." in path.parts or ', "", UNIT),
    ("links", "bundle/archive.py", "if not (entry.isreg() or entry.isdir()):", "if entry.isdev():", UNIT),
    ("guess", "setup/removing.py", "discard != proof.count", "discard is None", HERE),
    ("copy", "setup/removing.py", "!= (proof.count, proof.digest)", "== ()", HERE),
    (
        "switches-at-rest",
        "setup/installing.py",
        "self.manager is not None and is_whole(self.layout.version_dir(before))",
        'self.manager is not None and self.manager.status().state == "running"',
        OTHER,
    ),
    (
        "is-broken-off-by-a-key",
        "setup/changing.py",
        "unbroken(upgrader, lambda: change() or UpdateState())",
        "change() or UpdateState()",
        f"{OTHER}::test_a_key_that_breaks_it_off_leaves_the_version_that_was_there",
    ),
    (
        "finishes-nothing",
        "setup/installing.py",
        "finish_cut_off(self._upgrader(self.manager), version)",
        "pass",
        f"{OTHER}::test_a_change_of_version_that_was_killed_is_finished_by_the_next_run",
    ),
]


@pytest.fixture(scope="module")
def forks() -> Iterator[Forks]:
    """One process that has imported all, for every mutant."""
    with Forks() as made:
        yield made


@pytest.mark.soak
@pytest.mark.skipif(shutil.which("sh") is None, reason="forks")
@pytest.mark.parametrize("mutant", MUTANTS, ids=[mutant[0] for mutant in MUTANTS])
def test_setup_mutants_are_noticed(mutant: Mutant, forks: Forks, tmp_path: Path) -> None:
    """Each by a test that guards what it breaks."""
    notice(forks, tmp_path, "till_installer", mutant)


@pytest.mark.soak
def test_setup_unbroken_passes(forks: Forks, tmp_path: Path) -> None:
    """So that it is not the copying which they notice."""
    pass_unbroken(forks, tmp_path, "till_installer", MUTANTS)

"""Another version over one that is there: rehearsed and watched as every upgrade, also where the agent rests."""

import os
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from integration.setup.setup_kit import KILLED, Stub, killed, put_in, quick
from kit.bundles import small_bundle
from kit.upgrades import QUICK
from till_agent.instance import StateDir
from till_installer.exceptions import InstallerError
from till_installer.layout import Layout
from till_installer.services.ports import ServiceState
from till_installer.services.process import ProcessManager
from till_installer.setup import bootstrap, system
from till_installer.setup.installing import Installing, Wishes
from till_installer.upgrade import means, rehearsal
from till_installer.upgrade.engine import Upgrader
from till_installer.upgrade.pointers import named, point
from till_installer.upgrade.record import Marker, Records
from till_sync.heartbeat import UpdateStage, UpdateState

ENDS_AT_ONCE = "import os, sys\nif 'agent' in sys.orig_argv and 'run' in sys.orig_argv:\n    os._exit(3)\n"
"""A release whose agent is no good, as `sitecustomize`."""


@quick
def test_a_second_version_that_is_killed_leaves_the_first(bundle: Path, layout: Layout, tmp_path: Path) -> None:
    """At each step until the switch, the first is the one that runs."""
    put_in(layout, bundle)
    second = small_bundle(tmp_path / "second", "0.2.0")
    for step in ("version", "files"):
        killed(layout, second, step)
        assert named(layout.current) == "0.1.0"
        assert bootstrap.read_complete(layout.version_dir("0.1.0")) is not None
    put_in(layout, second)
    assert (named(layout.current), named(layout.previous)) == ("0.2.0", "0.1.0")


@quick
@pytest.mark.parametrize("stage", ["rolled_back", "done"])
def test_units_and_rules_come_with_a_second_version_only_once_it_is_proven(
    bundle: Path, layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: UpdateStage
) -> None:
    """One that is taken back leaves those of the version that serves on."""
    manager = Stub()
    put_in(layout, bundle, manager)
    rules = layout.root / "etc/udev/rules.d/60-tillside.rules"
    before = rules.read_text()
    monkeypatch.setattr(system, "filled", lambda *_: "of the second")
    seen: list[str] = []

    def apply(self: Upgrader, *_: object) -> UpdateState:
        seen.append(rules.read_text())
        if stage == "done":
            point(self.layout.current, "0.2.0")
        return UpdateState(stage=stage)

    monkeypatch.setattr(Upgrader, "apply", apply)
    second = small_bundle(tmp_path / "second", "0.2.0")
    if stage == "done":
        put_in(layout, second, manager)
    else:
        with pytest.raises(InstallerError, match=r"0\.1\.0 serves on"):
            put_in(layout, second, manager)
    assert seen == [before]
    assert rules.read_text() == ("of the second" if stage == "done" else before)


@quick
@pytest.mark.parametrize("state", ["stopped", "failed", "starting", "absent"])
def test_another_version_over_an_agent_that_rests_is_an_upgrade_as_any(
    bundle: Path, layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: ServiceState
) -> None:
    """A till that is stopped for the installation gets nothing that one which sells would refuse."""
    manager = Stub()
    put_in(layout, bundle, manager)
    manager.state = state
    seen: list[str] = []

    def apply(self: Upgrader, *_: object) -> UpdateState:
        seen.append(f"over {named(self.layout.current)}, {manager.state}")
        point(self.layout.current, "0.2.0")
        manager.start()
        return UpdateState(stage="done")

    monkeypatch.setattr(Upgrader, "apply", apply)
    put_in(layout, small_bundle(tmp_path / "second", "0.2.0"), manager)
    assert seen == [f"over 0.1.0, {'stopped' if state == 'absent' else state}"], "a service that was lost is made anew"
    assert (named(layout.current), manager.state) == ("0.2.0", "running")


@quick
def test_a_key_that_breaks_it_off_leaves_the_version_that_was_there(
    bundle: Path, layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it was at: nothing is left half changed, and what was not done is not told as done."""
    manager = Stub()
    put_in(layout, bundle, manager)

    def rehearse(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        raise AssertionError("the signal was not heard")

    monkeypatch.setattr(rehearsal, "rehearse", rehearse)
    second = small_bundle(tmp_path / "second", "0.2.0")
    # Nobody's signal, so that one which is not heard fails this test and no other.
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        with pytest.raises(InstallerError, match=r"broken off; version 0\.1\.0 serves on") as caught:
            put_in(layout, second, manager)
    finally:
        signal.signal(signal.SIGINT, before)
    assert caught.value.code == "interrupted"
    assert (named(layout.current), Records(layout).marker()) == ("0.1.0", None)


@quick
def test_what_ended_on_another_version_is_not_told_as_an_installation(
    bundle: Path, layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A way back that somebody asked for was cut off before its switch; what finishes it ends on the former version."""
    manager = Stub()
    put_in(layout, bundle, manager)
    put_in(layout, small_bundle(tmp_path / "second", "0.2.0"), None)
    Records(layout).mark(Marker(step="switching", from_version="0.2.0", to_version="0.1.0", by_hand=True))

    def finish(self: Upgrader) -> UpdateState:
        point(self.layout.current, "0.1.0")
        return UpdateState(stage="rolled_back", code="by_hand")

    monkeypatch.setattr(Upgrader, "finish", finish)
    with pytest.raises(InstallerError, match=r"0\.2\.0 is not in place.* version 0\.1\.0 serves on"):
        put_in(layout, tmp_path / "second", manager)


@quick
def test_a_change_that_is_under_way_is_not_told_as_an_installation(
    bundle: Path, layout: Layout, tmp_path: Path
) -> None:
    """Exit status 5 says of an upgrade that another one is under way, and of a set-up that all is installed."""
    manager = Stub()
    put_in(layout, bundle, manager)
    second = small_bundle(tmp_path / "second", "0.2.0")
    with Records(layout).alone(), pytest.raises(InstallerError) as caught:
        put_in(layout, second, manager)
    assert (caught.value.code, caught.value.exit_code) == ("busy", 1)
    assert named(layout.current) == "0.1.0"


@quick
def test_no_version_is_changed_under_an_agent_that_somebody_else_runs(
    bundle: Path, layout: Layout, tmp_path: Path
) -> None:
    """It would load what it still lacks from the other one."""
    put_in(layout, bundle)
    second = small_bundle(tmp_path / "second", "0.2.0")
    with StateDir(layout.state_dir):
        with pytest.raises(InstallerError) as caught:
            put_in(layout, second)
        assert caught.value.code == "agent_runs"
        assert put_in(layout, bundle).changed == ()
    assert named(layout.current) == "0.1.0"
    assert put_in(layout, second).before == "0.1.0"


@quick
@pytest.mark.parametrize("why", ["no service", "no whole version"])
def test_where_there_is_nothing_to_go_back_to_it_is_said(
    bundle: Path, layout: Layout, tmp_path: Path, why: str
) -> None:
    """Then it is switched at once, and whoever asked for it knows that nothing was tried before."""
    manager = None if why == "no service" else Stub()
    put_in(layout, bundle, manager)
    if manager is not None:
        (layout.version_dir("0.1.0") / bootstrap.COMPLETE_FILE).unlink()
    (remark,) = put_in(layout, small_bundle(tmp_path / "second", "0.2.0"), manager).remarks
    assert "version 0.2.0 took the place of 0.1.0 without a rehearsal" in remark
    assert (named(layout.current), named(layout.previous)) == ("0.2.0", "0.1.0")


@quick
@pytest.mark.timeout(120)
def test_a_bad_version_over_a_stopped_agent_is_found_out_and_a_good_one_serves(
    bundle: Path, layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a real agent on a copy: the version that was there stays, stopped as it was."""
    monkeypatch.setattr(means, "Means", partial(means.Means, pace=QUICK))
    manager = ProcessManager(layout.programs / "run")
    second = small_bundle(tmp_path / "second", "0.2.0")
    _be_the_agents_user(layout)
    try:
        put_in(layout, bundle, manager)
        manager.stop()
        spoiling = Installing(layout, manager, at=lambda step: _spoil(layout, "0.2.0") if step == "version" else None)
        with pytest.raises(InstallerError) as caught:
            spoiling.install(Wishes(bundle=second))
        assert caught.value.code == "rehearsal_start"
        assert (named(layout.current), manager.status().state) == ("0.1.0", "stopped")
        _spoil(layout, "0.2.0", good=True)
        assert put_in(layout, second, manager).before == "0.1.0"
        assert (named(layout.current), named(layout.previous)) == ("0.2.0", "0.1.0")
        assert (manager.status().state, Records(layout).marker()) == ("running", None)
    finally:
        manager.stop()


@quick
@pytest.mark.timeout(120)
def test_a_version_that_is_taken_back_over_a_stopped_agent_leaves_it_stopped(
    bundle: Path, layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found bad only when it serves: the message says how the till is left."""
    manager = ProcessManager(layout.programs / "run")
    monkeypatch.setattr(rehearsal, "rehearse", lambda *_: None)
    monkeypatch.setattr(means, "Means", partial(means.Means, pace=QUICK))
    second = small_bundle(tmp_path / "second", "0.2.0")
    _be_the_agents_user(layout)
    try:
        put_in(layout, bundle, manager)
        manager.stop()
        spoiling = Installing(layout, manager, at=lambda step: _spoil(layout, "0.2.0") if step == "version" else None)
        with pytest.raises(InstallerError, match=r"version 0\.1\.0 is in its place, and does not run") as caught:
            spoiling.install(Wishes(bundle=second))
        assert caught.value.code == "upgrade_undone"
        assert (named(layout.current), manager.status().state) == ("0.1.0", "stopped")
    finally:
        manager.stop()


@quick
@pytest.mark.timeout(120)
def test_a_change_of_version_that_was_killed_is_finished_by_the_next_run(
    bundle: Path, layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Watched, and taken back as it would have been: it is not left in its place because its pointer was written."""
    manager = ProcessManager(layout.programs / "run")
    second = small_bundle(tmp_path / "second", "0.2.0")
    monkeypatch.setattr(rehearsal, "rehearse", lambda *_: None)
    _be_the_agents_user(layout)
    try:
        put_in(layout, bundle, manager)
        with monkeypatch.context() as patch:
            patch.setattr(means, "Means", partial(means.Means, pace=QUICK, at=_die_at("proving")))
            _in_a_fork(lambda: put_in(layout, second, manager))
        assert named(layout.current) == "0.2.0"
        _spoil(layout, "0.2.0")
        monkeypatch.setattr(means, "Means", partial(means.Means, pace=QUICK))
        with pytest.raises(InstallerError, match=r"taken back .*version 0\.1\.0 serves on") as caught:
            put_in(layout, second, manager)
        assert caught.value.code == "upgrade_undone"
        assert (named(layout.current), manager.status().state) == ("0.1.0", "running")
        assert Records(layout).marker() is None
    finally:
        manager.stop()


def _be_the_agents_user(layout: Layout) -> None:
    """Root's folders of tests are closed to any other user."""
    passwd = layout.root / "etc/passwd"
    passwd.parent.mkdir(parents=True)
    passwd.write_text(f"tillside:x:{os.geteuid()}:{os.getegid()}::/:/bin/false\n")


def _spoil(layout: Layout, version: str, *, good: bool = False) -> None:
    """Make a version's agent end at its start, or a good one again."""
    (site,) = layout.version_dir(version).glob("lib/python*/site-packages")
    (site / "sitecustomize.py").write_text("" if good else ENDS_AT_ONCE)


def _die_at(point_: str) -> Callable[[str], None]:
    return lambda name: os._exit(KILLED) if name == point_ else None


def _in_a_fork(work: Callable[[], object]) -> None:
    pid = os.fork()
    if pid == 0:
        try:
            work()
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == KILLED

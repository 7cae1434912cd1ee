"""Puts an installation in place, step by step. Each step looks first: a second run changes nothing, and a run that was
cut off at any point is finished by the next one. The version that runs is served from until the last moment.
"""

import os
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from till_agent.audit_trail import note
from till_agent.core import JOURNAL_FILE
from till_agent.instance import is_running
from till_config import load
from till_config.settings import Settings
from till_installer.bundle.fitting import must_fit
from till_installer.bundle.keys import public_keys
from till_installer.bundle.manifest import Manifest, read_manifest, verify
from till_installer.layout import SERVICE, Layout
from till_installer.services.choosing import agent_command
from till_installer.services.ports import ServiceManager, masked
from till_installer.services.systemd import unmasking
from till_installer.setup import bootstrap, system
from till_installer.setup.changing import carry_out, finish_cut_off
from till_installer.setup.enrolling import Enrolled, enrol, must_have_code
from till_installer.setup.exceptions import PreconditionError, SetupError
from till_installer.setup.files import agent_owner, put, set_rights
from till_installer.upgrade.pointers import named, point
from till_installer.upgrade.staging import is_whole

if TYPE_CHECKING:
    from till_installer.upgrade.engine import Upgrader

READY_TIMEOUT_S = 60.0
"""As the unit has it; it takes a second or two."""
POLL_S = 0.05


class Wishes(Struct, frozen=True, kw_only=True):
    """What an installation is made of. What is None or empty stays as it is on this till."""

    bundle: Path
    config: Path | None = None
    enroll_file: Path | None = None
    release_keys: tuple[str, ...] = ()
    update_root: Path | None = None
    pos_origins: tuple[str, ...] = ()
    frontol: Path | None = None


class Done(Struct, frozen=True, kw_only=True):
    """What was done: `changed` names it all, and is empty where everything was in place."""

    version: str
    before: str = ""
    changed: tuple[str, ...] = ()
    enrolled: Enrolled
    service: str = "none"
    remarks: tuple[str, ...] = ()


class Installing:
    """One run. `say` is told what is done, `at` each step that is done and on the disk."""

    def __init__(
        self,
        layout: Layout,
        manager: ServiceManager | None,
        say: Callable[[str], None] = lambda _: None,
        at: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.layout = layout
        self.manager = manager
        self.say = say
        self.at = at
        self.changed: list[str] = []
        self.remarks: list[str] = []

    def install(self, wishes: Wishes) -> Done:
        """All of it. InstallerError, ConfigError; nothing is changed by what is wrong from the start."""
        layout = self.layout
        must_be_able(layout)
        must_not_be_masked(self.manager)
        settings = self._settings(wishes)
        must_have_code(layout, wishes.enroll_file)
        must_have_folder(wishes.frontol)
        keys = self._keys(wishes)
        manifest = verify(wishes.bundle, keys)
        must_fit(manifest)
        self._look_at_root(wishes)
        before = named(layout.current)
        self._must_rest(manifest, before)
        self._must_read_journal(manifest)
        self._must_have_port(settings)
        self._make_version(wishes.bundle, manifest)
        self.at("version")
        self._put_files(wishes, keys, with_system=not self._is_upgrade(manifest, before))
        self.at("files")
        self._switch(wishes.bundle, manifest, before)
        self.at("switched")
        enrolled = enrol(layout, settings, wishes.enroll_file)
        if enrolled.is_new:
            self.changed.append("identity")
        self.at("enrolled")
        service = self._start()
        self.at("started")
        if shut := masked(self.manager):
            self.remarks.append(f"{', '.join(shut)} masked, and left so; {unmasking(shut)}")
        if wishes.frontol is not None:
            put_frontol(layout, wishes.frontol, self.changed, self.remarks)
        if self.changed:
            note(layout.state_dir, "installed", version=manifest.version, before=before, changed=" ".join(self.changed))
        return Done(
            version=manifest.version,
            before=before,
            changed=tuple(self.changed),
            enrolled=enrolled,
            service=service,
            remarks=tuple(self.remarks),
        )

    def _settings(self, wishes: Wishes) -> Settings:
        path = wishes.config or self.layout.config
        if not path.is_file():
            raise PreconditionError(
                f"expected the till's settings at {path}; give them with --config", code="no_config"
            )
        settings = load(path)
        state_dir = Path(settings.agent.state_dir)
        if state_dir != self.layout.state_dir:
            message = f'expected agent.state_dir = "{self.layout.state_dir}" in {path}, not "{state_dir}"; '
            raise PreconditionError(f"{message}the service may write nowhere else", code="state_dir_elsewhere")
        return settings

    def _keys(self, wishes: Wishes) -> tuple[str, ...]:
        """Those that were given and those of this till. A till that knows some takes no further one from a command."""
        known_file = self.layout.config_dir / system.RELEASE_KEYS
        known = public_keys((str(known_file),)) if known_file.is_file() else ()
        given = public_keys(wishes.release_keys)
        if known and not set(given) <= set(known):
            message = f"expected a key that this till knows; to change the keys that it trusts, edit {known_file}"
            raise PreconditionError(message, code="release_key_other")
        return known or given

    def _look_at_root(self, wishes: Wishes) -> None:
        """Before anything is changed: a till that trusts another chain's updates is not brought over by an install."""
        if wishes.update_root is not None:
            from till_installer.update.client import check_root

            check_root(self.layout, wishes.update_root)

    def _must_rest(self, manifest: Manifest, before: str) -> None:
        """Without a service nobody here can stop the agent for another version: what it has not loaded yet by then it
        would load of that one."""
        if self.manager is None and before not in ("", manifest.version) and is_running(self.layout.state_dir):
            message = (
                f"expected no agent to run in {self.layout.state_dir}: whoever runs it stops it first, and starts "
            )
            raise PreconditionError(f"{message}it when version {manifest.version} is in place", code="agent_runs")

    def _must_read_journal(self, manifest: Manifest) -> None:
        """An older bundle over the data of a newer version would start, say that it can't read them, and sell nothing.

        One that runs is asked by the upgrade itself.
        """
        from till_installer.upgrade.queue import UnreadableError, schema_of

        try:
            there = schema_of(self.layout.state_dir / JOURNAL_FILE)
        except UnreadableError:
            return
        if there > manifest.schemas.journal:
            message = (
                f"expected a version that reads a journal of schema {there}, not of {manifest.schemas.journal} at "
            )
            raise PreconditionError(f"{message}most: take a newer bundle", code="journal_unreadable")

    def _must_have_port(self, settings: Settings) -> None:
        """The agent's own port is no fault."""
        port = settings.bridge.port
        if self.manager is None or port == 0 or self.manager.status().state in ("running", "starting"):
            return
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as exc:
                message = f"expected port {port} of this machine to be free: {exc.strerror}; "
                message += f"`ss -ltnp 'sport = :{port}'` names the program; stop it, or set bridge.port"
                raise PreconditionError(message, code="port_taken") from exc

    def _make_version(self, bundle: Path, manifest: Manifest) -> None:
        folder = self.layout.version_dir(manifest.version)
        _, digest = bootstrap.read_bundle(bundle)
        if not bootstrap.is_complete(folder, digest):
            self.changed.append(f"version {manifest.version}")
        in_use = frozenset((named(self.layout.current), named(self.layout.previous))) - {""}
        try:
            bootstrap.make_version(bundle, self.layout.versions, in_use, self.say)
        except bootstrap.RefusedError as exc:
            raise SetupError(str(exc), code=exc.code, exit_code=exc.status) from exc

    def _is_upgrade(self, manifest: Manifest, before: str) -> bool:
        """Whether a version is to be rehearsed, watched in the place of another, and taken back if need be.

        Also where the agent rests just now: a till that is stopped for an evening gets no worse version by that.
        """
        is_other = before not in ("", manifest.version)
        return is_other and self.manager is not None and is_whole(self.layout.version_dir(before))

    def _put_files(self, wishes: Wishes, keys: tuple[str, ...], *, with_system: bool) -> None:
        """`with_system` false: units and rules come with the change of version, and go with it."""
        layout = self.layout
        self.say("putting files in place")
        if with_system:
            self.changed += system.put_files(layout)
        if system.make_user(layout):
            self.changed.append("user tillside")
        self.changed += system.make_folders(layout)
        owner = agent_owner(layout.root)
        group = type(owner)(-1, owner.gid)
        if wishes.config is not None:
            text = wishes.config.read_bytes()
            if put(layout.config, text, 0o640, group):
                self.changed.append("till.toml")
        elif set_rights(layout.config, 0o640, group):
            self.changed.append("rights of till.toml")
        if put(layout.config_dir / system.RELEASE_KEYS, "".join(f"{key}\n" for key in keys), 0o644):
            self.changed.append(system.RELEASE_KEYS)
        if wishes.update_root is not None:
            from till_installer.update.client import install_root

            if install_root(layout, wishes.update_root) == "put":
                self.changed.append("root of updates")
        policies, remark = system.put_policies(layout, wishes.pos_origins)
        self.changed += policies
        self.remarks += [remark] if remark else []
        if self.changed:
            system.tell_kernel(layout)

    def _switch(self, bundle: Path, manifest: Manifest, before: str) -> None:
        """A first version by its link; another one as every upgrade: rehearsed, watched, and undone if it fails."""
        layout, version = self.layout, manifest.version
        if before == version:
            if self.manager is not None:
                finish_cut_off(self._upgrader(self.manager), version)
            return
        self.changed.append("current")
        if self.manager is None or not self._is_upgrade(manifest, before):
            if before:
                point(layout.previous, before)
                why = "no service of ours runs the agent" if self.manager is None else "that is not there as a whole"
                self.remarks.append(f"version {version} took the place of {before} without a rehearsal: {why}")
            point(layout.current, version)
            return
        if self.manager.status().state == "absent":
            self.manager.install(agent_command(layout), config=layout.config)
        upgrader = self._upgrader(self.manager)
        carry_out(upgrader, version, lambda: upgrader.apply(bundle, manifest))
        self.changed += system.put_files(layout)

    def _upgrader(self, manager: ServiceManager) -> "Upgrader":
        from till_installer.upgrade.engine import Upgrader
        from till_installer.upgrade.means import Means

        return Upgrader(self.layout, manager, Means(say=self.say))

    def _start(self) -> str:
        if self.manager is None:
            return "none"
        runs = self.manager.status().state in ("running", "starting")
        self.manager.install(agent_command(self.layout), config=self.layout.config)
        if runs and ("till.toml" in self.changed or self._lives_on()):
            self.say("starting the agent anew")
            self.manager.stop()
            runs = False
        if not runs:
            self.say("starting the agent")
            self.changed.append("service")
            self.manager.start()
            _wait_ready(self.manager)
        watch = getattr(self.manager, "watch_for_updates", None)
        if watch is not None and "service" in self.changed:
            watch()
        return self.manager.kind

    def _lives_on(self) -> bool:
        """Whether the agent runs by a Python that is not the version's any more: the distribution has changed it."""
        if self.manager is None or os.name == "nt" or not (pid := self.manager.status().pid):
            return False
        return program_of(pid) not in ("", str(self.layout.python(self.layout.current).resolve()))


def program_of(pid: int) -> str:
    """What a process runs, "(deleted)" behind it where that file has gone; "" when that can't be said."""
    try:
        return str(Path(f"/proc/{pid}/exe").readlink())
    except OSError:
        return ""


def _wait_ready(manager: ServiceManager) -> None:
    """SetupError (`not_ready`) when the agent does not say within a minute that it is."""
    until, pause = time.monotonic() + READY_TIMEOUT_S, threading.Event()
    while (status := manager.status()).state != "running":
        if time.monotonic() > until:
            message = f"expected the agent to be ready within {READY_TIMEOUT_S:g} s, and it is {status.state}"
            raise SetupError(
                f"{message} ({status.detail or 'it says nothing'}); run `tillside doctor`", code="not_ready"
            )
        pause.wait(POLL_S)


def must_have_folder(frontol: Path | None) -> None:
    """PreconditionError (`frontol`) before anything is changed."""
    if frontol is not None and not frontol.is_dir():
        raise PreconditionError(
            f"expected a folder for Frontol's scenario at {frontol}: make it, or name another", code="frontol"
        )


def put_frontol(layout: Layout, folder: Path, changed: list[str], remarks: list[str]) -> None:
    """The scenario for Frontol into a folder; what was done is added to the lists. SetupError."""
    from till_installer.frontol.exceptions import ScriptError
    from till_installer.frontol.script_cli import script_values
    from till_installer.frontol.script_file import install

    try:
        put_there = install(folder, script_values(layout.config, "pos"))
    except ScriptError as exc:
        raise SetupError(str(exc), code="frontol") from exc
    if put_there.state != "unchanged":
        changed.append(str(put_there.path))
        remarks.append(f"load {put_there.path} into Frontol: docs/how-to/connect-frontol-script.md")


def must_be_able(layout: Layout) -> None:
    """PreconditionError (`not_root`) for the machine's own installation without root's rights."""
    if layout.root == Path("/") and os.name == "posix" and os.geteuid() != 0:
        raise PreconditionError("expected to be run as root: put `sudo` before it", code="not_root")


def is_installed(layout: Layout) -> bool:
    """Whether there is anything that could be mended or removed: a version, whole or not, or a pointer to one."""
    return bool(named(layout.current)) or any(layout.versions.glob("[0-9]*"))


def must_not_be_masked(manager: ServiceManager | None) -> None:
    """PreconditionError (`service_masked`) where the operator has shut the agent off: it could not be started."""
    unit = f"{SERVICE}.service"
    if unit in masked(manager):
        message = f"expected {unit} not to be masked: {unmasking((unit,))}"
        raise PreconditionError(message, code="service_masked")


def known_keys(layout: Layout) -> tuple[str, ...]:
    """Keys by which this till takes bundles; () when it has none."""
    path = layout.config_dir / system.RELEASE_KEYS
    return public_keys((str(path),)) if path.is_file() else ()


def kept_manifest(layout: Layout, version: str) -> Manifest | None:
    """Of the bundle that a version was made from; None when it is not there."""
    folder = layout.version_dir(version) / bootstrap.KEPT_BUNDLE
    return read_manifest(folder) if (folder / "bundle.json").is_file() else None

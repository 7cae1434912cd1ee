"""What the Windows set-up does once a version's files lie in their folder. Each step looks first: a second run changes
nothing, and a run that was cut off is finished by the next one.
"""

import compileall
import contextlib
import shutil
import socket
import threading
import time
from collections.abc import Callable
from importlib import resources
from pathlib import Path

from msgspec import Struct

from till_agent.audit_trail import note
from till_agent.core import JOURNAL_FILE
from till_config import load
from till_config.settings import Settings
from till_installer.bundle.manifest import Manifest, read_manifest
from till_installer.exceptions import InstallerError
from till_installer.layout import Layout
from till_installer.services.ports import ServiceManager
from till_installer.services.windows import ACCOUNT, service_command
from till_installer.setup.bootstrap import KEPT_BUNDLE, read_complete
from till_installer.setup.changing import carry_out, finish_cut_off
from till_installer.setup.enrolling import Enrolled, enrolled_as, must_have_code
from till_installer.setup.exceptions import PreconditionError, SetupError
from till_installer.setup.installing import must_have_folder, put_frontol
from till_installer.upgrade.pointers import named, point
from till_installer.upgrade.queue import UnreadableError, schema_of
from till_installer.upgrade.record import Records
from till_installer.windows.access import allow_origins, protect

READY_TIMEOUT_S = 60.0
"""As on Linux; it takes a few seconds."""
POLL_S = 0.1
STARTER = ("python.exe", "python311.dll", "python311.zip", "vcruntime140.dll", "vcruntime140_1.dll")
"""Of a version: the Python that the starter has for itself."""
STARTER_PTH = "python311.zip\r\n.\r\n"
COMMAND = '@"%~dp0starter\\python.exe" "%~dp0starter\\start.py" %*\r\n'
SITE = "Lib/site-packages"
COMPILED_MARK = "compiled"

Protect = Callable[[Layout, str], None]
Allow = Callable[[tuple[str, ...]], list[str]]


class Wishes(Struct, frozen=True, kw_only=True):
    """What the set-up was told. What is None or empty stays as it is on this till."""

    version: str
    config: Path | None = None
    enroll_file: Path | None = None
    pos_origins: tuple[str, ...] = ()
    frontol: Path | None = None
    account: str = ACCOUNT
    again: bool = False
    repair: bool = False
    """The set-up has unpacked the version's files anew."""
    mark: str = ""
    """File of the version's folder: the set-up's sign that all are there, and need not be unpacked again."""


class Done(Struct, frozen=True, kw_only=True):
    """What was done: `changed` names it all, and is empty where everything was in place."""

    version: str
    before: str = ""
    changed: tuple[str, ...] = ()
    enrolled: Enrolled
    remarks: tuple[str, ...] = ()


class Installing:
    """One run. `say` is told what is done, `at` each step that is done and on the disk."""

    def __init__(
        self,
        layout: Layout,
        manager: ServiceManager,
        say: Callable[[str], None] = lambda _: None,
        at: Callable[[str], None] = lambda _: None,
        *,
        protect_data: Protect = protect,
        allow: Allow = allow_origins,
    ) -> None:
        self.layout = layout
        self.manager = manager
        self.say = say
        self.at = at
        self.changed: list[str] = []
        self.remarks: list[str] = []
        self._protect = protect_data
        self._allow = allow

    def install(self, wishes: Wishes) -> Done:
        """All of it. InstallerError, ConfigError; nothing is changed by what is wrong from the start."""
        layout = self.layout
        folder = layout.version_dir(wishes.version)
        if read_complete(folder) is None:
            raise SetupError(
                f"expected all files of version {wishes.version} in {folder}; run the set-up again",
                code="version_incomplete",
                exit_code=3,
            )
        settings = self._settings(wishes)
        must_have_code(layout, wishes.enroll_file)
        must_have_folder(wishes.frontol)
        before = named(layout.current)
        state = self.manager.status().state
        was_running = state in ("running", "starting")
        # Also where the agent rests just now, but not where no service is left that the other version could start by.
        is_other = before not in ("", wishes.version) and read_complete(layout.version_dir(before)) is not None
        was_cut_off = before == wishes.version and Records(layout).marker() is not None
        is_upgrade = state != "absent" and (is_other or was_cut_off)
        if not was_running:
            self._must_read_journal(read_manifest(folder / KEPT_BUNDLE))
            self._must_have_port(settings)
        self._compile(folder, force=wishes.repair)
        if wishes.mark:
            # Before anything of it runs: unpacked once more over a running agent, it would fail each time.
            (folder / wishes.mark).touch()
        self.at("compiled")
        self._put_settings(wishes)
        self.at("settings")
        try:
            enrolled = self._put_in_place(wishes, folder, before, is_upgrade=is_upgrade)
            if was_running and "till.toml" in self.changed and before == wishes.version:
                self.say("starting the agent anew for its new settings")
                self.manager.stop()
        except InstallerError:
            self._leave_as_it_was(was_running=was_running or named(layout.current) != before)
            raise
        self._start()
        self.at("started")
        self.changed += self._allow(wishes.pos_origins)
        if wishes.frontol is not None:
            put_frontol(layout, wishes.frontol, self.changed, self.remarks)
        self._note(wishes, before)
        return Done(
            version=wishes.version,
            before=before,
            changed=tuple(self.changed),
            enrolled=enrolled,
            remarks=tuple(self.remarks),
        )

    def _put_in_place(self, wishes: Wishes, folder: Path, before: str, *, is_upgrade: bool) -> Enrolled:
        """Programs, service, pointer, identity. An upgrade is rehearsed, and watched under the starter that is there,
        which is replaced behind it: for that the agent has to rest."""
        if not is_upgrade:
            self._put_programs(folder)
        self.at("programs")
        self._make_service(wishes.account)
        self._switch(wishes, before, is_upgrade=is_upgrade)
        self.at("switched")
        if is_upgrade:
            self._put_programs(folder)
        enrolled = self._enrol(wishes.enroll_file)
        self.at("enrolled")
        return enrolled

    def _note(self, wishes: Wishes, before: str) -> None:
        state_dir = self.layout.state_dir
        if wishes.repair:
            note(state_dir, "repaired", version=wishes.version, mended="files")
        if self.changed:
            note(state_dir, "installed", version=wishes.version, before=before, changed=" ".join(self.changed))

    def _make_service(self, account: str) -> None:
        self.say("making the service")
        self.manager.install(service_command(self.layout), config=self.layout.config)
        self.at("service")
        self._protect(self.layout, account)
        self.at("protected")

    def _leave_as_it_was(self, *, was_running: bool) -> None:
        """The set-up removes the files of a first installation that failed: no service may be left that needs them. An
        agent that rests for its starter sells again."""
        with contextlib.suppress(InstallerError):
            if not named(self.layout.current):
                self.manager.remove()
            elif was_running and self.manager.status().state == "stopped":
                self.manager.start()

    def _must_read_journal(self, manifest: Manifest) -> None:
        """An older set-up over the data of a newer version would start, say that it can't read them, and sell nothing.

        Beside an agent that runs, the upgrade itself asks.
        """
        try:
            there = schema_of(self.layout.state_dir / JOURNAL_FILE)
        except UnreadableError:
            return
        if there > manifest.schemas.journal:
            raise PreconditionError(
                f"expected a version that reads a journal of schema {there}, not {manifest.schemas.journal} at most; "
                "take a newer set-up",
                code="journal_unreadable",
            )

    def _settings(self, wishes: Wishes) -> Settings:
        path = wishes.config or self.layout.config
        if wishes.config is not None and not path.is_file():
            raise PreconditionError(f"expected the till's settings at {path}; see /CONFIG=", code="no_config")
        if not path.is_file():
            return Settings()
        settings = load(path)
        if Path(settings.agent.state_dir) != self.layout.state_dir:
            raise PreconditionError(
                f'expected agent.state_dir = "{self.layout.state_dir.as_posix()}" in {path}, or none: the service may '
                "write nowhere else",
                code="state_dir_elsewhere",
            )
        return settings

    def _must_have_port(self, settings: Settings) -> None:
        port = settings.bridge.port
        if port == 0:
            return
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as exc:
                raise PreconditionError(
                    f"expected port {port} of this machine to be free: {exc.strerror}; `netstat -abno` names the "
                    "program; stop it, or set bridge.port",
                    code="port_taken",
                ) from exc

    def _compile(self, folder: Path, *, force: bool) -> None:
        """Now: the service may not write into Program Files, and would compile all that it imports at each start."""
        mark = folder / KEPT_BUNDLE / COMPILED_MARK
        if mark.exists() and not force:
            return
        self.say("compiling")
        self.changed.append(f"version {folder.name}")
        if not compileall.compile_dir(folder / SITE, quiet=2, force=force):
            self.remarks.append("some modules could not be compiled: the agent starts more slowly")
        mark.touch()

    def _put_settings(self, wishes: Wishes) -> None:
        layout = self.layout
        for path in (layout.state_dir, layout.log_dir, layout.updates_dir):
            path.mkdir(parents=True, exist_ok=True)
        if wishes.config is not None:
            text = wishes.config.read_bytes()
        elif not layout.config.is_file():
            text = (resources.files("till_installer.windows") / "data/till.toml").read_bytes()
        else:
            return
        if _put(layout.config, text):
            self.changed.append("till.toml")

    def _put_programs(self, folder: Path) -> None:
        """Starter, NSSM and command, from the version that is installed; the service rests if one of them changes."""
        programs = self.layout.programs
        starter = programs / "starter"
        pairs = [(folder / name, starter / name) for name in STARTER if (folder / name).is_file()]
        pairs.append((folder / "tools/start.py", starter / "start.py"))
        pairs.append((folder / "tools/nssm.exe", programs / "nssm.exe"))
        wrong = [(source, target) for source, target in pairs if not _same(source, target)]
        if wrong and self.manager.status().state != "absent":
            self.say("stopping the agent, for its starter changes")
            self.manager.stop()
        try:
            starter.mkdir(parents=True, exist_ok=True)
            for source, target in wrong:
                draft = target.with_name(f".{target.name}.new")
                shutil.copyfile(source, draft)
                draft.replace(target)
                self.changed.append(target.name)
            _put(starter / "python311._pth", STARTER_PTH.encode())
            if _put(programs / "tillside.cmd", COMMAND.encode()):
                self.changed.append("tillside.cmd")
        except OSError as exc:
            raise SetupError(
                f"expected to write {exc.filename or starter}: {exc.strerror}; close what uses it, and run this again",
                code="not_written",
            ) from exc

    def _switch(self, wishes: Wishes, before: str, *, is_upgrade: bool) -> None:
        """A first version by its pointer; another one as every upgrade: rehearsed, watched, and undone if it fails."""
        layout, version = self.layout, wishes.version
        if before == version and not is_upgrade:
            return
        if not is_upgrade:
            self.changed.append("current")
            if before:
                point(layout.previous, before)
                self.remarks.append(f"version {version} took the place of {before} without a rehearsal")
            point(layout.current, version)
            return
        from till_installer.upgrade.engine import Upgrader
        from till_installer.upgrade.means import Means

        kept = layout.version_dir(version) / KEPT_BUNDLE
        upgrader = Upgrader(layout, self.manager, Means(install=_is_there, say=self.say))
        if before == version:
            finish_cut_off(upgrader, version)
            return
        self.changed.append("current")
        carry_out(upgrader, version, lambda: upgrader.apply(kept, read_manifest(kept), again=wishes.again))

    def _enrol(self, code_file: Path | None) -> Enrolled:
        """Trade the code, unless this machine is a till already. A cloud that does not answer is no fault."""
        layout = self.layout
        later = f'`tillside agent enrol --config "{layout.config}" --code-file FILE` does it'
        if till := enrolled_as(layout):
            return Enrolled(till=till)
        if code_file is None:
            return Enrolled(detail=f"not enrolled yet: {later}")
        from till_agent.cli.enrolling import EnrolError, enrol_till

        self.say("enrolling the till")
        try:
            code = code_file.read_text(encoding="utf-8-sig").strip()
        except (OSError, UnicodeDecodeError) as exc:
            raise SetupError(f"expected a one-time code in {code_file}: {exc}", code="no_code") from exc
        try:
            identity = enrol_till(load(layout.config), code, again=False)
        except EnrolError as exc:
            return Enrolled(was_tried=True, detail=f"not enrolled: {exc}. Later, {later}")
        self.changed.append("identity")
        return Enrolled(till=identity.till, is_new=True, was_tried=True)

    def _start(self) -> None:
        if self.manager.status().state in ("running", "starting"):
            return
        self.say("starting the agent")
        self.changed.append("service")
        self.manager.start()
        until, pause = time.monotonic() + READY_TIMEOUT_S, threading.Event()
        while (status := self.manager.status()).state != "running":
            if time.monotonic() > until:
                raise SetupError(
                    f"expected the agent to be ready within {READY_TIMEOUT_S:g} s, and it is {status.state}; see "
                    f"{self.layout.log_dir}",
                    code="not_ready",
                )
            pause.wait(POLL_S)


def _is_there(bundle: Path, versions: Path) -> Path:
    """The set-up has unpacked it before; one that is not whole can't be made here."""
    del bundle
    raise OSError(f"expected the version's files in {versions}; run the set-up again")


def _same(one: Path, other: Path) -> bool:
    return other.is_file() and one.stat().st_size == other.stat().st_size and one.read_bytes() == other.read_bytes()


def _put(path: Path, data: bytes) -> bool:
    """Whole or not at all; whether anything was changed. OSError."""
    if path.is_file() and path.read_bytes() == data:
        return False
    draft = path.with_name(f".{path.name}.new")
    draft.write_bytes(data)
    draft.replace(path)
    return True

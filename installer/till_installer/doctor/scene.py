"""What the checks look at: one till as it is now. Each fact is read once, by whichever check asks first."""

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar, cast

import msgspec

from till_agent.bridge.tokens import read_token
from till_agent.core import CACHE_FILE, JOURNAL_FILE
from till_agent.instance import RUNNING_FILE, Running, is_running
from till_agent.reloading.starting import LAST_GOOD_FILE, state_dir_of
from till_config.exceptions import ConfigError
from till_config.layers import kept_policy, load
from till_config.loading import read, settings_of
from till_config.settings import AgentSettings, Settings
from till_installer.doctor import asking
from till_installer.doctor.cloud_look import CloudLook, look_at_cloud
from till_installer.doctor.findings import NotLooked
from till_installer.doctor.service_look import Unit, look_at_unit
from till_installer.layout import Layout
from till_sync.exceptions import IdentityError
from till_sync.identity import IDENTITY_FILE, Identity, read_identity

T = TypeVar("T")


class Scene:
    """One till. `system` stands for `/` where the system itself is looked at (/proc, /sys, /dev).

    Used by many threads: whoever asks for a fact first reads it, the others wait for that.
    """

    def __init__(
        self,
        layout: Layout,
        *,
        config: Path | None = None,
        system: Path = Path("/"),
        environment: Mapping[str, str] | None = None,
        wall_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        deep: bool = False,
        frontol: Path | None = None,
    ) -> None:
        self.layout = layout
        self.config = config if config is not None else layout.config
        self.system = system
        self.environment = os.environ if environment is None else environment
        self.now_ms = wall_ms
        self.deep = deep
        self.frontol = frontol
        self._facts: dict[str, tuple[Any, BaseException | None]] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    def anew(self) -> "Scene":
        """The same till with nothing known of it yet."""
        return Scene(
            self.layout,
            config=self.config,
            system=self.system,
            environment=self.environment,
            wall_ms=self.now_ms,
            deep=self.deep,
            frontol=self.frontol,
        )

    def once(self, name: str, read: Callable[[], T]) -> T:
        """A fact, read at most once; what its reading raised is raised to all who ask."""
        with self._lock:
            lock = self._locks.setdefault(name, threading.Lock())
        with lock:
            if name not in self._facts:
                try:
                    self._facts[name] = (read(), None)
                except Exception as exc:  # noqa: BLE001 - raised again below, to each who asks
                    self._facts[name] = (None, exc)
            value, error = self._facts[name]
        if error is not None:
            raise error
        return cast("T", value)

    @property
    def version(self) -> str:
        """Of the program that this doctor is of."""
        return metadata.version("tillside")

    @property
    def till(self) -> str:
        """Its name, "" while it has none that can be read."""
        try:
            return self.identity().till
        except (NotLooked, OSError):
            return ""

    def config_problem(self) -> ConfigError | None:
        """Why the configuration can't be used; None when it can. OSError when it may not be read."""
        return self.once("config", self._read_config)[1]

    def settings(self) -> Settings:
        """In force. Where the file can't be used, the last good ones, by which an agent runs and starts; else the
        defaults with the state directory that the file names, or this layout's."""
        return self.once("config", self._read_config)[0]

    def usable_settings(self) -> Settings:
        """The file's settings. NotLooked while it can't be used."""
        if self.config_problem() is not None:
            raise NotLooked("the configuration can't be used")
        return self.settings()

    def policy_problem(self) -> ConfigError | None:
        """Why the chain's policy is not in force; None when it is, or there is none."""
        return self.once("config", self._read_config)[2]

    def _read_config(self) -> tuple[Settings, ConfigError | None, ConfigError | None]:
        try:
            own = load(self.config)
        except ConfigError as exc:
            return self._without_file(), exc, None
        try:
            policy = kept_policy(own.agent.state_dir)
            return (load(self.config, policy) if policy is not None else own), None, None
        except ConfigError as exc:
            return own, None, exc

    def _without_file(self) -> Settings:
        folder = state_dir_of(self.config) or str(self.layout.state_dir)
        try:
            last_good = settings_of(read(Path(folder, LAST_GOOD_FILE)))
        except ConfigError:
            return Settings(agent=AgentSettings(state_dir=folder))
        return last_good if last_good.agent.state_dir == folder else Settings(agent=AgentSettings(state_dir=folder))

    @property
    def state_dir(self) -> Path:
        """Of the agent."""
        return Path(self.settings().agent.state_dir)

    def state(self) -> Path:
        """The same, when it is there. NotLooked."""
        if not self.state_dir.is_dir():
            raise NotLooked(f"there is no folder {self.state_dir}")
        return self.state_dir

    def identity(self) -> Identity:
        """Who this till is. NotLooked when it is nobody, or that can't be read."""
        try:
            return self.once("identity", lambda: read_identity(self.state() / IDENTITY_FILE))
        except IdentityError as exc:
            raise NotLooked(f"there is no identity: {exc}") from exc

    def is_up(self) -> bool:
        """Whether an agent has the state directory."""
        return self.once("up", lambda: self.state_dir.is_dir() and is_running(self.state_dir))

    def port(self) -> int:
        """Where the agent listens, or would."""
        return self.once("port", self._port)

    def _port(self) -> int:
        if self.is_up():
            try:
                return msgspec.json.decode((self.state_dir / RUNNING_FILE).read_bytes(), type=Running).port
            except (OSError, msgspec.DecodeError):
                pass
        return self.settings().bridge.port

    def need_agent(self) -> None:
        """NotLooked unless an agent runs."""
        if not self.is_up():
            raise NotLooked("no agent is running")

    def call(self, path: str, *, with_token: bool = False) -> asking.Answer:
        """What the running agent answers, asked once a path. NotLooked when none runs; OSError when it is silent."""
        self.need_agent()
        token = self._token() if with_token else ""
        return self.once(f"call {path}", lambda: asking.ask(self.port(), path, token))

    def _token(self) -> str:
        token = read_token(self.state_dir, "admin")
        if token is None:
            raise NotLooked("there is no token of the client `admin` to ask the agent with")
        return token

    def status(self) -> dict[str, Any]:
        """The agent's status. NotLooked when there is none to be had."""
        try:
            answer = self.call("/v1/status?language=en", with_token=True)
        except OSError as exc:
            raise NotLooked("the agent does not answer") from exc
        found = answer.json()
        if answer.status != 200 or not isinstance(found, dict):
            raise NotLooked(f"the agent gave no status ({answer.status})")
        return found

    def troubles(self) -> dict[str, str]:
        """The running agent's own problems: words by code."""
        return {each["code"]: each["text"] for each in self.status()["problems"]}

    def cloud(self) -> CloudLook:
        """How far the way to the cloud goes. NotLooked without a cloud."""
        url = self.usable_settings().cloud.url
        if not url:
            raise NotLooked("there is no cloud.url")
        return self.once("cloud", lambda: look_at_cloud(url, now_ms=self.now_ms))

    def unit(self) -> Unit:
        """The service as systemd has it. NotLooked where there is no systemd."""
        return self.once("unit", lambda: look_at_unit(self.system, self.environment))

    @contextmanager
    def database(self, name: str) -> Iterator[sqlite3.Connection]:
        """One of the agent's files to read: `journal.db`, `cache.db`, `spool.db`. NotLooked when it is not there.

        Nothing is written: an agent finds file and log as they were. A running agent has its journal for itself
        alone; of that one the file is read without its log.
        """
        path = self.state() / name
        if not path.is_file():
            raise NotLooked(f"there is no {path.name}")
        log = path.with_name(path.name + "-wal")
        # SQLite would make a log and its index beside a file that has none, and leave them there.
        alone = (self.is_up() and name == JOURNAL_FILE) or not log.exists() or not log.stat().st_size
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro{'&immutable=1' if alone else ''}",
            uri=True,
            timeout=1,
            isolation_level=None,
        )
        try:
            connection.execute("PRAGMA trusted_schema = OFF")
            yield connection
        finally:
            connection.close()


__all__ = ["CACHE_FILE", "JOURNAL_FILE", "Scene"]

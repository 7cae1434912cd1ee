"""Takes the settings of the file, or the chain's policy, into a running agent; sales go on meanwhile."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

from msgspec import structs

from till_agent.audit_trail import note
from till_agent.bridge.settings_shapes import Reloaded
from till_agent.reloading.differing import difference
from till_agent.reloading.exceptions import ReloadRefusedError
from till_agent.reloading.starting import Start, keep_last_good
from till_config.exceptions import ConfigError, PolicyError
from till_config.layers import PolicyText, layered, settings_with
from till_config.loading import Source, read, settings_of
from till_config.settings import Settings

log = logging.getLogger(__name__)

UNKEPT = "policy_unkept"
"""Code of a policy that only the disk did not take: it is tried again, as no mistake of its own kept it out."""

Change = Callable[[Settings, Settings], Awaitable[None]]
"""See `LiveParts.change`."""


class Reloader:
    """One change at a time. Used on the loop; files are read and written in a thread."""

    def __init__(self, start: Start, change: Change) -> None:
        self._start = start
        self._now = start.settings
        self._change = change
        self._lock = asyncio.Lock()
        self.restart_needed: tuple[str, ...] = ()
        """Keys that wait for a restart, dotted."""

    @property
    def start(self) -> Start:
        """What is in force, and what is wrong with what was to be."""
        return self._start

    @property
    def policy(self) -> PolicyText | None:
        """The chain's, in force."""
        return self._start.policy

    async def keep(self, state_dir: Path) -> None:
        """The agent is up by what is in force: a start with a bad file falls back to it."""
        if self._start.local is not None and not self._start.config_trouble:
            await asyncio.to_thread(_applied, state_dir, self._start.local.text)

    async def reload(self) -> Reloaded:
        """Take in the file as it is now, under the policy in force. ReloadRefusedError: nothing has changed."""
        async with self._lock:
            config = self._start.config
            if config is None:
                raise ReloadRefusedError("no_config_file", ("expected an agent that was started with a file",))
            try:
                local, settings = await asyncio.to_thread(_read, config, self._start.policy)
            except ConfigError as error:
                problems = tuple([str(problem) for problem in error.problems])
                self._start = structs.replace(self._start, config_trouble=problems[0])
                log.error("the file is not taken in: %s", problems[0])  # noqa: TRY400 - says it all
                await asyncio.to_thread(_config_refused, self._state_dir, error)
                raise ReloadRefusedError("config_bad", problems) from error
            told = await self._take(settings)
            self._start = structs.replace(
                self._start, settings=settings, local=local, config_trouble="", policy_refused=0, policy_trouble=""
            )
            restart = " ".join(told.restart_needed)
            await asyncio.to_thread(_applied, self._state_dir, local.text, " ".join(told.applied), restart)
            return told

    async def obey(self, policy: PolicyText, keep: Callable[[], None]) -> Reloaded:
        """Take in a policy over the file in force; `keep` makes it last beyond this run (blocking; OSError).

        ReloadRefusedError: nothing has changed, and `start.policy_refused` names it until another fits.
        """
        async with self._lock:
            try:
                settings = settings_with(layered(self._start.local, policy))
                told = await self._take(settings)
                await asyncio.to_thread(keep)
            except PolicyError as error:
                problems = tuple([str(problem) for problem in error.problems])
                raise await self._refused(policy, ReloadRefusedError("policy_refused", problems)) from error
            except ReloadRefusedError as error:
                raise await self._refused(policy, error) from error
            except OSError as error:
                await self._take(self._start.settings)
                said = f"the policy can't be kept: {error.strerror}"
                raise await self._refused(policy, ReloadRefusedError(UNKEPT, (said,))) from error
            self._start = structs.replace(
                self._start, settings=settings, policy=policy, policy_refused=0, policy_trouble=""
            )
            log.info("policy taken in", extra={"version": policy.version, "keys": ", ".join(told.applied)})
            applied = " ".join(told.applied)
            await asyncio.to_thread(note, self._state_dir, "policy_applied", version=policy.version, keys=applied)
            return told

    @property
    def _state_dir(self) -> Path:
        return Path(self._now.agent.state_dir)

    async def _take(self, settings: Settings) -> Reloaded:
        found = difference(self._now, settings)
        if found.live:
            await self._change(self._now, found.reachable)
            self._now = found.reachable
        self.restart_needed = found.restart_needed
        log.info("settings taken in", extra={"keys": ", ".join(found.live), "restart": ", ".join(found.restart_needed)})
        policy = self._start.policy
        return Reloaded(
            applied=found.live,
            restart_needed=found.restart_needed,
            policy_version=policy.version if policy is not None else 0,
        )

    async def _refused(self, policy: PolicyText, error: ReloadRefusedError) -> ReloadRefusedError:
        log.error("policy %d is refused: %s", policy.version, error.problems[0])
        self._start = structs.replace(self._start, policy_refused=policy.version, policy_trouble=error.problems[0])
        await asyncio.to_thread(note, self._state_dir, "policy_refused", version=policy.version, code=error.code)
        return error


def _read(config: Path, policy: PolicyText | None) -> tuple[Source, Settings]:
    local = read(config)
    settings_of(local)
    return local, settings_with(layered(local, policy))


def _applied(state_dir: Path, text: str, applied: str = "", restart: str = "") -> None:
    """A file is in force: kept for a start with a bad one, and written down when it is another than before."""
    if keep_last_good(state_dir, text):
        note(state_dir, "config_applied", keys=applied or "at the start", restart_needed=restart)


def _config_refused(state_dir: Path, error: ConfigError) -> None:
    """Where the first problem is and of which key; not its words, which quote what somebody typed."""
    first = error.problems[0]
    note(state_dir, "config_refused", key=first.key, line=first.line, problems=len(error.problems))

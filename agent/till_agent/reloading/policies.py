"""The chain's policy on this till: fetched when a heartbeat names another or in time, checked, obeyed, kept."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Protocol

from till_agent.reloading.exceptions import ReloadRefusedError
from till_agent.reloading.reloader import UNKEPT, Reloader
from till_agent.reloading.starting import is_signed, keep_policy
from till_config.layers import PolicyText
from till_sync.defects import log_unexpected
from till_sync.exceptions import CloudRefused, SyncError
from till_sync.heartbeat import Policy
from till_sync.identity import Identity
from till_sync.ports import Clock

log = logging.getLogger(__name__)

PAUSE_S = 300.0
"""Between two looks of a till that no heartbeat tells of a policy."""
FIRST_S = 20.0
"""The first look comes at a random time within this after the start, so that a chain's tills don't all come at once."""
UNKNOWN_PAUSE_S = 3_600.0
"""Until a cloud that knows no policies is asked again."""
JITTER = 0.1
NOT_FOUND = 404


class Line(Protocol):
    """What fetches: the client of `till_sync`."""

    @property
    def cloud_key(self) -> str:
        """As the cloud said last; "" before it said so."""
        ...

    async def policy(self) -> Policy:
        """SyncError when it did not come."""
        ...


class PolicyKeeper:
    """Implements `till_agent.beating.Policies`. Used on the loop."""

    def __init__(
        self,
        reloader: Reloader,
        state_dir: Path,
        *,
        line: Callable[[], Line | None],
        identity: Callable[[], Identity | None],
        clock: Clock,
        random: Random | None = None,
    ) -> None:
        self._reloader = reloader
        self._state_dir = state_dir
        self._line = line
        self._identity = identity
        self._clock = clock
        self._random = random or Random()  # noqa: S311 - spreads load; guards nothing
        self._turn = asyncio.Lock()
        self._refused_local: object = None

    @property
    def version(self) -> int:
        """Of the policy in force; 0: none."""
        policy = self._reloader.policy
        return policy.version if policy is not None else 0

    @property
    def refused(self) -> int:
        """The newest version that this till could not take; 0: none."""
        return self._reloader.start.policy_refused

    async def fetch(self, version: int) -> None:
        """Get the policy of that version and obey it, unless it is in force or refused already. Raises nothing."""
        if version not in (self.version, self.refused):
            await self.look()

    async def run(self) -> None:
        """Look every few minutes, until cancelled."""
        pause_s = self._random.uniform(0, FIRST_S)
        while True:
            await self._clock.sleep(pause_s)
            pause_s = (await self.look()) * self._random.uniform(1 - JITTER, 1 + JITTER)

    async def look(self) -> float:
        """Ask the cloud, and obey what is new; gives the seconds until the next look. Raises nothing."""
        async with self._turn:
            line, identity = self._line(), self._identity()
            if line is None or identity is None:
                return PAUSE_S
            try:
                policy = await line.policy()
            except CloudRefused as error:
                known = error.code == "no_policy" or error.status != NOT_FOUND
                return PAUSE_S if known else UNKNOWN_PAUSE_S
            except SyncError as error:
                log.info("no policy could be fetched: %s", error)
                return PAUSE_S
            await self._obey(policy, identity, line.cloud_key or identity.cloud_key)
            return PAUSE_S

    async def _obey(self, policy: Policy, identity: Identity, cloud_key: str) -> None:
        local = self._reloader.start.local
        now = self._reloader.policy
        if now is not None and (now.version, now.text) == (policy.version, policy.text):
            return
        if policy.version == self.refused and local is self._refused_local:
            return
        if not await asyncio.to_thread(is_signed, policy, identity.till, cloud_key):
            log.error("a policy came that is not signed by the cloud for this till; it is not obeyed")
            return
        try:
            await self._reloader.obey(
                PolicyText(policy.version, policy.text), lambda: keep_policy(self._state_dir, policy)
            )
        except ReloadRefusedError as error:
            self._refused_local = None if error.code == UNKEPT else local
        # The next look comes all the same, and with it a policy that may be a better one.
        except Exception as error:  # noqa: BLE001
            log_unexpected(log, "taking in a policy", error)

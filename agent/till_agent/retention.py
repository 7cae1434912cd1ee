"""What the agent lets go of by itself, once a day: old rows of the journal. Slips and reports have their own limits."""

import asyncio
import contextlib
import logging
from pathlib import Path
from typing import Protocol

from till_agent.audit_trail import note
from till_agent.core import Core
from till_agent.exceptions import JournalCorrupt, JournalUnavailable
from till_config.settings import Settings
from till_sync.ports import Clock

log = logging.getLogger(__name__)

AFTER_START_S = 3_600.0
"""Not in the first hour: a new version that is taken back within it leaves the journal as the former one knows it."""
PERIOD_S = 86_400.0


class Kept(Protocol):
    """The agent, as far as this looks at it."""

    clock: Clock
    settings: Settings

    @property
    def open_core(self) -> Core | None: ...


async def keep(agent: Kept) -> None:
    """For as long as the agent runs."""
    await agent.clock.sleep(AFTER_START_S)
    while True:
        core = agent.open_core
        if core is not None:
            # What is wrong with the journal is told by those who can't do without it.
            with contextlib.suppress(JournalUnavailable, JournalCorrupt):
                rows = await core.journal.prune(agent.settings.agent.keep_days)
                if rows:
                    await asyncio.to_thread(note, Path(agent.settings.agent.state_dir), "retention_applied", rows=rows)
                    log.info("old rows of the journal were let go of", extra={"row_count": rows})
        await agent.clock.sleep(PERIOD_S)

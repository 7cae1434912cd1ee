"""Tries the slip templates of each new programme out, beside the sales."""

import asyncio
import contextlib
import logging

from till_agent.ports import Cache
from till_agent.slips.templates import SlipTemplates

log = logging.getLogger(__name__)


class TemplateWatch:
    """One task on the loop at a time; the trying is done in a thread."""

    def __init__(self, templates: SlipTemplates, cache: Cache) -> None:
        self.templates = templates
        self._cache = cache
        self._seen: tuple[str, int] | None = None
        self._task: asyncio.Task[None] | None = None

    def look(self) -> None:
        """There may be a new programme. On the loop."""
        current = self._cache.programme()
        seen = (current.programme.id, current.programme.version) if current is not None else ("", 0)
        if seen == self._seen or (self._task is not None and not self._task.done()):
            return
        self._seen = seen
        self._task = asyncio.get_running_loop().create_task(self._check(), name="slip templates")

    async def stop(self) -> None:
        """End; a trial under way ends by itself in its thread."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _check(self) -> None:
        current = self._cache.programme()
        try:
            await asyncio.to_thread(self.templates.check, current.programme if current is not None else None)
        except Exception:  # Reason: a template is tried again when a slip is made, and sales go on whatever it is.
            log.exception("slip templates could not be tried out")

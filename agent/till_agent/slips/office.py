"""Slips on request: as blocks, text, picture or printer's bytes, and safe copies on paper."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeVar

from till_agent.api import SlipState
from till_agent.desk.problems import problem
from till_agent.ports import Entry
from till_agent.slips.compose import PACKAGED
from till_agent.slips.desk import SpoolSlipDesk
from till_agent.slips.making import made
from till_agent.slips.preview import preview_text
from till_agent.slips.templates import SlipTemplates
from till_drivers.blocks import Block
from till_drivers.printers.profile import PROFILE_58MM, PROFILE_80MM, Profile

T = TypeVar("T")

NARROWEST_80MM_COLUMNS = 42
"""Fewer letters than that on a line are 58 mm paper."""


class EntrySource(Protocol):
    """The desk's look-up; raises DeskProblem `sale_unknown`."""

    def __call__(self, kind: str, uid: str) -> Awaitable[Entry]: ...


class SlipOffice:
    """What the bridge asks about slips. Raises DeskProblem `sale_unknown` and `no_printer`.

    What is slow (drawing letters, making pictures) is done in a thread.
    """

    def __init__(
        self,
        entries: EntrySource,
        desk: SpoolSlipDesk,
        *,
        store_name: str,
        time_zone: str,
        templates: SlipTemplates = PACKAGED,
    ) -> None:
        self._entries = entries
        self._desk = desk
        self._store_name = store_name
        self._time_zone = time_zone
        self._templates = templates

    async def blocks(
        self,
        uid: str,
        *,
        language: str,
        columns: int | None,  # noqa: ARG002 - all forms of a slip are asked for alike
        kind: str = "sale",
    ) -> tuple[Block, ...]:
        """The slip of a document, before any printer is known."""
        return await self._made(uid, language, kind, tuple)

    async def text(self, uid: str, *, language: str, columns: int | None, kind: str = "sale") -> str:
        """Lines of at most `columns` letters; None: as many as the printer has."""
        width = columns or self._profile(None).columns
        return await self._made(uid, language, kind, lambda blocks: preview_text(blocks, width))

    async def png(self, uid: str, *, language: str, columns: int | None, kind: str = "sale") -> bytes:
        """A picture of the slip, one pixel a dot."""
        from till_drivers.preview import to_png

        profile = self._profile(columns)
        return await self._made(uid, language, kind, lambda blocks: to_png(blocks, profile))

    async def escpos(self, uid: str, *, language: str, columns: int | None, kind: str = "sale") -> bytes:
        """The bytes that print the slip."""
        from till_drivers.printers.render import render

        profile = self._profile(columns)
        return await self._made(uid, language, kind, lambda blocks: render(blocks, profile))

    async def print_copy(self, uid: str, *, language: str, kind: str = "sale") -> SlipState:
        """Print the slip again with a copy mark, however often it was printed before."""
        if self._desk.printer is None:
            raise problem("no_printer", "expected a printer in the settings")
        entry = await self._entries(kind, uid)
        return self._desk.enqueue(entry, language=language, copy=True)

    async def _made(self, uid: str, language: str, kind: str, make: Callable[[Sequence[Block]], T]) -> T:
        entry = await self._entries(kind, uid)
        words = self._desk.words_for(entry, language)

        def work() -> T:
            return made(
                entry,
                words,
                make,
                store_name=self._store_name,
                time_zone=self._time_zone,
                templates=self._templates,
            )

        return await asyncio.to_thread(work)

    def _profile(self, columns: int | None) -> Profile:
        """The printer's own, unless another width is wanted than it has."""
        own = self._desk.printer.profile if self._desk.printer is not None else None
        if own is not None and columns in (None, own.columns):
            return own
        if columns is None:
            return PROFILE_80MM
        return PROFILE_80MM if columns >= NARROWEST_80MM_COLUMNS else PROFILE_58MM

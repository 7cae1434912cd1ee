"""Slips of committed documents, handed to the print spool. A sale never waits for its slip, nor fails by it."""

import logging
import secrets
from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from till_agent.api import SlipState
from till_agent.ports import Cache, Entry
from till_agent.slips.compose import PACKAGED, has_member, programme_of
from till_agent.slips.making import made
from till_agent.slips.templates import SlipTemplates
from till_agent.texts import Words
from till_drivers.drawing import Draw, drawing_for
from till_drivers.printers.profile import Profile
from till_drivers.spool import Spool

log = logging.getLogger(__name__)

COPY_ID_BYTES = 6
"""Tells copies of one slip apart."""
NO_SLIP = SlipState(state="none")


class SlipPrinter(Struct, frozen=True, kw_only=True):
    """Where slips go: the printer's name in the spool and what it can do; without a `driver` it takes ESC/POS."""

    name: str
    profile: Profile
    driver: object = None

    def drawing(self, *, drawer: bool) -> Draw:
        """How blocks become what its driver takes. A slip that no money goes with leaves the cash drawer closed."""
        profile = self.profile if drawer else replace(self.profile, drawer=False)
        return drawing_for(self.driver, profile)


class SpoolSlipDesk:
    """Implements `till_agent.ports.SlipDesk`. Used on the loop; slips are composed and drawn in the spool's thread.

    The first slip of a document has the document's name as its job, so that it can be enqueued any number of times and
    is printed once. A copy is a new job with a copy mark, made only on request.
    """

    def __init__(
        self,
        spool: Spool,
        printer: SlipPrinter | None,
        cache: Cache,
        *,
        store_name: str,
        time_zone: str,
        templates: SlipTemplates = PACKAGED,
    ) -> None:
        self._spool = spool
        self._printer = printer
        self._cache = cache
        self._store_name = store_name
        self._time_zone = time_zone
        self._templates = templates

    @property
    def printer(self) -> SlipPrinter | None:
        """Where slips go; None when nothing is to be printed."""
        return self._printer

    def use(self, printer: SlipPrinter | None) -> None:
        """Slips go there from now on; those that wait go where they were to go."""
        self._printer = printer

    def words_for(self, entry: Entry, language: str) -> Words:
        """Words with the points of the programme that `entry` was worked out by, as far as it is known."""
        current = self._cache.programme()
        programme = self._cache.programme_version(*programme_of(entry)) or (current.programme if current else None)
        return Words(language, programme)

    def enqueue(self, entry: Entry, *, language: str, copy: bool = False) -> SlipState:
        """Hand a slip to the spool; at once, whatever state the printer is in. A sale with no member has none."""
        if self._printer is None or not has_member(entry):
            return NO_SLIP
        name = _name(entry.kind, entry.uid)
        done = self._spool.enqueue(
            job_id=f"{name}:{secrets.token_hex(COPY_ID_BYTES)}" if copy else name,
            printer=self._printer.name,
            reference=name,
            data=partial(self._draw, entry, self.words_for(entry, language), self._printer, copy=copy),
            copy=copy,
        )
        if not done.accepted:
            log.warning("a slip will not be printed: the print queue is %s", done.reason)
        return SlipState(state=done.state.value, printer=self._printer.name)

    def state(self, kind: str, uid: str) -> SlipState:
        """Of the newest slip of that document, copies included."""
        job = self._spool.newest(_name(kind, uid))
        return NO_SLIP if job is None else SlipState(state=job.state.value, printer=job.printer)

    def _draw(self, entry: Entry, words: Words, printer: SlipPrinter, *, copy: bool) -> bytes:
        """In the spool's thread."""
        return made(
            entry,
            words,
            printer.drawing(drawer=not copy),
            store_name=self._store_name,
            time_zone=self._time_zone,
            copy=copy,
            templates=self._templates,
        )


def _name(kind: str, uid: str) -> str:
    return f"{kind}:{uid}"

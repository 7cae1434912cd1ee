"""Slips for Frontol to print: it has the printer, so the agent prints none of its own for what Frontol sold."""

import logging

from till_agent.exceptions import AgentError
from till_agent.frontol.answers import Body
from till_agent.frontol.counter import Counter
from till_agent.ports import Entry
from till_agent.slips.compose import has_member, member_language
from till_agent.texts import supported
from till_drivers.exceptions import DriverError

log = logging.getLogger(__name__)


async def slips_of(counter: Counter, entry: Entry) -> list[list[Body]]:
    """`printingInformation` of a committed document, in the member's language; none for nobody's.

    A slip that can't be made is no reason to stop a receipt.
    """
    if not counter.prints or not has_member(entry):
        return []
    from till_drivers.slips.frontol import to_frontol

    language = supported(member_language(entry), counter.agent.language)
    try:
        blocks = await counter.agent.core.slips.blocks(entry.uid, language=language, columns=None, kind=entry.kind)
        return to_frontol(blocks)
    except (AgentError, DriverError) as exc:
        log.warning("no slip for Frontol: %s", exc, extra={"uid": entry.uid})
        return []

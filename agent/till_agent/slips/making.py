"""A document's slip in whatever form it is wanted: what can't be printed of it costs its code, not the slip.

What a template makes was tried out on samples. A receipt of the day may still have a number that no barcode holds, a
uid that makes a QR code too large for this paper, or more lines than a slip may have.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from till_agent.ports import Entry
from till_agent.slips.compose import compose_entry
from till_agent.slips.templates import PACKAGED_ONLY, SlipTemplates
from till_agent.texts import Words
from till_drivers.blocks import Barcode, Block, QrCode, Text
from till_drivers.exceptions import RenderError

T = TypeVar("T")


def made(
    entry: Entry,
    words: Words,
    make: Callable[[Sequence[Block]], T],
    *,
    store_name: str,
    time_zone: str,
    templates: SlipTemplates,
    copy: bool = False,
) -> T:
    """What `make` makes of the slip; where it can't, of the slip with the text of its codes in their place; where it
    can't do that either, of the packaged slip without codes. RenderError when nothing helps: a broken font, say.
    """
    composed = partial(compose_entry, entry, words, store_name=store_name, time_zone=time_zone, copy=copy)
    return plain_enough(lambda wanted: composed(templates=wanted), make, words=words, templates=templates)


def plain_enough(
    compose: Callable[[SlipTemplates], Sequence[Block]],
    make: Callable[[Sequence[Block]], T],
    *,
    words: Words,
    templates: SlipTemplates,
) -> T:
    """The same of whatever `compose` composes by the templates that it is given."""
    blocks = compose(templates)
    try:
        return make(blocks)
    except RenderError as exc:
        templates.unprintable(words, str(exc))
    try:
        return make(_without_codes(blocks))
    except RenderError:
        return make(_without_codes(compose(PACKAGED_ONLY)))


def _without_codes(blocks: Sequence[Block]) -> list[Block]:
    return [Text(text=block.data, align="center") if isinstance(block, QrCode | Barcode) else block for block in blocks]

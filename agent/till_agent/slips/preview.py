"""Slips as plain text, for cash software that shows or prints them itself."""

from collections.abc import Iterable

from till_drivers.blocks import Block


def preview_text(blocks: Iterable[Block], columns: int) -> str:
    """The blocks as lines of at most `columns` letters."""
    from till_drivers.printers.text import to_text

    return to_text(blocks, columns)

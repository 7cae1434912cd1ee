"""Slips as plain text, for cash software that shows or prints them itself."""

import re
from collections.abc import Sequence

from till_drivers.blocks import Block, Break, Cut, Image, Pair, Rule, Text
from till_drivers.printers.text import to_text

MOST_BLOCKS, MOST_LINES, MOST_PICTURES = 100, 400, 20
"""Of a slip that is laid out here: what the layout takes in any case, double lines counted twice. The rest is its to
refuse."""
_PLAIN = re.compile("[ -~\u00a0-\u00ac\u00ae-\u02ff\u0400-\u0482\u048a-\u052f\u2010-\u2027\u20a0-\u20bf]*")
"""Letters that the layout leaves as they are, one column each (`till_drivers.printers.text`)."""


def preview_text(blocks: Sequence[Block], columns: int) -> str:
    """The blocks as lines of at most `columns` letters. RenderError as `till_drivers.printers.text.to_text`."""
    lines = _lines(blocks, columns) if len(blocks) <= MOST_BLOCKS else None
    if lines is None:
        return to_text(blocks, columns)
    return "".join([line.replace("\u00a0", " ").rstrip() + "\n" for line in lines])


def _lines(blocks: Sequence[Block], columns: int) -> list[str] | None:
    """Lines of plain letters that fit are put down as they are; any other block is laid out by itself. None when there
    are too many.

    A cashier waits for each preview, and nearly all lines are such ones: what the layout works out for the other ones
    took half as long as the rules.
    """
    lines: list[str] = []
    pictures = 0
    for block in blocks:
        line: str | None = None
        kind = type(block)
        if kind is Pair:
            line = _pair(block, columns)  # type: ignore[arg-type]  # it is one
        elif kind is Text:
            line = _text(block, columns)  # type: ignore[arg-type]  # it is one
        elif kind is Rule and block.symbol == "-":  # type: ignore[union-attr]  # it has one
            line = "-" * columns
        elif kind is Cut or kind is Break:
            line = ""
        elif kind is not Rule:
            pictures += 1
        if line is not None:
            lines.append(line)
        elif kind is not Image:
            lines += to_text((block,), columns).split("\n")[:-1]
        if len(lines) > MOST_LINES or pictures > MOST_PICTURES:
            return None
    return lines


def _text(block: Text, columns: int) -> str | None:
    text = block.text
    if block.double or len(text) > columns or "  " in text or not _PLAIN.fullmatch(text):
        return None
    text = text.strip(" ")
    if block.align == "left":
        return text
    gap = columns - len(text)
    return " " * (gap if block.align == "right" else gap // 2) + text


def _pair(block: Pair, columns: int) -> str | None:
    left, right = block.left, block.right
    if block.separator != " " or len(left) + len(right) >= columns or "  " in left:
        return None
    if not _PLAIN.fullmatch(left) or not _PLAIN.fullmatch(right):
        return None
    left, right = left.strip(" "), right.strip(" ")
    if not right:
        return left
    return left + " " * (columns - len(left) - len(right)) + right

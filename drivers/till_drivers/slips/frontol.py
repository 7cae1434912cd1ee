"""Slips as Frontol takes them (`printingInformation` of its Priority API): a list of slips, each a list of blocks.

Its blocks are text, pair, line, br, barcode and qrcode. It prints them by its own driver, at the width that its printer
has: there is no picture, no bold, no place in the middle. What a cut parts is another slip.
"""

from collections.abc import Iterable
from typing import Any

from till_drivers.blocks import Barcode, Block, Break, Cut, Pair, QrCode, Rule, Text

FrontolSlip = list[dict[str, Any]]


def to_frontol(blocks: Iterable[Block]) -> list[FrontolSlip]:
    """The slips, none of them empty. Texts are cleaned once more: nobody knows what Frontol does with control codes."""
    slips: list[FrontolSlip] = [[]]
    for block in blocks:
        if isinstance(block, Cut):
            slips.append([])
        else:
            slips[-1] += _blocks(block)
    return [slip for slip in slips if slip]


def _blocks(block: Block) -> FrontolSlip:
    from till_drivers.printers.text import clean

    match block:
        case Text():
            return [{"type": "text", "text": _spaced(line)} for line in clean(block.text, keep_breaks=True).split("\n")]
        case Pair():
            separator = clean(block.separator)[:1] or " "
            pair = {"left": _spaced(clean(block.left)), "right": _spaced(clean(block.right)), "separator": separator}
            return [{"type": "pair", **pair}]
        case Rule():
            return [{"type": "line", "symbol": clean(block.symbol)[:1] or "-"}]
        case Break():
            return [{"type": "br"}]
        case Barcode():
            return [{"type": "barcode", "data": clean(block.data), "printText": block.print_text}]
        case QrCode():
            return [{"type": "qrcode", "data": clean(block.data), "correction": block.correction}]
        case _:
            return []


def _spaced(text: str) -> str:
    """No-break spaces are no letters of the code pages that fiscal printers have."""
    return text.replace("\u00a0", " ")

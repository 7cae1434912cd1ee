"""Slips as Frontol takes them, and how the bridge gives them."""

import msgspec

from till_drivers.blocks import Barcode, Break, Cut, Image, Pair, QrCode, Rule, Text
from till_drivers.slips.frontol import to_frontol
from till_drivers.slips.samples import SITUATIONS, sample_facts
from till_drivers.slips.template import default_template
from till_drivers.slips.words import LANGUAGES, SlipWords

KEYS = {
    "text": {"type", "text"},
    "pair": {"type", "left", "right", "separator"},
    "line": {"type", "symbol"},
    "br": {"type"},
    "barcode": {"type", "data", "printText"},
    "qrcode": {"type", "data", "correction"},
}


def test_each_block_is_its_block_and_a_cut_begins_a_slip() -> None:
    """Pictures are left out: Frontol has none."""
    blocks = (
        Text(text="a", align="center", bold=True, double=True),
        Text(text="b\u00a0c\nd"),
        Pair(left="l", right="5\u00a0r", separator="."),
        Rule(symbol="="),
        Break(),
        Image(),
        Cut(),
        Barcode(data="2900000000018", symbology="ean13", print_text=False),
        QrCode(data="q", correction="H"),
        Cut(),
        Cut(),
    )
    assert to_frontol(blocks) == [
        [
            {"type": "text", "text": "a"},
            {"type": "text", "text": "b c"},
            {"type": "text", "text": "d"},
            {"type": "pair", "left": "l", "right": "5 r", "separator": "."},
            {"type": "line", "symbol": "="},
            {"type": "br"},
        ],
        [
            {"type": "barcode", "data": "2900000000018", "printText": False},
            {"type": "qrcode", "data": "q", "correction": "H"},
        ],
    ]
    assert to_frontol([Cut(), Image(), Cut()]) == []


def test_every_packaged_slip_is_of_frontols_blocks_only() -> None:
    """In each language and situation, one slip each."""
    for language in LANGUAGES:
        words = SlipWords(language)
        for situation in SITUATIONS:
            slips = to_frontol(default_template().blocks(sample_facts("sale", words, situation), words))
            assert len(slips) == 1
            assert all(block.keys() == KEYS[block["type"]] for block in slips[0])
            assert msgspec.json.encode(slips)


def test_nothing_that_steers_gets_through() -> None:
    """Blocks that were made elsewhere are cleaned here too."""
    evil = "a\x1bp\x00b\u202ec\x7f"
    blocks = [Text(text=evil), Pair(left=evil, right=evil, separator="\x1b"), Rule(symbol="\x1b")]
    (slip,) = to_frontol([*blocks, QrCode(data=evil), Barcode(data=evil)])
    said = [value for block in slip for name, value in block.items() if isinstance(value, str) and name != "type"]
    assert "apbc" in said
    assert all(letter.isprintable() for value in said for letter in value)

"""Nobody steers a printer, a terminal or cash software through what a slip says.

Each field that comes from somebody else holds printer commands, one after another: what is printed is then, byte for
byte, what the same letters without their control codes print, and the printer is told nothing that it is not always.
"""

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from fakes.till import ANNA_CARD, IDENTITY, PROGRAMME, FakeTill, anna, receipt
from till_agent.api import DiscountTaken, Identify, SaleRequest
from till_agent.slips.compose import compose_entry
from till_agent.texts import Words
from till_drivers.blocks import Block
from till_drivers.printers.profile import PROFILE_58MM, PROFILE_80MM, Profile
from till_drivers.printers.render import render
from till_drivers.printers.text import to_text
from till_drivers.simulators.escpos_elements import Bars, CutPaper, Feed, Qr, Raster, Reset, TextRun
from till_drivers.simulators.escpos_interpreter import Interpreter
from till_drivers.slips.facts import KINDS, Later, Offer, Row, SlipFacts
from till_drivers.slips.frontol import to_frontol
from till_drivers.slips.samples import sample_facts
from till_drivers.slips.template import SlipTemplate, clean, default_template
from till_drivers.slips.words import SlipWords
from till_loyalty.programme import Rule, Tier
from till_loyalty.rule_parts import Coupon, Discount, Who
from till_loyalty.slips import Slips, Template

COMMANDS = {
    "opens the drawer": "\x1bp\x00\x19\xfa",
    "opens the drawer at once": "\x10\x14\x01\x00\x01",
    "resets": "\x1b@",
    "changes the code page": "\x1bt\x10",
    "turns Chinese on": "\x1c&",
    "cuts": "\x1dV\x00",
    "feeds a metre": "\x1bd\xff\x1bJ\xff",
    "prints a picture without end": "\x1dv0\x00\xff\xff\xff\xff",
    "defines letters": "\x1b&\x03\x20\x7e",
    "loads a program": "\x1d(A\x02\x00\x00\x02",
    "asks": "\x10\x04\x01\x1dr\x01\x1dI\x01",
    "a page mode": "\x1bL\x0c\x18",
    "a terminal's": "\x1b[2J\x1b]0;x\x07",
    "C1 codes": "\x9b2J\x9d0;x\x9c\x85",
    "directions": "\u202ecba\u202c\u2066x\u2069\u200f\u200b\ufeff",
    "lines": "a\r\nb\rc\x0bd\x0ce\u2028f\u2029g",
    "nothing else": "\x00\x01\x02\x1b",
    "half a letter": "\ud83dx\udc00",
    "blocks": '"}\n{"type":"cut"}\n\x020\n',
    "template": "{{ cut() }}{% for a in b %}",
    "deleted": "a\x7fb\x08c\x00d",
}
ALL = "".join(text for name, text in COMMANDS.items() if name != "half a letter")
"""Half a letter is in no document: neither TOML nor JSON in UTF-8 holds one."""
TEXTS = tuple(
    name
    for name in SlipFacts.__struct_fields__
    if isinstance(getattr(sample_facts("sale", SlipWords("ru"), "offers"), name), str)
    and name not in ("kind", "status")
)
EVERYTHING = SlipTemplate(
    "\n".join(
        [
            *(f"{{{{ text(slip.{name}, align='center') }}}}" for name in TEXTS),
            *(f"{{{{ pair(slip.{name}, slip.{name}, separator=slip.{name}, bold=true) }}}}" for name in TEXTS),
            '{{ rule(slip.name) }}\n{"type":"text","text":"{{ slip.store }}","double":true}',
            "{{ qrcode(slip.number ~ '.') }}\n{{ text(slip.name | upper) }}\n{{ text(slip.name ~ slip.number) }}",
        ]
    ),
    "everything",
)
"""Prints each text that a template knows, in every way there is."""


def hostile(facts: SlipFacts, evil: str) -> SlipFacts:
    """Every text at once, in rows too."""
    rows = {
        "discounts": (Row(evil, 1),),
        "earned_by": (Row(evil, 1), Row(evil, 2)),
        "later": (Later(evil, 3),),
        "offers": (Offer(evil, evil),),
        "coupons": (evil, evil),
    }
    return replace(facts, **dict.fromkeys(TEXTS, evil), **rows)


def told(data: bytes) -> list[object]:
    interpreter = Interpreter()
    return [*interpreter.feed(data), *interpreter.finish()]


def harmless(blocks: list[Block], profile: Profile) -> None:
    """AssertionError when the printer is told anything but letters, dots, codes, feeds and cuts."""
    elements = told(render(blocks, profile))
    assert {type(each) for each in elements} <= {TextRun, Feed, Raster, Qr, Bars, CutPaper, Reset}
    assert sum(isinstance(each, Reset) for each in elements) == 1
    assert isinstance(elements[0], Reset)
    cuts = sum(type(block).__name__ == "Cut" for block in blocks)
    assert sum(isinstance(each, CutPaper) for each in elements) == cuts
    for text in (to_text(blocks, profile.columns), msgspec.json.encode(to_frontol(blocks)).decode()):
        assert all(letter.isprintable() or letter in "\n\u00a0" for letter in text)
    for block in blocks:
        for name in block.__struct_fields__:
            value = getattr(block, name)
            assert not isinstance(value, str) or value == clean(value)


@pytest.mark.parametrize("profile", [PROFILE_58MM, PROFILE_80MM], ids=["58", "80"])
@pytest.mark.parametrize("name", COMMANDS)
def test_no_field_tells_the_printer_anything(name: str, profile: Profile) -> None:
    """All fields at once, through the packaged template and one that prints everything; kinds and a copy."""
    evil = COMMANDS[name]
    for language, kind in zip(("ru", "kk", "uk", "en"), KINDS, strict=True):
        words = SlipWords(language)
        facts = replace(sample_facts(kind, words, "offers"), copy=kind == "sale")
        for template in (default_template(), EVERYTHING):
            blocks = template.blocks(hostile(facts, evil), words)
            harmless(blocks, profile)
            letters = template.blocks(hostile(facts, clean(evil)), words)
            assert render(blocks, profile) == render(letters, profile)


@settings(max_examples=60, deadline=None)
@example(evil="\u00a0", name="number")
@given(st.text(st.characters(), max_size=40), st.sampled_from(sorted(TEXTS)))
def test_no_text_at_all_does(evil: str, name: str) -> None:
    """Any letters, in any one field."""
    words = SlipWords("ru")
    facts = replace(sample_facts("sale", words), **{name: evil})
    for template in (default_template(), EVERYTHING):
        harmless(template.blocks(facts, words), PROFILE_58MM)


@pytest.mark.parametrize(
    "source",
    [
        '{{ text("\\x1bp\\x00") }}',
        '{"type":"text","text":"\\u001bp\\u0000\\u0019"}',
        '{"type":"pair","left":"\\u001b@","right":"\\u0010\\u0014\\u0001","separator":"\\u001b"}',
        '{"type":"line","symbol":"\\u001b"}',
        '{"type":"qrcode","data":"\\u001b@x"}',
        '{"type":"barcode","data":"\\u001b@x"}',
        '{{ qrcode("\\x1bpx") }}',
        '{{ barcode("\\x1dVx") }}',
        '{"type":"image","name":"\\u001b@"}',
        "{{ text('a') }}\x1bp\x00",
        "\x1b@{{ text('a') }}",
    ],
)
def test_the_template_itself_does_not(source: str) -> None:
    """Neither by a function, nor by a block written by hand, nor beside them."""
    from till_drivers.exceptions import SlipTemplateError

    words = SlipWords("ru")
    try:
        blocks = SlipTemplate(source).blocks(sample_facts("sale", words), words)
    except SlipTemplateError:
        return
    harmless(blocks, PROFILE_58MM)


def test_a_hostile_programme_store_cash_software_and_member_print_as_plain_text() -> None:
    """All of them at once, through a sale and its journal, as a till does it."""
    rules = replace(
        PROGRAMME,
        points_name={"ru": {"one": ALL, "few": ALL, "many": ALL}},
        tiers=(Tier(id="standard", title={"ru": ALL}),),
        rules=(
            Rule(id="base", percent_basis_points=500, title={"ru": ALL}),
            Rule(id="gift", points=25, title={"ru": ALL}),
            Rule(
                id="milk",
                discount=Discount(percent_basis_points=1_000),
                who=Who(coupon="milk"),
                title={"ru": ALL},
            ),
        ),
        coupons=(Coupon(id="milk", codes=("MILK10",), title={"ru": ALL}),),
        slips=Slips(
            note={"ru": ALL},
            qr="https://example.test/{number}?{uid}",
            templates=(Template(template=default_template()._source + "\n{{ text(slip.qr) }}", kinds=("sale",)),),
        ),
    )
    till = FakeTill(programme=rules).know(anna(name_masked=ALL, card_masked=ALL, phone_masked=ALL))
    taken = DiscountTaken(rule="milk", line=1, amount_minor=10_000)
    request = SaleRequest(
        receipt=receipt(100_000, 23_450),
        member=Identify(card=ANNA_CARD),
        codes=("MILK10",),
        discounts=(taken,),
        number="\x1bp\x00\x1b@118",
        cashier=ALL[:64],
    )
    till.run(till.desk.sell("u1", request))
    blocks = compose_entry(
        till.journal.entries[0], Words("ru", rules), store_name=ALL, time_zone=IDENTITY.time_zone, copy=True
    )
    for profile in (PROFILE_58MM, PROFILE_80MM):
        harmless(blocks, profile)
    said = to_text(blocks, 48)
    assert "p@118" in said
    assert "https://example.test/%1Bp%00%1B%40118?u1" in said.replace("\n", "")

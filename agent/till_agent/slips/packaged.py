"""The packaged template without the sandbox: the same slip in a third of the time, for the preview of each quote.

The sandbox keeps Python, the processor and the memory from a template that somebody else wrote. The packaged one came
with this code and can't be written to by whoever can't write here anyway; what is let go of is only the asking at each
step of it. Nothing that a template does not itself write can become a block either way: values reach the blocks through
the functions here, which clean them as those of `till_drivers.slips.template` do, and are parts of no program.

There is one template, compiled a second time: each thing that it prints is a block, so the calls are made and nothing
is printed. Whatever is unusual (texts that have to be cleaned before they are looked at, a failure, a slip as long as a
catalogue) is left to the sandbox, whose word counts.
"""

from functools import cache
from importlib.resources import files
from typing import Any

from till_drivers.blocks import Barcode, Block, Break, Cut, Image, Pair, QrCode, Rule, Text
from till_drivers.slips.facts import SlipFacts
from till_drivers.slips.template import clean, default_template
from till_drivers.slips.words import SlipWords

MOST_BLOCKS = 100
"""A slip has some twenty. More are counted by the sandbox."""
_TEXTS = tuple([field for field, kind in SlipFacts.__annotations__.items() if kind is str])
_ROWS = ("discounts", "earned_by", "later", "offers")


def packaged_blocks(facts: SlipFacts, words: SlipWords) -> list[Block]:
    """What `default_template().blocks` makes. SlipTemplateError as from there."""
    if _is_tidy(facts):
        made = _Made()
        values = made.functions()
        values.update(slip=facts, say=words.slip, points=words.points, number=words.number, money=words.money)
        try:
            template = _compiled()
            for _ in template.root_render_func(template.new_context(values)):
                pass
        # Whatever it is, the sandbox has its own word for it, or none of the trouble.
        except Exception:  # noqa: BLE001
            made.blocks.clear()
        if 0 < len(made.blocks) <= MOST_BLOCKS:
            return made.blocks
    return default_template().blocks(facts, words)


def prepare() -> None:
    """Compile both; takes as long as to import Jinja2, so not on the loop."""
    default_template().compile()
    _compiled()


def _is_tidy(facts: SlipFacts) -> bool:
    """Whether all texts are as they would be cleaned, so that it makes no difference when that is done."""
    for name in _TEXTS:
        text = getattr(facts, name)
        if text and clean(text) != text:
            return False
    for name in _ROWS:
        for row in getattr(facts, name):
            for text in (getattr(row, each) for each in row.__struct_fields__):
                if type(text) is str and clean(text) != text:
                    return False
    return all(clean(each) == each for each in facts.coupons)


class _Made:
    """Blocks in the order in which the template makes them; see `till_drivers.slips.template` for what each takes."""

    __slots__ = ("blocks",)

    def __init__(self) -> None:
        self.blocks: list[Block] = []

    def functions(self) -> dict[str, Any]:
        return {
            "text": self.text,
            "pair": self.pair,
            "rule": self.rule,
            "image": self.image,
            "br": self.br,
            "qrcode": self.qrcode,
            "barcode": self.barcode,
            "cut": self.cut,
        }

    def text(self, text: object, *, align: Any = "left", bold: bool = False, double: bool = False) -> None:
        self.blocks.append(Text(text=clean(text), align=align, bold=bold, double=double))

    def pair(self, left: object, right: object, *, separator: object = " ", bold: bool = False) -> None:
        self.blocks.append(Pair(left=clean(left), right=clean(right), separator=clean(separator), bold=bold))

    def rule(self, symbol: object = "-") -> None:
        self.blocks.append(Rule(symbol=clean(symbol)[:1] or "-"))

    def br(self) -> None:
        self.blocks.append(Break())

    def image(self, name: str = "logo") -> None:
        self.blocks.append(Image(name=name))

    def qrcode(self, data: object, *, correction: Any = "M") -> None:
        said = clean(data)
        if said:
            self.blocks.append(QrCode(data=said, correction=correction))

    def barcode(self, data: object, *, symbology: Any = "code128", print_text: bool = True) -> None:
        said = clean(data)
        if said:
            self.blocks.append(Barcode(data=said, symbology=symbology, print_text=print_text))

    def cut(self) -> None:
        self.blocks.append(Cut())


@cache
def _compiled() -> Any:
    from till_agent.slips.straight import compile_straight

    path = files("till_drivers") / "slips" / "data" / "default.slip"
    return compile_straight(path.read_text(encoding="utf-8"), "default.slip", frozenset(_Made().functions()))

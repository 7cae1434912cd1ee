"""Slip templates: sandboxed Jinja2 that yields one JSON block a line, and nothing else.

Blocks are made by functions that clean what they are given, and every other value that a template prints is escaped
for JSON: no name or number can add a block, change one, or reach the printer as a command.
"""

import re
import threading
from collections.abc import Callable, Iterable
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from till_drivers.blocks import Barcode, Block, Break, Cut, Image, Pair, QrCode, Rule, Text
from till_drivers.exceptions import SlipTemplateError
from till_drivers.slips.steps import PRINTED_LIMIT, STEPS, VALUE_LIMIT, Steps, clean
from till_drivers.slips.words import SlipWords
from till_loyalty.slips import TEMPLATE_LIMIT_BYTES

__all__ = [
    "BLOCK_LIMIT",
    "TEMPLATE_LIMIT_BYTES",
    "VALUE_LIMIT",
    "SlipTemplate",
    "clean",
    "default_template",
    "load_template",
]
BLOCK_LIMIT = 500
"""More than a metre of paper: a template that loops over something it should not."""
SAID_LIMIT = 400
"""Letters of an error that are told."""
MARK = "\x02"
"""Begins the mark of a block. No value that a template prints has it: control codes are taken out of all of them."""
MADE_LIMIT = 10 * BLOCK_LIMIT
"""Blocks that a template may make, printed or not."""
_MARKED = re.compile(MARK + r"[0-9]{1,9}")
_IMAGE_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Block)


class _Made(str):
    """The mark of a block that was made: goes out as it is."""

    __slots__ = ()


def _escaped(value: object) -> str:
    """What a template prints besides blocks, made harmless within a JSON string."""
    return value if isinstance(value, _Made) else _encoder.encode(clean(value)).decode()[1:-1]


def _cleaned(block: Block) -> Block:
    """A block that a template wrote by hand, its texts as clean as those of blocks that are made."""
    texts = {name: clean(value) for name in block.__struct_fields__ if isinstance(value := getattr(block, name), str)}
    return msgspec.structs.replace(block, **texts)


class _Press:
    """The functions of one slip. Each makes a block, keeps it, and prints its mark: a slip's preview is made for every
    quote, and writing blocks out as JSON to read them back took a third of it."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []

    def functions(self) -> dict[str, Callable[..., _Made]]:
        """By the names that templates call them."""
        return {
            "text": self.text,
            "pair": self.pair,
            "rule": self.rule,
            "br": self.br,
            "image": self.image,
            "qrcode": self.qrcode,
            "barcode": self.barcode,
            "cut": self.cut,
        }

    def made(self, line: str) -> Block:
        """The block whose mark is all of a line; what a template wrote out itself is read as JSON. DecodeError."""
        if _MARKED.fullmatch(line) and int(line[1:]) < len(self.blocks):
            return self.blocks[int(line[1:])]
        return _cleaned(_decoder.decode(line))

    def text(self, text: object, *, align: str = "left", bold: bool = False, double: bool = False) -> _Made:
        if align == "left" and bold is False and double is False:
            return self._keep(Text(text=clean(text)))
        fields = {"type": "text", "text": clean(text), "align": align, "bold": bold, "double": double}
        return self._keep(msgspec.convert(fields, Text))

    def pair(self, left: object, right: object, *, separator: str = " ", bold: bool = False) -> _Made:
        return self._keep(Pair(left=clean(left), right=clean(right), separator=clean(separator), bold=bool(bold)))

    def rule(self, symbol: object = "-") -> _Made:
        return self._keep(Rule(symbol=clean(symbol)[:1] or "-"))

    def br(self) -> _Made:
        return self._keep(Break())

    def image(self, name: object = "logo") -> _Made:
        if not _IMAGE_NAME.fullmatch(str(name)):
            raise SlipTemplateError(
                f"expected the name of a picture in the printer's settings, not {clean(name)[:40]!r}"
            )
        return self._keep(Image(name=str(name)))

    def qrcode(self, data: object, *, correction: str = "M") -> _Made:
        said = clean(data)
        # A code of nothing can't be printed, and must not cost the slip that it stands on.
        made = msgspec.convert({"type": "qrcode", "data": said, "correction": correction}, QrCode)
        return self._keep(made) if said else _Made()

    def barcode(self, data: object, *, symbology: str = "code128", print_text: bool = True) -> _Made:
        fields = {"type": "barcode", "data": clean(data), "symbology": symbology, "print_text": print_text}
        made = msgspec.convert(fields, Barcode)
        return self._keep(made) if made.data else _Made()

    def cut(self) -> _Made:
        return self._keep(Cut())

    def _keep(self, block: Block) -> _Made:
        if len(self.blocks) > MADE_LIMIT:
            raise SlipTemplateError(f"expected at most {MADE_LIMIT} blocks")
        self.blocks.append(block)
        return _Made(f"{MARK}{len(self.blocks) - 1}")


class SlipTemplate:
    """A template, compiled when it is first used, because Jinja2 takes longer to import than the agent to start.

    Safe to use from several threads. What it can't do, nor take: `till_drivers.slips.sandbox`.
    """

    def __init__(self, source: str, name: str = "slip") -> None:
        if len(source.encode("utf-8", "replace")) > TEMPLATE_LIMIT_BYTES:
            size = len(source.encode("utf-8", "replace"))
            raise SlipTemplateError(f"{name}: expected a template of at most {TEMPLATE_LIMIT_BYTES} bytes, not {size}")
        self._source = source
        self.name = name
        self._turn = threading.Lock()
        self._compiled: Any = None

    def compile(self) -> Any:
        """The compiled template; SlipTemplateError when the source is none."""
        from jinja2 import TemplateSyntaxError

        from till_drivers.slips.sandbox import Sandbox, compile_template

        with self._turn:
            if self._compiled is not None:
                return self._compiled
            environment = Sandbox((_Press, SlipWords), _Made, _escaped)
            try:
                self._compiled = compile_template(environment, self._source, self.name)
            except SlipTemplateError:
                raise
            except TemplateSyntaxError as exc:
                raise SlipTemplateError(f"{self.name}: line {exc.lineno}: {_said(exc)}") from exc
            except Exception as exc:  # whatever a source makes of two compilers: nesting past their stacks, numbers
                raise SlipTemplateError(f"{self.name}: {type(exc).__name__}: {_said(exc)}") from exc
            return self._compiled

    def blocks(self, facts: Struct, words: SlipWords) -> list[Block]:
        """The slip for `facts` (the template's `slip`) in the language of `words`; SlipTemplateError when it fails."""
        blocks: list[Block] = []
        press = _Press()
        for line in self._lines(facts, words, press):
            try:
                blocks.append(press.made(line))
            except (msgspec.DecodeError, RecursionError) as exc:
                raise SlipTemplateError(
                    f"{self.name}: expected a block a line, not {clean(line[:80])!r}: {_said(exc)}"
                ) from exc
            if len(blocks) > BLOCK_LIMIT:
                raise SlipTemplateError(f"{self.name}: expected at most {BLOCK_LIMIT} blocks")
        return blocks

    def _lines(self, facts: Struct, words: SlipWords, press: _Press) -> list[str]:
        template = self._compiled or self.compile()
        values = {
            "slip": facts,
            "say": words.slip,
            "points": words.points,
            "number": words.number,
            "money": words.money,
            "language": words.language,
            STEPS: Steps(),
            **press.functions(),
        }
        try:
            printed = self._printed(template.generate(values))
        except Exception as exc:
            what = _said(exc) if isinstance(exc, SlipTemplateError) else f"{type(exc).__name__}: {_said(exc)}"
            raise SlipTemplateError(f"{self.name}:{_line_of(exc, self.name)} {what}") from exc
        # Not splitlines: it would cut a value at U+2028, which JSON leaves as it is.
        return [line for line in map(str.strip, printed.split("\n")) if line]

    def _printed(self, pieces: Iterable[str]) -> str:
        kept: list[str] = []
        left = PRINTED_LIMIT
        for piece in pieces:
            left -= len(piece)
            if left < 0:
                raise SlipTemplateError(f"expected at most {PRINTED_LIMIT} letters in all")
            kept.append(piece)
        return "".join(kept)


def _said(exc: Exception) -> str:
    """What went wrong, fit for logs and terminals: it may quote the template, control codes and all."""
    return clean(str(exc)[:SAID_LIMIT]).replace("\n", " ")


def _line_of(exc: Exception, name: str) -> str:
    """Where in the template it happened, as Jinja2 writes it into the traceback."""
    line, trace = 0, exc.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == name:
            line = trace.tb_lineno
        trace = trace.tb_next
    return f" line {line}:" if line else ""


@cache
def default_template() -> SlipTemplate:
    """The packaged template, compiled once."""
    path = files("till_drivers") / "slips" / "data" / "default.slip"
    return SlipTemplate(path.read_text(encoding="utf-8"), "default.slip")


def load_template(path: str) -> SlipTemplate | None:
    """The template in a file; None for "", which means another one. SlipTemplateError."""
    if not path:
        return None
    try:
        return SlipTemplate(Path(path).read_text(encoding="utf-8"), Path(path).name)
    except (OSError, UnicodeDecodeError) as exc:
        raise SlipTemplateError(f"expected a readable template at {path}: {exc}") from exc

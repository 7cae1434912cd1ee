"""What a programme says of its slips: templates by kind and language, a note, and what the QR code tells.

Shapes and sizes only: whether a template works is tried where slips are made (`till_drivers.slips.checking`).
"""

import re
from collections.abc import Iterator
from typing import Annotated, Literal
from urllib.parse import quote

from msgspec import Meta, Struct

TEMPLATE_LIMIT_BYTES = 64 * 1024
"""The packaged one has 5 KB; a template is not a place for pictures."""
TEMPLATES_LIMIT = 20
"""Four kinds of slips in five languages."""
QR_LIMIT = 300
"""Letters: what a printer draws on 58 mm paper in modules that a telephone still reads."""
NOTE_LIMIT = 500

SlipKind = Literal["sale", "return", "void", "quote"]
SlipLanguage = Literal["ru", "kk", "ky", "uk", "en"]
KINDS: tuple[SlipKind, ...] = ("sale", "return", "void", "quote")
LANGUAGES: tuple[SlipLanguage, ...] = ("ru", "kk", "ky", "uk", "en")
QR_VALUES = ("uid", "number", "kind", "language")
_HOLE = re.compile(r"\{([^{}]*)\}|[{}]")


class Template(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A template for slips of `kinds` in `languages`; none named: all. Of several that fit, the first is used."""

    template: Annotated[str, Meta(min_length=1, max_length=TEMPLATE_LIMIT_BYTES)]
    kinds: tuple[SlipKind, ...] = ()
    languages: tuple[SlipLanguage, ...] = ()


class Slips(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The chain's slips. `note`: a sentence of the chain's own below them, by language.

    `qr`: what a QR code on slips says, with `{uid}`, `{number}`, `{kind}` and `{language}` filled in as in the address
    of a web page; "" for none.
    """

    templates: Annotated[tuple[Template, ...], Meta(max_length=TEMPLATES_LIMIT)] = ()
    note: dict[str, str] = {}
    qr: Annotated[str, Meta(max_length=QR_LIMIT)] = ""


def fitting(slips: Slips, kind: str, language: str) -> int:
    """Place of the template for that kind and language; -1 for none."""
    for index, each in enumerate(slips.templates):
        if (not each.kinds or kind in each.kinds) and (not each.languages or language in each.languages):
            return index
    return -1


def qr_text(slips: Slips, **values: str) -> str:
    """`Slips.qr` with its values, percent-encoded."""
    return _HOLE.sub(lambda found: quote(values.get(found[1], ""), safe="") if found[1] else found[0], slips.qr)


def slip_problems(slips: Slips) -> Iterator[tuple[str, str]]:
    """Every fault of well-typed slips: place and sentence."""
    taken: dict[tuple[str, str], int] = {}
    for index, each in enumerate(slips.templates):
        place = f"slips.templates[{index}]"
        size = len(each.template.encode("utf-8", "replace"))
        if size > TEMPLATE_LIMIT_BYTES:
            yield f"{place}.template", f"expected at most {TEMPLATE_LIMIT_BYTES} bytes, not {size}"
        fits = {(kind, language) for kind in each.kinds or KINDS for language in each.languages or LANGUAGES}
        earlier = sorted({taken[pair] for pair in fits if pair in taken})
        if fits <= taken.keys():
            named = ", ".join(f"slips.templates[{number}]" for number in earlier)
            yield place, f"expected kinds and languages of its own, not only those that {named} has: it is never used"
        for pair in fits:
            taken.setdefault(pair, index)
    for language, text in slips.note.items():
        if language not in LANGUAGES:
            yield f"slips.note.{language}", f"expected a language ({', '.join(LANGUAGES)}), not {language!r}"
        if len(text) > NOTE_LIMIT:
            yield f"slips.note.{language}", f"expected at most {NOTE_LIMIT} letters, not {len(text)}"
    for found in _HOLE.finditer(slips.qr):
        if found[1] not in QR_VALUES:
            names = ", ".join(f"{{{name}}}" for name in QR_VALUES)
            yield "slips.qr", f"expected one of {names}, not {found[0]!r}"

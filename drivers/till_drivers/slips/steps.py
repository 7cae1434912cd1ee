"""How much a slip template may do: the limits, and the count of a slip under way. No Jinja2 here: see `sandbox`."""

import unicodedata
from typing import Any, Final

from till_drivers.exceptions import SlipTemplateError
from till_loyalty.plural import NO_BREAK_SPACE

PART_LIMIT: Final = 3_000
"""Parts of a template (a call, a text between calls, a comparison ...). The packaged one has some 800."""
LOOP_LIMIT: Final = 100
"""Loops and macros of a template."""
STEP_LIMIT: Final = 5_000
"""Parts that loops and macros may carry out in one slip, besides each part once. The packaged slip takes some 150."""
LETTERS_PER_STEP: Final = 100
"""Letters between calls that count as one step more of a loop or macro: 60 KB of them in each turn take all memory."""
PRINTED_LIMIT: Final = 1_000_000
"""Letters that a template prints in all, marks and blocks written by hand: a slip has some thousand."""
DEPTH_LIMIT: Final = 60
"""Parts within parts: a hundred filters one upon the other take seconds to compile."""
MACRO_LIMIT: Final = 16_000
"""Letters that one call of a macro prints: blocks are marks of a few letters by then."""
VALUE_LIMIT: Final = 1_000
"""Letters of one value; a name of a megabyte stops there."""
TEXT_LIMIT: Final = 2_000
"""Letters of a text that a template puts together, cut there. Not a failure: one member's name must not cost the others
their template."""
NUMBER_LIMIT: Final = 10**18
"""Past every balance and every sum of money there is."""
STEPS: Final = "%steps"
"""Where a slip under way keeps its steps: a name that no template can write."""


class Steps:
    """What a slip under way may still do in loops and calls."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = STEP_LIMIT

    def take(self, steps: int) -> None:
        """SlipTemplateError when there are no more."""
        self.left -= steps
        if self.left < 0:
            raise SlipTemplateError(f"expected loops and calls of at most {STEP_LIMIT} steps in all")


def clean(value: object) -> str:
    """`value` as text without control codes, direction marks or lone surrogates, cut to VALUE_LIMIT letters."""
    text = str(value)[:VALUE_LIMIT]
    if text.replace(NO_BREAK_SPACE, " ").isprintable():
        return text
    text = text.replace("\r\n", "\n").replace("\t", " ")
    return "".join(
        letter for letter in text if letter == "\n" or unicodedata.category(letter) not in ("Cc", "Cf", "Cs")
    )


def replaced(text: object, old: object, new: object) -> str:
    """The filter `replace`. It replaces as often as fits into TEXT_LIMIT."""
    text, old, new = str(text)[:TEXT_LIMIT], str(old), str(new)[:TEXT_LIMIT]
    often = -1 if len(new) <= len(old) else TEXT_LIMIT // len(new) + 1
    return text.replace(old, new, often)[:TEXT_LIMIT]


def joined(items: Any, separator: object = "") -> str:
    """The filter `join`. It stops at TEXT_LIMIT."""
    separator = str(separator)[:TEXT_LIMIT]
    texts: list[str] = []
    total = 0
    for item in items:
        texts.append(str(item)[:TEXT_LIMIT])
        total += len(texts[-1]) + len(separator)
        if total > 2 * TEXT_LIMIT:
            break
    return separator.join(texts)[:TEXT_LIMIT]

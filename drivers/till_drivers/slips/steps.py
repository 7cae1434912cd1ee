"""How much a slip template may do: the limits, and the count of a slip under way. No Jinja2 here: see `sandbox`."""

from typing import Any, Final

from till_drivers.exceptions import SlipTemplateError

PART_LIMIT: Final = 5_000
"""Parts of a template (a call, a text between calls, a comparison ...). The packaged one has some 800."""
LOOP_LIMIT: Final = 100
"""Loops and macros of a template."""
STEP_LIMIT: Final = 10_000
"""Parts that loops and macros may carry out in one slip, besides each part once. The packaged slip takes some 150."""
MACRO_LIMIT: Final = 16_000
"""Letters that one call of a macro prints: blocks are marks of a few letters by then."""
TEXT_LIMIT: Final = 4_000
"""Letters of a text that a template puts together; half a metre of paper."""
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


def bounded(text: str) -> str:
    """The text; SlipTemplateError when it is longer than TEXT_LIMIT."""
    if len(text) > TEXT_LIMIT:
        raise SlipTemplateError(f"expected a text of at most {TEXT_LIMIT} letters, not {len(text)}")
    return text


def replaced(text: object, old: object, new: object) -> str:
    """The filter `replace`, which can't make a text longer than TEXT_LIMIT."""
    text, old, new = bounded(str(text)), str(old), str(new)
    if len(text) + text.count(old) * len(new) > 2 * TEXT_LIMIT:
        raise SlipTemplateError(f"expected a text of at most {TEXT_LIMIT} letters after replace")
    return bounded(text.replace(old, new))


def joined(items: Any, separator: object = "") -> str:
    """The filter `join`, which can't make a text longer than TEXT_LIMIT."""
    separator = str(separator)
    texts: list[str] = []
    total = 0
    for item in items:
        texts.append(str(item))
        total += len(texts[-1]) + len(separator)
        if total > 2 * TEXT_LIMIT:
            raise SlipTemplateError(f"expected a text of at most {TEXT_LIMIT} letters after join")
    return bounded(separator.join(texts))

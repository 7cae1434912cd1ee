"""Tries a template out before a till meets it: every kind of slip, in every language, in every situation there is."""

from collections.abc import Iterator, Sequence

from till_drivers.blocks import Block
from till_drivers.exceptions import DriverError, SlipTemplateError
from till_drivers.slips.facts import KINDS
from till_drivers.slips.samples import SITUATIONS, sample_facts
from till_drivers.slips.template import SlipTemplate
from till_drivers.slips.words import LANGUAGES, SlipWords
from till_loyalty.programme import Programme
from till_loyalty.slips import Template

PROBLEMS_SHOWN = 10
"""A template that fails always would say so a hundred times."""


def templates_of(programme: Programme) -> Iterator[tuple[SlipTemplate, Template]]:
    """The templates of a programme in their order."""
    for index, each in enumerate(programme.slips.templates):
        yield programme_template(programme, index), each


def programme_template(programme: Programme, index: int) -> SlipTemplate:
    """One template of a programme; SlipTemplateError when it is too large."""
    name = f"slips.templates[{index}] of {programme.id} version {programme.version}"
    return SlipTemplate(programme.slips.templates[index].template, name)


def template_problems(
    template: SlipTemplate,
    *,
    languages: Sequence[str] = LANGUAGES,
    kinds: Sequence[str] = KINDS,
    programme: Programme | None = None,
    printed: bool = False,
) -> tuple[str, ...]:
    """What goes wrong with it, each fault once; () for a template that works.

    With `printed`, its slips are made into the bytes of both widths of paper too: for where programmes are made.
    """
    found: dict[str, None] = {}
    try:
        template.compile()
    except SlipTemplateError as exc:
        return (str(exc),)
    for language in languages:
        words = SlipWords(language, programme)
        for kind in kinds:
            for situation in SITUATIONS:
                facts = sample_facts(kind, words, situation)
                try:
                    blocks = template.blocks(facts, words)
                    if not blocks:
                        raise SlipTemplateError(f"{template.name}: expected a block at least, not an empty slip")
                    if printed and situation == SITUATIONS[0]:
                        _print(template, blocks)
                except DriverError as exc:
                    found.setdefault(str(exc), None)
                    if len(found) >= PROBLEMS_SHOWN:
                        return tuple(found)
    return tuple(found)


def programme_slip_problems(programme: Programme) -> tuple[str, ...]:
    """What goes wrong with the templates of a programme: `place: sentence`."""
    found: list[str] = []
    for index, each in enumerate(programme.slips.templates):
        template = SlipTemplate(each.template, f"slips.templates[{index}]")
        found += template_problems(
            template,
            languages=each.languages or LANGUAGES,
            kinds=each.kinds or KINDS,
            programme=programme,
            printed=True,
        )
    return tuple(found)


def _print(template: SlipTemplate, blocks: list[Block]) -> None:
    from till_drivers.printers.profile import PROFILE_58MM, PROFILE_80MM
    from till_drivers.printers.render import render

    for profile, paper in ((PROFILE_80MM, "80 mm"), (PROFILE_58MM, "58 mm")):
        try:
            render(blocks, profile)
        except DriverError as exc:
            raise SlipTemplateError(f"{template.name}: on {paper} paper: {exc}") from exc

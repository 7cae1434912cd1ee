"""Which template makes a slip: that of the settings, else the programme's for kind and language, else the packaged one.

A template that does not work never costs a member their slip, nor a sale a moment: the packaged one takes its place,
the log says so once, and the till's status until it is mended.
"""

import logging
import threading
from collections import OrderedDict

from till_agent.slips.packaged import packaged_blocks
from till_drivers.blocks import Block
from till_drivers.exceptions import SlipTemplateError
from till_drivers.slips.checking import programme_template, template_problems, templates_of
from till_drivers.slips.facts import SlipFacts
from till_drivers.slips.template import SlipTemplate, default_template, load_template
from till_drivers.slips.words import SlipWords
from till_loyalty.programme import Programme
from till_loyalty.slips import LANGUAGES, Slips, fitting

log = logging.getLogger(__name__)

KEPT = 40
"""Compiled templates of programmes: those of the one that is sold by, and a former one's, of which copies are made."""
OWN = "slips.template"
_Key = tuple[str, int, int, str]
"""Programme, version, place, and the template itself: another cloud may have another programme of that name and number.
The settings' own has none of them."""
_OWN_KEY: _Key = ("", 0, 0, "")


class SlipTemplates:
    """Used on the loop and in the spool's thread. `own` is the template of the till's settings."""

    def __init__(self, own: SlipTemplate | None = None, trouble: str = "") -> None:
        self._own = own
        self._turn = threading.Lock()
        self._kept: OrderedDict[_Key, SlipTemplate] = OrderedDict()
        self._bad: set[_Key] = set()
        self._troubles: dict[_Key, str] = {}
        self._checked: tuple[str, int, Slips] | None = None
        if trouble:
            self._found(_OWN_KEY, trouble, is_bad=True)

    @property
    def trouble(self) -> str:
        """What is wrong with templates, for those who have to mend it; "" when nothing is."""
        with self._turn:
            return "; ".join(self._troubles.values())

    def use_own(self, own: SlipTemplate | None, trouble: str = "") -> None:
        """Another template of the settings, or none; slips from now on are made by it."""
        with self._turn:
            self._own = own
            self._bad.discard(_OWN_KEY)
            self._troubles.pop(_OWN_KEY, None)
        if trouble:
            self._found(_OWN_KEY, trouble, is_bad=True)

    def blocks(self, facts: SlipFacts, words: SlipWords) -> list[Block]:
        """The slip. A template that fails at one slip only, for what is in it, is tried again at the next."""
        for key, template in self._wanted(facts.kind, words):
            try:
                return template.blocks(facts, words)
            except SlipTemplateError as exc:
                self._found(key, str(exc))
        return packaged_blocks(facts, words)

    def unprintable(self, words: SlipWords, sentence: str) -> None:
        """A slip, or a code of it, can't be printed as it was made: it is printed plainer, and the status says so."""
        key = (words.programme.id, words.programme.version, -1, "")
        self._found(key, f"a slip can't be printed as it was made: {sentence}")

    def check(self, programme: Programme | None) -> None:
        """Try the templates out before a slip needs them; slow, so not on the loop. Done once a version."""
        if self._own is not None and _OWN_KEY not in self._bad:
            self._tried(_OWN_KEY, self._own, LANGUAGES, programme)
        if programme is None or self._checked == (programme.id, programme.version, programme.slips):
            return
        for index, (template, each) in enumerate(templates_of(programme)):
            key = (programme.id, programme.version, index, each.template)
            self._keep(key, template)
            self._tried(key, template, each.languages or LANGUAGES, programme)
        with self._turn:
            # What was wrong with another version's is mended, or gone with it.
            self._checked = (programme.id, programme.version, programme.slips)
            for key in [each for each in self._troubles if each != _OWN_KEY and each[:2] != self._checked[:2]]:
                del self._troubles[key]

    def _wanted(self, kind: str, words: SlipWords) -> list[tuple[_Key, SlipTemplate]]:
        """The settings' template is stronger than the programme's. What failed when it was tried out is not used."""
        if self._own is not None:
            return [(_OWN_KEY, self._own)] if _OWN_KEY not in self._bad else []
        programme = words.programme
        if not programme.slips.templates:
            return []
        index = fitting(programme.slips, kind, words.language)
        if index < 0:
            return []
        key = (programme.id, programme.version, index, programme.slips.templates[index].template)
        if key in self._bad:
            return []
        with self._turn:
            template = self._kept.get(key)
        if template is None:
            try:
                template = programme_template(programme, index)
            except SlipTemplateError as exc:
                self._found(key, str(exc), is_bad=True)
                return []
            self._keep(key, template)
        return [(key, template)]

    def _tried(
        self, key: _Key, template: SlipTemplate, languages: tuple[str, ...], programme: Programme | None
    ) -> None:
        problems = template_problems(template, languages=languages, programme=programme)
        if problems:
            self._found(key, problems[0], is_bad=True)

    def _keep(self, key: _Key, template: SlipTemplate) -> None:
        with self._turn:
            self._kept[key] = template
            self._kept.move_to_end(key)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)

    def _found(self, key: _Key, sentence: str, *, is_bad: bool = False) -> None:
        with self._turn:
            if is_bad:
                self._bad.add(key)
            if key in self._troubles:
                return
            self._troubles[key] = sentence
        log.error("a slip template does not work, the packaged one is used instead: %s", sentence)


class _PackagedOnly(SlipTemplates):
    """Nobody's own, not the programme's either."""

    def blocks(self, facts: SlipFacts, words: SlipWords) -> list[Block]:
        return default_template().blocks(facts, words)


PACKAGED_ONLY = _PackagedOnly()
"""What is left when the templates that were wanted make nothing that can be printed."""


def templates_from(path: str) -> SlipTemplates:
    """With the template of the settings; one that can't be read is a trouble like one that does not work."""
    return SlipTemplates(*own_template(path))


def own_template(path: str) -> tuple[SlipTemplate | None, str]:
    """The template of the settings, and what is wrong with it."""
    try:
        return load_template(path), ""
    except SlipTemplateError as exc:
        return None, str(exc)

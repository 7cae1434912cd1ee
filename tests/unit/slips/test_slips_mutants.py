"""Slips broken on purpose, one mistake at a time, and a test that notices each."""

import importlib.util
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from msgspec.structs import replace

from till_agent.desk import views
from till_agent.slips import compose, rule_facts, templates
from till_drivers.exceptions import SlipTemplateError
from till_drivers.printers import text as printed
from till_drivers.printers.profile import PROFILE_58MM
from till_drivers.slips import frontol, sandbox, steps, template
from till_loyalty import plural
from till_loyalty import slips as programme_slips

HERE = Path(__file__).parent


@cache
def module_of(name: str) -> ModuleType:
    """A module of tests beside this one."""
    spec = importlib.util.spec_from_file_location(f"of_mutants_{name}", HERE / f"test_slips_{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def hostile_fields() -> None:
    for name in ("opens the drawer", "directions", "nothing else"):
        module_of("hostile").test_no_field_tells_the_printer_anything(name, PROFILE_58MM)


def hand_written_blocks() -> None:
    module_of("hostile").test_the_template_itself_does_not('{"type":"text","text":"\\u001bp\\u0000\\u0019"}')


def bomb(name: str) -> Callable[[], None]:
    return lambda: module_of("sandbox").test_no_template_takes_for_ever_or_reaches_past_its_slip(name)


def plurals() -> None:
    for number in module_of("plurals").SLAVIC:
        module_of("plurals").test_russian_and_ukrainian_count_in_three_forms("ru", number)


def grouping() -> None:
    module_of("plurals").test_large_numbers_are_grouped_and_stay_on_one_line(10_000, "10\u00a0000")


def of_programmes(name: str) -> Callable[[], None]:
    return lambda: getattr(module_of("programme_templates"), name)()


def as_it_is(value: Any, *_: Any, **__: Any) -> Any:
    return value


def always(value: Any) -> Callable[..., Any]:
    return lambda *_, **__: value


def one_for_eleven(_: str, number: int) -> str:
    ends = abs(number) % 10
    return "one" if ends == 1 else "few" if ends in (2, 3, 4) else "many"


def no_fallback(self: Any, facts: Any, words: Any) -> Any:
    for _, each in self._wanted(facts.kind, words):
        return each.blocks(facts, words)
    return template.default_template().blocks(facts, words)


def the_last(slips: Any, kind: str, language: str) -> int:
    fits = [i for i, each in enumerate(slips.templates) if not each.languages or language in each.languages]
    return fits[-1] if fits and kind else -1


def all_offers(self: Any, held: tuple[str, ...]) -> Any:
    every = replace(self.words.programme, coupons=tuple(replace(c, valid_to="") for c in self.words.programme.coupons))
    return REAL_OFFERS(replace(self, words=type(self.words)(self.words.language, every)), held)


REAL_OFFERS = views.View._offers
MUTANTS: dict[str, tuple[Callable[[], None], list[tuple[Any, str, Any]]]] = {
    "names are printed as they come": (
        hostile_fields,
        [(template, "clean", str), (sandbox, "clean", str), (steps, "clean", str), (printed, "clean", as_it_is)],
    ),
    "facts are cleaned when printed only": (hostile_fields, [(sandbox, "clean", str)]),
    "blocks written by hand are believed": (hand_written_blocks, [(template, "_cleaned", as_it_is)]),
    "every filter is allowed": (
        bomb("a map"),
        [(sandbox, "_wrong", always("")), (sandbox, "FILTERS", ("upper", "map", "list"))],
    ),
    "lists may nest": (bomb("a list in a list"), [(sandbox, "_wrong", always(""))]),
    "steps are not counted": (
        lambda: module_of("sandbox").test_steps_are_counted_to_the_last(),
        [(steps.Steps, "take", always(None))],
    ),
    "loops are not counted": (
        bomb("a loop too long"),
        [(sandbox.Sandbox, "counted", lambda _self, _context, items, _parts: items)],
    ),
    "macros are believed in full": (bomb("macros that double a little"), [(sandbox, "MACRO_LIMIT", 10**30)]),
    "parts are not counted": (
        bomb("too many parts"),
        [(sandbox, "PART_LIMIT", 10**9), (template, "BLOCK_LIMIT", 10**9), (template, "MADE_LIMIT", 10**9)],
    ),
    "11 takes the form of 1": (plurals, [(plural, "plural_form", one_for_eleven)]),
    "thousands run together": (grouping, [(plural, "GROUPED_FROM", 10**30)]),
    "Frontol gets no-break spaces": (
        lambda: module_of("frontol").test_each_block_is_its_block_and_a_cut_begins_a_slip(),
        [(frontol, "_spaced", as_it_is)],
    ),
    "a failing template costs the slip": (
        of_programmes("test_a_sale_and_its_quote_are_made_by_the_programmes_template"),
        [(templates.SlipTemplates, "blocks", no_fallback)],
    ),
    "templates are not tried out": (
        of_programmes("test_each_new_programme_is_tried_out_beside_the_sales"),
        [(templates, "template_problems", always(()))],
    ),
    "the last template that fits is used": (
        of_programmes("test_a_template_is_chosen_by_kind_and_language_the_first_that_fits"),
        [(templates, "fitting", the_last)],
    ),
    "an address is not encoded": (
        of_programmes("test_a_slip_tells_of_the_chains_note_and_qr_code"),
        [(programme_slips, "quote", as_it_is)],
    ),
    "a quote has a code": (
        of_programmes("test_a_slip_tells_of_the_chains_note_and_qr_code"),
        [(compose, "qr_text", always(""))],
    ),
    "coupons that are over are offered": (
        of_programmes("test_members_are_told_of_coupons_that_they_hold_and_may_use_today"),
        [(views.View, "_offers", all_offers)],
    ),
    "offers are left out": (
        of_programmes("test_members_are_told_of_coupons_that_they_hold_and_may_use_today"),
        [(rule_facts, "Offer", as_it_is), (compose, "offer_facts", always({}))],
    ),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mistake_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the test that is there for it, which passes without the mistake."""
    test, mistakes = MUTANTS[name]
    test()
    for where, what, broken in mistakes:
        monkeypatch.setattr(where, what, broken)
    template.default_template.cache_clear()
    try:
        with pytest.raises((AssertionError, ValueError, SlipTemplateError, pytest.fail.Exception)):
            test()
    finally:
        template.default_template.cache_clear()

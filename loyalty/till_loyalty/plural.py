"""Points in words: `5 бонусов`, `12,50 бонуса`, `1 point`, in the product's five languages.

Forms by language (CLDR): ru and uk have `one`, `few`, `many` and, if given, `other` for fractions; kk, ky and en have
`one`, `other`. A number with a fraction takes `other`; without that form, `few` in Russian (12,50 бонуса, as 2 бонуса)
and `many` in Ukrainian, where the two differ. Whole numbers are written without a fraction, others with all of the
programme's places. The decimal mark is a comma, in English a point. From five digits on, thousands are set apart by a
no-break space, in all five languages: a comma would be read as a decimal mark by four of them.
"""

from collections.abc import Mapping, Sequence

from till_loyalty.money import minor_points
from till_loyalty.programme import Programme

FORMS: dict[str, tuple[str, ...]] = {
    "ru": ("one", "few", "many"),
    "uk": ("one", "few", "many"),
    "kk": ("one", "other"),
    "ky": ("one", "other"),
    "en": ("one", "other"),
}
"""The plural forms that a programme has to name for each language it names."""

OPTIONAL_FORMS: dict[str, tuple[str, ...]] = {"ru": ("other",), "uk": ("other",)}
_FRACTION_FORMS = {"ru": ("other", "few"), "uk": ("other", "many")}
_SLAVIC = ("ru", "uk")
NO_BREAK_SPACE = "\u00a0"
GROUPED_FROM = 10_000
"""1000 is read at a glance, 10 000 is not."""
_FALLBACK_ORDER = ("en", "ru")


def plural_form(language: str, number: int) -> str:
    """The form that a whole number takes; languages other than the five count as English does."""
    number = abs(number)
    if language not in _SLAVIC:
        return "one" if number == 1 else "other"
    if number % 10 == 1 and number % 100 != 11:
        return "one"
    return "few" if number % 10 in (2, 3, 4) and number % 100 not in (12, 13, 14) else "many"


def grouped(number: int) -> str:
    """A whole number from 0 on as people read it: `1431`, `14 310` with a no-break space."""
    return f"{number:,}".replace(",", NO_BREAK_SPACE) if number >= GROUPED_FROM else str(number)


def points_number(programme: Programme, language: str, points: int) -> str:
    """Minor points as a number for people: `12,50`, `-3`."""
    whole, fraction = divmod(abs(points), minor_points(programme.points_exponent))
    return _number(programme, language, points < 0, whole, fraction)


def points_text(programme: Programme, language: str, points: int) -> str:
    """Minor points with their name: `12,50 бонуса`.

    A programme that has no name in the language lends it from English, Russian, or any it has; with no name at all the
    number stands alone.
    """
    whole, fraction = divmod(abs(points), minor_points(programme.points_exponent))
    number = _number(programme, language, points < 0, whole, fraction)
    named = programme.points_name
    naming = language if language in named else _lender(named)
    if not naming:
        return number
    wanted = _FRACTION_FORMS.get(naming, ("other",)) if fraction else (plural_form(naming, whole),)
    forms = named[naming]
    name = forms.get(wanted[0]) or _any_form(forms, wanted)
    return f"{number} {name}".strip()


def _any_form(forms: Mapping[str, str], wanted: Sequence[str]) -> str:
    """The nearest form that there is; "" where there is none."""
    for form in (*wanted, *forms):
        if forms.get(form):
            return forms[form]
    return ""


def _number(programme: Programme, language: str, is_negative: bool, whole: int, fraction: int) -> str:
    sign = "-" if is_negative else ""
    if not fraction:
        return f"{sign}{whole if whole < GROUPED_FROM else grouped(whole)}"
    mark = "." if language == "en" else ","
    return f"{sign}{grouped(whole)}{mark}{fraction:0{programme.points_exponent}d}"


def _lender(named: Mapping[str, object]) -> str:
    """Whose name of the points is taken instead; "" where there is none."""
    return next((each for each in (*_FALLBACK_ORDER, *sorted(named)) if each in named), "")

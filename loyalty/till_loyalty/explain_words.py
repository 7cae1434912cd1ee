"""The words of explanations, in the product's five languages: sentences by name, filled in with figures for people.

The sentences are in `data/texts/<language>.toml`. The decimal mark is a comma, in English a point.
"""

import tomllib
from collections.abc import Iterable, Mapping
from datetime import date
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from msgspec.structs import replace

from till_loyalty.plural import plural_form, points_number, points_text
from till_loyalty.programme import Programme

LANGUAGES = ("ru", "kk", "ky", "uk", "en")
DEFAULT_LANGUAGE = "ru"
THOUSAND = 1000


@cache
def catalogue(language: str) -> Mapping[str, Mapping[str, Any]]:
    """The words of one language as its file has them: sections format, points, counts, result, reasons, programme."""
    path = files("till_loyalty").joinpath("data", "texts", f"{language}.toml")
    return MappingProxyType(tomllib.loads(path.read_text(encoding="utf-8")))


class Words:
    """One language and one programme's money and points. Cheap to make; holds no state of its own."""

    __slots__ = ("_texts", "language", "programme")

    def __init__(self, programme: Programme, language: str) -> None:
        self.language = language if language in LANGUAGES else DEFAULT_LANGUAGE
        self._texts = catalogue(self.language)
        if not programme.points_name:
            programme = replace(programme, points_name={self.language: dict(self._texts["points"])})
        self.programme = programme

    def has(self, section: str, name: str) -> bool:
        """Whether there is such a sentence."""
        return name in self._texts[section]

    def say(self, section: str, name: str, /, **values: object) -> str:
        """A sentence with its values in; KeyError when there is none or it asks for a value that is not there."""
        return str(self._texts[section][name]).format_map(values)

    def count(self, name: str, number: int) -> str:
        """A counted noun in its right form: `1 day`, `5 days`."""
        return f"{number} {self._texts['counts'][name][plural_form(self.language, number)]}"

    def money(self, minor: int) -> str:
        """Minor money with its currency: `12,50 RUB`."""
        return f"{self._decimal(minor, self.programme.currency_exponent)} {self.programme.currency}"

    def points(self, points: int) -> str:
        """Minor points with their noun: `12,50 бонуса`."""
        return points_text(self.programme, self.language, points)

    def number(self, points: int) -> str:
        """Minor points as a bare number."""
        return points_number(self.programme, self.language, points)

    def percent(self, basis_points: int) -> str:
        """Basis points without needless zeros: `1,5 %`."""
        return f"{self._short(basis_points, 2)} %"

    def quantity(self, thousandths: int) -> str:
        """A quantity without needless zeros: 1500 as `1,5`."""
        return self._short(thousandths, 3)

    def title(self, titles: Mapping[str, str], identifier: str) -> str:
        """The name of a rule, exclusion or coupon in this language, else as it has one, as slips do; else its id.

        In this language's quotes.
        """
        name = titles.get(self.language) or next(iter(titles.values()), "") or identifier
        return self.say("result", "quoted", text=name)

    def date(self, day: str) -> str:
        """A store's `YYYY-MM-DD` as this language writes dates."""
        return date.fromisoformat(day).strftime(self._texts["format"]["date"])

    def join(self, names: Iterable[str]) -> str:
        """A list as people write it."""
        return ", ".join(names)

    def _decimal(self, minor: int, exponent: int) -> str:
        sign = "-" if minor < 0 else ""
        whole, fraction = divmod(abs(minor), 10**exponent)
        mark = "." if self.language == "en" else ","
        return f"{sign}{whole}{mark}{fraction:0{exponent}d}" if exponent else f"{sign}{whole}"

    def _short(self, minor: int, exponent: int) -> str:
        text = self._decimal(minor, exponent)
        return text.rstrip("0").rstrip(".,")

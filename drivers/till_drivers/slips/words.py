"""What members read on slips, in the five languages of the product.

The words are in `data/words/<language>.toml`; here they are filled in. Values whose name ends in `points` are minor
points and come with their noun; those ending in `thousandths` are quantities, those ending in `minor` money.
"""

import tomllib
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache, lru_cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

from till_drivers.exceptions import WordMissing
from till_loyalty.plural import NO_BREAK_SPACE, grouped, plural_form, points_number, points_text
from till_loyalty.programme import Programme

LANGUAGES = ("ru", "kk", "ky", "uk", "en")
DEFAULT_LANGUAGE = "ru"
THOUSAND = 1000
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
LAST_MS = 253_402_128_000_000
"""9999-12-30: what a calendar can show in every zone. A broken clock or a far-off expiry must not stop a sale."""
ZONES_KEPT = 8
"""A till has one store; more are met only in tests."""
MOMENTS_KEPT = 32
"""Calls of one second, and all that is said to one caller, have the same moment."""

NO_PROGRAMME = Programme(
    format=1,
    id="none",
    version=1,
    currency="XXX",
    points_name={
        "ru": {"one": "бонус", "few": "бонуса", "many": "бонусов"},
        "uk": {"one": "бонус", "few": "бонуси", "many": "бонусів"},
        "kk": {"one": "бонус", "other": "бонус"},
        "ky": {"one": "бонус", "other": "бонус"},
        "en": {"one": "point", "other": "points"},
    },
)
"""How points are named before the first programme has come."""


def supported(*wishes: str | None) -> str:
    """The first of `wishes` that is one of our languages, else Russian."""
    return next((wish for wish in wishes if wish in LANGUAGES), DEFAULT_LANGUAGE)


@lru_cache(maxsize=ZONES_KEPT)
def zone(name: str) -> ZoneInfo:
    """The IANA zone `name`; ZoneInfoNotFoundError when there is none."""
    return ZoneInfo(name)


def local_datetime(wall_ms: int, time_zone: str) -> datetime:
    """UTC milliseconds as the store's local date and time, held within what a calendar can show."""
    return _local(min(max(wall_ms, 0), LAST_MS) // THOUSAND, time_zone)


@lru_cache(maxsize=MOMENTS_KEPT)
def _local(seconds: int, time_zone: str) -> datetime:
    return datetime.fromtimestamp(seconds, UTC).astimezone(zone(time_zone))


@lru_cache(maxsize=MOMENTS_KEPT)
def _moment_of(local_time: str, form: str) -> str:
    return datetime.fromisoformat(local_time).strftime(form)


@cache
def slip_catalogue(language: str) -> Mapping[str, Mapping[str, Any]]:
    """The words of one language, as the file has them: sections format, units, slip."""
    path = files("till_drivers") / "slips" / "data" / "words" / f"{language}.toml"
    return MappingProxyType(tomllib.loads(path.read_text(encoding="utf-8")))


class SlipWords:
    """One language and one programme's points. Cheap to make; holds no state of its own."""

    __slots__ = ("_texts", "language", "programme")

    missing: type[Exception] = WordMissing
    """What is raised for a text that is not there, or that asks for values that were not given."""

    def __init__(self, language: str, programme: Programme | None = None) -> None:
        self.language = supported(language)
        self.programme = programme or NO_PROGRAMME
        self._texts = self._catalogue(self.language)

    @staticmethod
    def _catalogue(language: str) -> Mapping[str, Mapping[str, Any]]:
        return slip_catalogue(language)

    def slip(self, code: str, **values: int | str) -> str:
        """A piece of a slip; a number and its noun stay on one line."""
        if not values and "{" not in (text := self._texts["slip"].get(code, "{")):
            return str(text)
        glued = {name: self._show(name, value).replace(" ", NO_BREAK_SPACE) for name, value in values.items()}
        return self._fill("slip", code, glued)

    def points(self, points: int) -> str:
        """Minor points with their noun: `12,50 бонуса`."""
        return points_text(self.programme, self.language, points)

    def number(self, points: int) -> str:
        """Minor points as a bare number."""
        return points_number(self.programme, self.language, points)

    def quantity(self, thousandths: int) -> str:
        """A quantity without needless zeros: `1`, `0,25`."""
        whole, part = divmod(thousandths, THOUSAND)
        mark = "." if self.language == "en" else ","
        return f"{whole}{mark}{part:03d}".rstrip("0").rstrip(mark)

    def money(self, minor: int) -> str:
        """Minor money as a number: `12,50`. Without the currency: whoever stands at the till knows it, and not every
        printer has its sign."""
        exponent = self.programme.currency_exponent
        whole, part = divmod(abs(minor), 10**exponent)
        sign = "-" if minor < 0 else ""
        mark = "." if self.language == "en" else ","
        return f"{sign}{grouped(whole)}{mark}{part:0{exponent}d}" if exponent else f"{sign}{grouped(whole)}"

    def day(self, local_date: str) -> str:
        """A store's `YYYY-MM-DD` for people."""
        return self._date(datetime.fromisoformat(local_date))

    def title(self, titles: Mapping[str, str], identifier: str) -> str:
        """What a rule, coupon or tier is called in this language, else in any, else its id."""
        return titles.get(self.language) or next(iter(titles.values()), "") or identifier

    def date(self, wall_ms: int, time_zone: str) -> str:
        """UTC milliseconds as the store's date."""
        return self._date(local_datetime(wall_ms, time_zone))

    def moment(self, wall_ms: int, time_zone: str) -> str:
        """UTC milliseconds as the store's date and time."""
        return self._moment(local_datetime(wall_ms, time_zone))

    def local_moment(self, local_time: str) -> str:
        """A store clock's `YYYY-MM-DDTHH:MM:SS` for people."""
        return _moment_of(local_time, self._moment_form)

    def age(self, age_ms: int) -> str:
        """How long ago, in the largest unit that fits; "" below a minute."""
        for unit, length_ms in (("days", DAY_MS), ("hours", HOUR_MS), ("minutes", MINUTE_MS)):
            count = age_ms // length_ms
            if count > 0:
                return f"{count}{NO_BREAK_SPACE}{self._texts['units'][unit][plural_form(self.language, count)]}"
        return ""

    def _date(self, moment: datetime) -> str:
        return moment.strftime(self._texts["format"]["date"])

    def _moment(self, moment: datetime) -> str:
        return moment.strftime(self._moment_form)

    @property
    def _moment_form(self) -> str:
        return f"{self._texts['format']['date']} {self._texts['format']['time']}"

    def _fill(self, section: str, code: str, values: Mapping[str, Any]) -> str:
        text = self._texts[section].get(code)
        if text is None:
            raise self.missing(f"expected a sentence [{section}] {code} in {self.language}, not none")
        try:
            return str(text).format_map({name: self._show(name, value) for name, value in values.items()})
        except KeyError as exc:
            raise self.missing(f"expected a value {exc} for [{section}] {code}") from exc

    def _show(self, name: str, value: object) -> str:
        if isinstance(value, int):
            if name.endswith("points"):
                return self.points(value)
            if name.endswith("thousandths"):
                return self.quantity(value)
            if name.endswith("minor"):
                return self.money(value)
        return str(value)

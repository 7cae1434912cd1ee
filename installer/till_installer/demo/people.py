"""The demo's members: made up from household numbers, the same in every run. No one here is real."""

import csv
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

_FIRST = ("Anna", "Boris", "Clara", "Dina", "Emil", "Fatima", "Galya", "Helen", "Ivan", "Jamila", "Kuat", "Lena")
_LAST = ("Akhmetova", "Brown", "Chernenko", "Dzhumabaev", "Evans", "Frolova", "Green", "Hrushko", "Ibraimov", "Jones")
_TIERS = ("standard", "standard", "standard", "silver", "gold")
_AREA_CODES = ("212", "305", "312", "404", "512", "602", "617", "702", "713", "808", "907", "916", "919")
"""555-01xx in any of these is set aside for fiction: 100 numbers each."""
BIRTHDAY_IN_DAYS = 1
"""Of the household that comes last: the slip whose picture is kept shows what a birthday gives."""


@dataclass(frozen=True)
class Person:
    """One household as a member. `opening_points` are whole minor points (cents)."""

    household: int
    card: str
    phone: str
    name: str
    tier: str
    opening_points: int
    birth_date: str


def ean13(body: str) -> str:
    """Twelve digits with their check digit."""
    weighted = sum(int(digit) * (3 if index % 2 else 1) for index, digit in enumerate(body))
    return f"{body}{-weighted % 10}"


def make_people(households: list[int], day: date) -> dict[int, Person]:
    """A member a household; `households`, in the order of their receipts, give the same members every time."""
    people = {}
    last = households[-1] if households else 0
    birthday = f"{day + timedelta(days=BIRTHDAY_IN_DAYS):%m-%d}"
    for index, household in enumerate(sorted(set(households))):
        people[household] = Person(
            household=household,
            card=ean13(f"29{household:010d}"),
            phone=f"+1{_AREA_CODES[index // 100]}55501{index % 100:02d}",
            name=f"{_FIRST[household % len(_FIRST)]} {_LAST[household % len(_LAST)]}",
            tier=_TIERS[household % len(_TIERS)],
            opening_points=(household * 37) % 2500,
            # Born in leap years, so that 29 February is a day of each.
            birth_date=f"{1940 + household % 15 * 4}-{birthday if household == last else _day(household)}",
        )
    return people


def _day(household: int) -> str:
    """Some day of the year."""
    return (date(2001, 1, 1) + timedelta(days=household * 131 % 365)).strftime("%m-%d")


def write_csv(people: dict[int, Person], path: Path) -> None:
    """The file that `tillside cloud member import` reads."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(("name", "phone", "card", "tier", "balance", "birth_date"))
        for person in people.values():
            row = (person.name, person.phone, person.card, person.tier, person.opening_points, person.birth_date)
            writer.writerow(row)

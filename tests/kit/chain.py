"""A small chain, set up once with the real commands and copied for each test: programme, store, tills, members."""

import csv
import fcntl
import os
import shutil
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from kit.phones import make_slow
from kit.processes import Part, run
from kit.zygote import Zygote

STORE = "store-1"
TILLS = ("till-1", "till-2")
TIME_ZONE = "Asia/Almaty"

EXTRA_CARDS = """
[[identifiers.cards]]
prefix = "7999"
lengths = [11]
"""
"""Cards that look like phone numbers: the same digits may be both."""


def ean13(body: str) -> str:
    """Twelve digits with their check digit."""
    weighted = sum(int(digit) * (3 if index % 2 else 1) for index, digit in enumerate(body))
    return f"{body}{-weighted % 10}"


@dataclass(frozen=True)
class Person:
    """A member of the file that is imported. `points` are whole minor points to begin with."""

    member_id: str
    name: str
    phone: str
    card: str
    tier: str = "standard"
    status: str = "active"
    points: int = 0


ANNA = Person("m-anna", "Anna Akhmetova", "+79990000101", ean13("290000000101"), tier="gold", points=5000)
BORIS = Person("m-boris", "Boris Brown", "+79990000102", ean13("290000000102"), status="blocked", points=700)
CLARA = Person("m-clara", "Clara Chernenko", "+79990000103", ean13("290000000103"), points=1234)
DINA = Person("m-dina", "Dina Dzhumabaev", "+79990000777", ean13("290000000104"))
EMIL = Person("m-emil", "Emil Evans", "+79990000105", "79990000777")
PEOPLE = (ANNA, BORIS, CLARA, DINA, EMIL)
STRANGER_CARD = ean13("290000009999")


class Chain:
    """The chain as files: a cloud's database and each till's state directory. `copy` gives a fresh one."""

    zygote: Zygote | None = None
    """What forks the agents and clouds of its worlds, for tests that start them very often."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with (folder / "made").open("a+b") as made:
            fcntl.flock(made, fcntl.LOCK_EX)  # the workers of the suite share one
            if not os.fstat(made.fileno()).st_size:
                self._make(folder)
                made.write(b"made")

    def _make(self, folder: Path) -> None:
        programme = folder / "programme.toml"
        text = files("till_loyalty").joinpath("data", "examples", "supermarket.toml").read_text(encoding="utf-8")
        programme.write_text(text + EXTRA_CARDS, encoding="utf-8")
        members = folder / "members.csv"
        with members.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(("member_id", "name", "phone", "card", "tier", "status", "balance"))
            writer.writerows((p.member_id, p.name, p.phone, p.card, p.tier, p.status, p.points) for p in PEOPLE)
        db = folder / "cloud.db"
        run("cloud", "init", "--db", db, folder=folder)
        run("cloud", "programme", "upload", "--db", db, programme, folder=folder)
        run("cloud", "store", "add", STORE, "--db", db, "--name", "Test Shop", "--time-zone", TIME_ZONE, folder=folder)
        codes = {
            till: run("cloud", "till", "add", till, "--db", db, "--store", STORE, folder=folder).out.split()[-1]
            for till in TILLS
        }
        run("cloud", "member", "import", "--db", db, members, folder=folder)
        make_slow(db)
        cloud = Part("cloud", "cloud", "run", "--db", db, "--port", "0", folder=folder)
        try:
            url = f"http://127.0.0.1:{cloud.facts()['port']}"
            for till, code in codes.items():
                config = folder / f"{till}.toml"
                config.write_text(f'[agent]\nstate_dir = "{folder / till}"\n[cloud]\nurl = "{url}"\n', encoding="utf-8")
                run("agent", "enrol", "--config", config, "--code", code, folder=folder)
        finally:
            cloud.end()

    def with_zygote(self, zygote: Zygote) -> "Chain":
        """The same chain, whose worlds start agents and clouds by forks."""
        chain = Chain(self._folder)
        chain.zygote = zygote
        return chain

    def copy(self, folder: Path) -> None:
        """The same chain in another folder."""
        for path in self._folder.iterdir():
            if path.is_dir():
                shutil.copytree(path, folder / path.name)
            elif path.name.startswith(("cloud.db", "programme", "members")):
                shutil.copy2(path, folder / path.name)

"""Mistakes that are planted in a copy of a package: the line of each is there, or nobody would notice it any more."""

import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from house.tree import FOLDERS, PACKAGES, ROOT
from kit.broken import Mutant

TESTS = ROOT / "tests"
FILES = sorted(path for path in TESTS.rglob("test_*_mutants.py") if "from kit.broken import" in path.read_text("utf-8"))


def mutants(path: Path) -> Iterator[Mutant]:
    """Those of one file, whatever its lists are called."""
    module = importlib.import_module(".".join(path.relative_to(TESTS).with_suffix("").parts))
    for value in vars(module).values():
        if isinstance(value, list):
            yield from [each for each in value if isinstance(each, tuple) and len(each) == len(Mutant.__args__)]


def places(mutant: Mutant) -> list[int]:
    """How often its text is in the module that it names, of each package that has one."""
    roots = [ROOT / folder / package for folder, package in zip(FOLDERS, PACKAGES, strict=True)]
    modules = [root / mutant[1] for root in roots]
    return [module.read_text("utf-8").count(mutant[2]) for module in modules if module.is_file()]


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_every_mistake_has_its_place(path: Path) -> None:
    """They are tried at night; who changes the line hears of it at once."""
    found = {mutant[0]: places(mutant) for mutant in mutants(path)}
    assert found, "mistakes in a list"
    assert {name: counts for name, counts in found.items() if 1 not in counts} == {}

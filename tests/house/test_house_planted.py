"""Mistakes that are planted in the product: the line of each is there, or nobody would notice the mistake any more."""

import importlib
import inspect
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from house.tree import FOLDERS, PACKAGES, ROOT

TESTS = ROOT / "tests"
PACKAGE_FOLDERS = [ROOT / folder / package for folder, package in zip(FOLDERS, PACKAGES, strict=True)]
FILES = sorted(TESTS.rglob("test_*_mutants.py"))


def planted(path: Path) -> Iterator[tuple[str, list[int]]]:
    """What each mistake of a file is in the place of, and how often that is there: in the module of one of our packages
    (`kit.broken`), or in a function (`kit.mistakes`)."""
    module = importlib.import_module(".".join(path.relative_to(TESTS).with_suffix("").parts))
    for value in vars(module).values():
        for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            mistake: Any = getattr(each, "mutant", each)
            if hasattr(mistake, "holder"):
                yield mistake.old, [_source(mistake).count(mistake.old)]
            elif isinstance(mistake, tuple) and str(mistake[1]).endswith(".py"):
                modules = [folder / mistake[1] for folder in PACKAGE_FOLDERS]
                yield mistake[2], [each.read_text("utf-8").count(mistake[2]) for each in modules if each.is_file()]


def _source(mistake: Any) -> str:
    right = inspect.getattr_static(mistake.holder, mistake.name)
    return textwrap.dedent(inspect.getsource(right.fget if isinstance(right, property) else right))


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_every_mistake_has_its_place(path: Path) -> None:
    """They are tried at night; who changes the line hears of it at once."""
    assert {old: counts for old, counts in planted(path) if 1 not in counts} == {}


def test_the_mistakes_are_found() -> None:
    """Those of either kind."""
    assert sum(any(planted(path)) for path in FILES) > len(FILES) // 2

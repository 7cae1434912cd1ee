"""Every stable code has a row in a page: who meets one can look it up."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from house.tree import ROOT, ours
from till_installer.doctor.every import all_checks
from till_installer.doctor.ready_details import PROVEN_CODES

PACKAGES = ("installer/till_installer", "cloud/till_cloud", "agent/till_agent", "sync/till_sync")
FIRST = frozenset(("problem", "DeskProblem", "_said"))
"""Calls whose first value is a code."""
SECOND = frozenset(("RefusedError", "ProblemError"))
"""Those whose second one is; the first is an HTTP status."""
NOT_CODES = frozenset(("DamageReport",))
"""Calls with `code=` that is a note of a file, not something that anybody is told."""
CODE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


def _codes(tree: ast.AST) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            place = 0 if name in FIRST else 1 if name in SECOND else None
            if place is not None and len(node.args) > place:
                yield from _text(node.args[place])
            if name not in NOT_CODES:
                for each in node.keywords:
                    if each.arg == "code":
                        yield from _text(each.value)
        if isinstance(node, ast.ClassDef):
            for line in node.body:
                target = line.targets[0] if isinstance(line, ast.Assign) else getattr(line, "target", None)
                if getattr(target, "id", "") == "code" and getattr(line, "value", None) is not None:
                    yield from _text(line.value)  # type: ignore[attr-defined]  # an assignment has one


def _text(node: ast.AST) -> Iterator[tuple[str, int]]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and CODE.fullmatch(node.value):
        yield node.value, node.lineno


def rows() -> str:
    """Every row of a table of the reference and of the guides."""
    pages = [page for folder in ("docs/reference", "docs/how-to") for page in (ROOT / folder).glob("*.md")]
    return "\n".join(line for page in pages for line in page.read_text("utf-8").splitlines() if line.startswith("|"))


@pytest.mark.parametrize("package", PACKAGES)
def test_every_code_of_a_refusal_has_a_row(package: str) -> None:
    """Of upgrades, updates, set-up, cloud, bridge, status and line; by what the source raises and says."""
    told = rows()
    missing = {
        code: f"{module.path}:{line}"
        for module in ours()
        if module.path.startswith(f"{package}/")
        for code, line in _codes(module.tree)
        if f"`{code}`" not in told
    }
    assert not missing, f"expected a row, in docs/reference/codes.md if nowhere else, for {missing}"


def test_every_code_of_the_doctor_has_a_row() -> None:
    """And those of the certificate."""
    told = rows()
    codes = [*(each.code for each in all_checks()), *PROVEN_CODES]
    assert [code for code in codes if f"`{code}`" not in told] == []


def test_the_rule_sees_a_code_in_each_place() -> None:
    """In a call by place and by name, and as a class's own."""
    source = """
raise problem("one_a", "x")
raise RefusedError(404, "two_b", "x")
raise SetupError("x", code="three_c")
class FourError(Exception):
    code = "four_d"
DamageReport(code="five_e")
"""
    assert {code for code, _ in _codes(ast.parse(source))} == {"one_a", "two_b", "three_c", "four_d"}
    assert Path(ROOT / "docs/reference/codes.md").is_file()

"""The house rules for Python code, read from the repository itself."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator

import pytest

from house.tree import FOLDERS, PACKAGES, ROOT, Module, modules, ours, report

MAX_MODULE_LINES = 400
MAX_TEST_MODULE_LINES = 500
"""A table of cases is long without being hard to follow."""
MAX_FUNCTION_LINES = 69

FORBIDDEN_IMPORTS = {
    "requests": "use httpx, which the rest uses",
    "pydantic": "use msgspec: it costs 332 ms and 24 MB less at start",
    "fastapi": "use Starlette with msgspec",
    "typer": "use click",
    "structlog": "use logging",
    "aiosqlite": "use the writer thread, or prepared SQL on the loop",
}

MONEY = (
    "loyalty/",
    "agent/till_agent/balances.py",
    "agent/till_agent/desk/",
    "cloud/till_cloud/ledger/",
    "sync/till_sync/ops.py",
    "sync/till_sync/wire.py",
)
"""Where money and points are worked out or carried; no float may come near."""

MAY_SLEEP = {
    "agent/till_agent/cache/turns.py": "the cache's writer thread, half a millisecond between two turns, for sales",
    "drivers/till_drivers/spool.py": "the print queue's own thread, between two tries to open its file",
    "installer/till_installer/demo/processes.py": "the demo has no loop: it waits for the programs that it started",
    "installer/till_installer/demo/stage.py": "the same, for their queues to empty",
    "installer/till_installer/demo/play.py": "the same, between two scans of one card",
    "installer/till_installer/upgrade/pausing.py": "an upgrader has no loop either: it waits for programs and people",
}
"""Files that may call time.sleep, and why; all else waits on a clock that tests can move."""

FORBIDDEN_CALLS = {
    ("datetime", "utcnow"): "it gives a time without its zone",
    ("datetime", "utcfromtimestamp"): "it gives a time without its zone",
    ("asyncio", "get_event_loop"): "use asyncio.get_running_loop",
}

DIRECTIVES = (
    (re.compile(r"#\s*noqa"), re.compile(r"#\s*noqa: [A-Z]+\d+(?:, ?[A-Z]+\d+)*(?P<reason>.*)")),
    (re.compile(r"#\s*type:\s*ignore"), re.compile(r"#\s*type: ignore\[[\w, -]+\](?P<reason>.*)")),
    (re.compile(r"#\s*pyright:\s*ignore"), re.compile(r"#\s*pyright: ignore\[[\w, -]+\](?P<reason>.*)")),
)
"""What silences a checker, and how it has to look: with the rule's name and a reason."""

REASON_REACH_LINES = 3
"""A reason that doesn't fit on the line stands in a comment this close above it, or in the one below."""


def functions(module: Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """All functions of a module, methods and inner ones too."""
    return (node for node in module.nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def dotted(node: ast.expr) -> tuple[str, ...]:
    """The names of `a.b.c`; of anything else, what can be told."""
    if isinstance(node, ast.Attribute):
        return (*dotted(node.value), node.attr)
    return (node.id,) if isinstance(node, ast.Name) else ()


def test_there_is_code_to_read() -> None:
    """A wrong root would let every rule pass."""
    assert {module.path.partition("/")[0] for module in ours()} == set(FOLDERS)
    assert len(modules()) > 100


def test_no_module_is_too_long() -> None:
    """A module that needs more than 400 lines is two modules."""
    found: list[str] = []
    for module in modules():
        lines = len(module.text.splitlines())
        limit = MAX_TEST_MODULE_LINES if module.path.startswith("tests/") else MAX_MODULE_LINES
        if lines > limit:
            found.append(f"{module.path}: {lines} lines, expected at most {limit}")
    report(found)


def test_no_function_is_too_long() -> None:
    """A function fits on a screen."""
    report(
        [
            f"{module.path}:{function.lineno}: {function.name} has {lines} lines, expected at most {MAX_FUNCTION_LINES}"
            for module in modules()
            for function in functions(module)
            if (lines := (function.end_lineno or 0) - function.lineno + 1) > MAX_FUNCTION_LINES
        ]
    )


def test_every_python_file_says_what_it_is_for() -> None:
    """In a docstring at its top."""
    report(
        [
            f"{module.path}: expected a docstring"
            for module in modules()
            if module.text.strip() and not ast.get_docstring(module.tree)
        ]
    )


def test_nothing_is_left_unimplemented() -> None:
    """What isn't there yet isn't pretended."""
    report(
        [
            f"{module.path}:{node.lineno}: expected working code, not NotImplementedError"
            for module in ours()
            for node in module.nodes
            if isinstance(node, ast.Raise) and "NotImplementedError" in ast.dump(node)
        ]
    )


def test_no_assert_outside_tests() -> None:
    """`python -O` drops them; `till_loyalty.exceptions.invariant` or a plain raise stays."""
    report(
        [
            f"{module.path}:{node.lineno}: expected invariant(...) or raise, not assert"
            for module in ours()
            for node in module.nodes
            if isinstance(node, ast.Assert)
        ]
    )


def test_nothing_is_printed_past_click_and_the_log() -> None:
    """`print` knows nothing of closed pipes, of standard error, or of the console's encoding."""
    report(
        [
            f"{module.path}:{node.lineno}: expected click.echo or a logger, not print"
            for module in ours()
            for node in module.nodes
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
        ]
    )


def test_no_forbidden_package_is_imported() -> None:
    """Each was measured and left out (08 of the design), or does what another one does here."""
    found: list[str] = []
    for module in modules():
        for node in module.nodes:
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module or ""]
            for name in names:
                why = FORBIDDEN_IMPORTS.get(name.partition(".")[0])
                if why and (module.is_ours or name.startswith("requests")):
                    found.append(f"{module.path}:{node.lineno}: {name} is not used here: {why}")
    report(found)


def test_no_forbidden_call_is_made() -> None:
    """Times without a zone, loops from nowhere, and sleeps that no test can shorten."""
    found: list[str] = []
    for module in ours():
        for node in module.nodes:
            if not isinstance(node, ast.Call):
                continue
            name = dotted(node.func)[-2:]
            if name in FORBIDDEN_CALLS:
                found.append(f"{module.path}:{node.lineno}: {'.'.join(name)}: {FORBIDDEN_CALLS[name]}")
            if name == ("time", "sleep") and module.path not in MAY_SLEEP:
                found.append(f"{module.path}:{node.lineno}: expected an injected clock's sleep, not time.sleep")
    report(found)


def floats_in(tree: ast.AST) -> Iterator[int]:
    """Lines with a float: a literal, the name `float`, a true division, a decimal."""
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=float() | complex()):
                yield node.lineno
            case ast.BinOp(op=ast.Div()) | ast.AugAssign(op=ast.Div()):
                yield node.lineno
            case ast.Name(id="float" | "Decimal" | "Fraction"):
                yield node.lineno


def test_no_float_comes_near_money() -> None:
    """Neither a literal, nor a division that makes one, nor the type."""
    watched = [module for module in ours() if module.path.startswith(MONEY)]
    assert {folder for folder in MONEY if any(module.path.startswith(folder) for module in watched)} >= {"loyalty/"}
    report([f"{module.path}:{line}: expected whole units" for module in watched for line in floats_in(module.tree)])


@pytest.mark.parametrize("code", ["x = 1.5", "x = a / b", "x /= 2", "x: float = 1", "float(x)", "Decimal('1')", "1e3"])
def test_the_rule_against_floats_sees_them(code: str) -> None:
    """A rule that can't fail is none."""
    assert list(floats_in(ast.parse(code)))


def silenced_without_reason(text: str) -> Iterator[tuple[int, str]]:
    """Lines and comments that silence a checker without naming the rule or saying why."""
    if not any(mark.search(text) for mark, _ in DIRECTIVES):
        return
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    comments = {token.start[0]: token.string for token in tokens if token.type == tokenize.COMMENT}
    plain = {line for line, comment in comments.items() if not any(mark.search(comment) for mark, _ in DIRECTIVES)}
    for line, comment in comments.items():
        for mark, wanted in DIRECTIVES:
            if mark.search(comment):
                match = wanted.search(comment)
                near = plain & set(range(line - REASON_REACH_LINES, line + 2))
                if match is None or not (near or len(match["reason"].split()) > 2):
                    yield line, comment


def test_what_is_switched_off_is_switched_off_for_a_reason() -> None:
    """Each `noqa`, `type: ignore` and `pyright: ignore` names what it silences and says why."""
    report(
        [
            f"{module.path}:{line}: expected a rule and a reason, not {comment!r}"
            for module in modules()
            for line, comment in silenced_without_reason(module.text)
        ]
    )


@pytest.mark.parametrize(
    ("comment", "alone", "below_a_comment"),
    [
        ("# a plain comment", True, True),
        ("# noqa", False, False),
        ("# noqa: S603", False, True),
        ("# noqa: S603 - ours", False, True),
        ("# noqa: S603, S607 - we made the path ourselves", True, True),
        ("# type: ignore", False, False),
        ("# type: ignore  # because it is so", False, False),
        ("# type: ignore[arg-type]", False, True),
        ("# type: ignore[arg-type]  # click names them itself", True, True),
        ("# pyright: ignore[reportPrivateUsage]", False, True),
        ("# pyright: ignore[reportPrivateUsage]  # the test looks inside", True, True),
    ],
)
def test_the_rule_for_reasons_tells_good_from_bad(comment: str, alone: bool, below_a_comment: bool) -> None:
    """A comment close above counts as a reason, one far above doesn't; a rule's name is always wanted."""
    assert (not list(silenced_without_reason(f"x = 1  {comment}\n"))) is alone
    assert (not list(silenced_without_reason(f"# why\nx = 1  {comment}\n"))) is below_a_comment
    assert (not list(silenced_without_reason(f"# why\n\n\n\nx = 1  {comment}\n"))) is alone


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_is_marked_as_typed(package: str) -> None:
    """Else nobody's type checker looks at its types."""
    assert (ROOT / package.removeprefix("till_") / package / "py.typed").is_file()


def test_errors_are_drawn_as_a_tree_and_say_when_they_are_raised() -> None:
    """One `exceptions.py` a package; its docstring names every class, each class says "Raised when" or is a base."""
    found: list[str] = []
    for module in ours():
        if not module.path.endswith("/exceptions.py"):
            continue
        drawn = ast.get_docstring(module.tree) or ""
        for node in module.tree.body:
            if not isinstance(node, ast.ClassDef) or not node.bases or dotted(node.bases[0])[-1:] == ("Struct",):
                continue
            said = ast.get_docstring(node) or ""
            if node.name not in drawn:
                found.append(f"{module.path}:{node.lineno}: {node.name} is missing in the tree of the docstring")
            if not said.startswith(("Raised when", "Base of")):
                found.append(f"{module.path}:{node.lineno}: {node.name} doesn't say when it is raised")
    report(found)

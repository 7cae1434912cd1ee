"""The house rules for files that aren't code: links, names of machines, packaging, lock files."""

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from house.tree import FOLDERS, PACKAGES, ROOT, files, report, texts

LEFT_OVER = re.compile(rf"\b(?:{'TO' + 'DO'}|{'FIX' + 'ME'})\b")
ONE_MACHINE = re.compile(r"(?<![\w.-])/(?:home|root|work)/\w")
HOSTS = [
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("npmjs", "com"),
        ("debian", "org/debian"),
        ("crates", "io"),
        ("golang", "org"),
        ("docker", "io"),
    )
]
"""Addresses of package registries. Installs follow the machine's own settings, so none belongs into the tree."""

LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)(?:\s+\"[^\"]*\")?\)|<(?:img|a)\b[^>]*?(?:src|href)=\"([^\"]+)\"")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
MAKE_COMMAND = re.compile(r"(?:`|^\s*\$?\s*)make ([a-z][a-z-]*)", re.MULTILINE)
MAKE_TARGET = re.compile(r"^([a-z][a-z-]*):", re.MULTILINE)


def pages() -> dict[str, str]:
    """All Markdown files."""
    return {name: text for name, text in texts().items() if name.endswith(".md")}


def find(pattern: re.Pattern[str], words: str) -> list[str]:
    """Every line of the repository's texts that the pattern finds something in."""
    return [
        f"{name}:{number}: {words}: {line.strip()[:100]}"
        for name, text in texts().items()
        for number, line in enumerate(text.splitlines(), start=1)
        if pattern.search(line)
    ]


def test_nothing_is_marked_as_left_to_do() -> None:
    """What is to be done is an issue, not a comment."""
    report(find(LEFT_OVER, "left to do"))


def test_no_path_of_one_machine_is_written_down() -> None:
    """A checkout works wherever it lies."""
    report(find(ONE_MACHINE, "a path of one machine"))


def test_no_registry_is_named() -> None:
    """Lock files included: they hold hashes, not addresses."""
    hosts = re.compile("|".join(re.escape(host) for host in HOSTS) + r"|--(?:extra-)?index-url\s+\S*:")
    report(find(hosts, "a registry's address"))
    report([f"{name}: a registry's address" for name in files() if name.endswith(".lock") and in_lock(name, hosts)])


def in_lock(name: str, pattern: re.Pattern[str]) -> bool:
    """Whether a lock file has it."""
    return pattern.search((ROOT / name).read_text("utf-8")) is not None


def slug(heading: str) -> str:
    """The anchor that a heading gets on the web."""
    text = re.sub(r"[`*_]|\[([^\]]*)\]\([^)]*\)", lambda match: match[1] or "", heading.strip().lower())
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


def anchors(text: str) -> set[str]:
    """All anchors of a page."""
    return {slug(heading) for heading in re.findall(r"^#+\s+(.+)$", FENCE.sub("", text), re.MULTILINE)}


def test_every_relative_link_leads_somewhere() -> None:
    """To a file of the repository, and to a heading in it where one is named."""
    found: list[str] = []
    for name, text in pages().items():
        for match in LINK.finditer(FENCE.sub("", text)):
            link = match[1] or match[2]
            if re.match(r"[a-z][a-z0-9+.-]*:", link):
                continue
            path, _, anchor = link.partition("#")
            target = (ROOT / name).parent / path if path else ROOT / name
            if not target.resolve().is_relative_to(ROOT) or not target.exists():
                found.append(f"{name}: the link {link} leads nowhere")
            elif anchor and target.suffix == ".md" and anchor not in anchors(target.read_text("utf-8")):
                found.append(f"{name}: the link {link} names no heading of that page")
    report(found)


def test_every_make_target_that_is_named_exists() -> None:
    """In README, CONTRIBUTING and the documentation."""
    targets = set(MAKE_TARGET.findall((ROOT / "Makefile").read_text("utf-8")))
    report(
        [
            f"{name}: `make {target}` is not in the Makefile"
            for name, text in pages().items()
            for target in MAKE_COMMAND.findall(text)
            if target not in targets
        ]
    )


def test_the_promised_make_targets_exist() -> None:
    """Those that a newcomer is told of."""
    targets = set(MAKE_TARGET.findall((ROOT / "Makefile").read_text("utf-8")))
    assert targets >= {"demo", "test", "lint", "types", "bench", "sim", "soak", "wheel", "clean", "help"}


def test_every_decision_is_in_the_index() -> None:
    """Each linked from docs/decisions/README.md, no two with one number."""
    folder = "docs/decisions/"
    records = sorted(name.removeprefix(folder) for name in files() if re.match(folder + r"\d{4}-.*\.md$", name))
    index = texts()[folder + "README.md"]
    assert [record for record in records if f"]({record})" not in index] == []
    assert len({record[:4] for record in records}) == len(records)


def test_the_layers_hold() -> None:
    """import-linter, with the contracts of pyproject.toml."""
    code = "import sys; from importlinter import cli; sys.exit(cli.lint_imports(no_cache=True))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False, timeout=100
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("lock", ["dev.lock", "till.lock"])
def test_every_dependency_is_locked_with_its_hashes(lock: str) -> None:
    """By the name that pyproject.toml gives it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    entries = re.findall(
        r"^([a-z0-9][a-z0-9._-]*)==\S+[^\n]*\\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)",
        (ROOT / "requirements" / lock).read_text("utf-8"),
        re.MULTILINE,
    )
    locked = {name.replace("_", "-") for name, _ in entries}
    needed = {re.split(r"[<>=!~;\[ ]", dependency)[0].lower() for dependency in project["dependencies"]}
    assert needed - locked == set()


@pytest.mark.skipif(os.environ.get("TILLSIDE_WHEEL") != "1", reason="only where the built wheel is tested (.ci/run)")
@pytest.mark.parametrize("package", PACKAGES)
def test_the_packages_under_test_are_those_of_the_wheel(package: str) -> None:
    """Not those of the source tree, which lies beside."""
    module = __import__(package)
    assert "site-packages" in Path(str(module.__file__)).parts
    assert not [path for path in sys.path if Path(path).resolve() in {ROOT / folder for folder in FOLDERS}]


def build(folder: Path) -> Path:
    """The wheel, built into `folder` as `make wheel` does."""
    code = "import sys; from hatchling.build import build_wheel; sys.stdout.write(build_wheel(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)], cwd=ROOT, capture_output=True, text=True, check=True, timeout=100
    )
    return folder / done.stdout.splitlines()[-1]


def test_the_wheel_has_all_that_is_needed_and_nothing_else(tmp_path: Path) -> None:
    """Every file of the packages, at its place; no test, no document; the same bytes each time."""
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    wheel = build(tmp_path / "one")
    with zipfile.ZipFile(wheel) as archive:
        inside = {name for name in archive.namelist() if ".dist-info/" not in name}
    shipped = {name.partition("/")[2] for name in files() if name.startswith(tuple(f"{folder}/" for folder in FOLDERS))}
    assert inside == shipped
    assert {f"{package}/py.typed" for package in PACKAGES} <= inside
    assert wheel.read_bytes() == build(tmp_path / "two").read_bytes()

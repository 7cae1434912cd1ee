"""What holds for every file of the pages: safe code only, words in all languages, nothing that is not there."""

import json
import re
import string
from pathlib import Path
from typing import Any

import pytest

from till_agent.pages.library import ASSETS, FILE_LIMIT_BYTES, KINDS

LANGUAGES = ("ru", "kk", "ky", "uk", "en")
FORMS = {language: {"one", "few", "many"} if language in ("ru", "uk") else {"one", "other"} for language in LANGUAGES}
PAGES = ("panel", "status")
PAGE_LIMIT_BYTES = 360_000
"""All that a page loads, its words in one language: some hundredths of a second from loopback."""

UNSAFE = re.compile(
    r"\binnerHTML\b|\bouterHTML\b|insertAdjacentHTML|document\.write|\beval\s*\(|new\s+Function|\bimport\s*\(|"
    r"setTimeout\(\s*[\"'`]|setInterval\(\s*[\"'`]|createContextualFragment|DOMParser|setHTMLUnsafe|javascript:|debugger\b"
)
ABROAD = re.compile(r"(?:https?:)?//[a-z0-9-]+\.[a-z]")
INLINE = re.compile(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)")
IMPORT = re.compile(r"(?:from|import)\s+\"([^\"]+)\"")
MENTION = re.compile(r"\b(?:href|src)=\"([^\"]+)\"")
ASKED = re.compile(r"\b(?:t|has|any)\(\s*\[?\s*(?:\"([a-z][^\"\s]*)\"|`([a-z][^`\s]*)`)")
LITERAL = re.compile(r"\"([a-z][a-z0-9_.-]*)\"|`([a-z][^`\s]*)`")


def listed(*ends: str) -> list[Path]:
    """All files of these kinds."""
    return sorted(path for path in ASSETS.rglob("*") if path.suffix in ends)


def named(path: Path) -> str:
    return path.relative_to(ASSETS).as_posix()


def words(part: str, language: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ASSETS / part / "words" / f"{language}.json").read_text(encoding="utf-8"))
    return found


def scripts(part: str) -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in listed(".js") if path.is_relative_to(ASSETS / part))


def test_every_file_is_of_a_kind_that_is_served_and_small() -> None:
    """What is not served has no business in the package."""
    for path in ASSETS.rglob("*"):
        if path.is_file():
            assert path.suffix in KINDS, named(path)
            assert path.stat().st_size <= FILE_LIMIT_BYTES, named(path)


@pytest.mark.parametrize("path", listed(".js", ".html", ".svg", ".css"), ids=named)
def test_nothing_can_become_code_and_nothing_comes_from_abroad(path: Path) -> None:
    """No text becomes HTML or code, no handler or style stands in the page, no address but the agent's own."""
    text = path.read_text(encoding="utf-8")
    code = re.sub(r"^\s*(?://|/?\*).*$", "", text, flags=re.MULTILINE) if path.suffix == ".js" else text
    code = code.replace("http://www.w3.org/2000/svg", "")
    assert not UNSAFE.findall(code)
    assert not ABROAD.findall(code)
    if path.suffix == ".html":
        assert not INLINE.findall(code)


@pytest.mark.parametrize("path", listed(".js", ".html"), ids=named)
def test_what_a_file_asks_for_is_there(path: Path) -> None:
    """Imports of scripts, and what a page's HTML names."""
    lines = path.read_text(encoding="utf-8").splitlines()
    code = "\n".join(line for line in lines if not line.lstrip().startswith(("//", "*")))
    for name in (IMPORT if path.suffix == ".js" else MENTION).findall(code):
        place = ASSETS / name[1:] if name.startswith("/") else path.parent / name
        assert place.resolve().is_file(), f"{named(path)}: {name}"


@pytest.mark.parametrize("part", [path.parent.name for path in sorted(ASSETS.glob("*/words"))])
def test_all_languages_say_the_same(part: str) -> None:
    """The same keys, the same names in braces, and each number's forms as its language has them."""
    russian = words(part, "ru")
    for language in LANGUAGES:
        told = words(part, language)
        assert told.keys() == russian.keys(), language
        for key, text in told.items():
            assert isinstance(text, dict) == isinstance(russian[key], dict), f"{language}: {key}"
            if isinstance(text, dict):
                assert set(text) == FORMS[language], f"{language}: {key}"
            texts = text.values() if isinstance(text, dict) else [text]
            assert all(each.strip() for each in texts), f"{language}: {key}"
            wanted = fields(russian[key]) - {"count"}
            assert fields(text) - {"count"} == wanted, f"{language}: {key}"


def fields(text: str | dict[str, str]) -> set[str]:
    """Names in braces."""
    joined = " ".join(text.values()) if isinstance(text, dict) else text
    return {name for _, name, _, _ in string.Formatter().parse(joined) if name}


@pytest.mark.parametrize("page", [page for page in PAGES if (ASSETS / page / "words").is_dir()])
def test_words_are_there_when_asked_for_and_asked_for_when_there(page: str) -> None:
    """A page has each text that its scripts name, and none that they don't."""
    own, common = words(page, "ru"), words("common", "ru")
    known = own.keys() | common.keys()
    code = scripts(page)
    for whole, pattern in ASKED.findall(code):
        if whole:
            assert whole in known, f"no text {whole!r}"
        elif (start := pattern.partition("${")[0]).strip("."):
            assert any(key.startswith(start) for key in known), f"no text that begins with {start!r}"
    literals = {whole for whole, _ in LITERAL.findall(code)}
    starts = tuple(start for _, pattern in LITERAL.findall(code) if "." in (start := pattern.partition("${")[0]))
    unused = [key for key in own if key not in literals and not key.startswith(starts)]
    assert not unused


@pytest.mark.parametrize("page", [page for page in PAGES if (ASSETS / page / "words").is_dir()])
def test_a_page_is_small(page: str) -> None:
    """All that its scripts can load, with the words of one language."""
    parts = (page, "common", "client")
    total = sum(
        path.stat().st_size for path in listed(*KINDS) if path.suffix != ".json" and named(path).split("/")[0] in parts
    )
    total += max(len(json.dumps(words(part, "ru"), ensure_ascii=False).encode()) for part in (page, "common"))
    assert total <= PAGE_LIMIT_BYTES, total

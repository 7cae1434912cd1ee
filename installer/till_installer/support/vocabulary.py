"""The words that our own programs speak in: of free text only these go out, so that no name of a person does.

They are read from the programs themselves. A name is no word of ours, whatever alphabet it is written in; nor is a
password, nor the folder of somebody's home.
"""

import re
from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path

PACKAGES = ("till_agent", "till_config", "till_drivers", "till_installer", "till_loyalty", "till_sync")
MORE = (
    "errno refused reset broken pipe timed out unreachable network host temporary failure resolution certificate "
    "verify failed expired hostname mismatch self signed issuer permission denied such directory exists device busy "
    "input output read only system space left locked malformed image disk database"
)
"""What the operating system and SQLite say."""
LEAST_LENGTH = 2
DIGITS_LIMIT = 5
"""More of them may be a part of a number that means somebody."""
_WORD = re.compile(r"[^\W\d_]+")
_DIGITS = re.compile(rf"\d{{{DIGITS_LIMIT + 1},}}")
_ASCII_WORD = re.compile(rb"[A-Za-z]+")
_STRINGS = re.compile(r"\"{3}.*?\"{3}|#[^\n]*", re.DOTALL)


@cache
def vocabulary() -> frozenset[str]:
    """Words of the code, lower case: neither comments nor descriptions, where examples name people."""
    words = set(MORE.split())
    for package in PACKAGES:
        folder = Path(str(import_module(package).__file__)).parent
        for path in folder.rglob("*.py"):
            # Its people have names.
            if "demo" in path.parts:
                continue
            code = _STRINGS.sub("", path.read_text("utf-8", errors="replace"))
            words |= {word.decode().lower() for word in _ASCII_WORD.findall(code.encode("ascii", "replace"))}
    return frozenset(words)


def spoken(text: str, *, words: Callable[[], frozenset[str]] = vocabulary) -> str:
    """`text` with every word that is none of ours, and every long number, struck out."""
    known = words()

    def kept(found: re.Match[str]) -> str:
        word = found[0]
        return word if len(word) < LEAST_LENGTH or (word.lower() in known and word.isascii()) else "[word]"

    return _DIGITS.sub("[digits]", _WORD.sub(kept, text))

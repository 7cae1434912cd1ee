"""Sentences for store IT, by code, in the five languages of the product: `data/store/<language>.toml`.

Loaded when somebody looks. Values are put in as they are: numbers of things, names, and drivers' own words.
"""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from till_agent.exceptions import TextMissing

ENGLISH = "en"
"""Of the log and the command line, and where nobody says another one."""


@cache
def store_catalogue(language: str) -> Mapping[str, Mapping[str, str]]:
    """The sentences of one language, by section: problems, parts, roles, states, fixes."""
    path = files("till_agent") / "data" / "store" / f"{language}.toml"
    return MappingProxyType(tomllib.loads(path.read_text(encoding="utf-8")))


def store_text(language: str, section: str, code: str, values: Mapping[str, Any] | None = None) -> str:
    """One sentence with its values; TextMissing for a code or a value that is not there."""
    try:
        return store_catalogue(language)[section][code].format_map(values or {})
    except (KeyError, FileNotFoundError) as exc:
        raise TextMissing(f"expected {section}.{code} in {language}, not {exc}") from exc

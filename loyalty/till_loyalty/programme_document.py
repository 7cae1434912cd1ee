"""Programme documents: TOML for people, JSON on the wire; every fault found, with its place; one canonical text.

Decision: docs/decisions/0003-programme-format.md. Fields: docs/reference/programme.md.
"""

import hashlib
import json
import tomllib
from datetime import date, datetime, time
from importlib import resources
from typing import Any

import msgspec

from till_loyalty.document_types import check_value
from till_loyalty.exceptions import ProgrammeError
from till_loyalty.programme import Programme
from till_loyalty.programme_checks import programme_problems

DOCUMENT_LIMIT_BYTES = 4 * 1024 * 1024
"""Lists of 100,000 SKUs fit; larger lists belong to the catalogue, and a till keeps this in memory."""
PROBLEMS_SHOWN = 200
"""A document in the wrong format would give a problem a line; nobody reads past these."""
EXAMPLES = ("supermarket", "russia", "pharmacy", "clothing", "x5")

_encoder = msgspec.json.Encoder(order="deterministic")
_decoder = msgspec.json.Decoder(Programme)


def parse_programme(text: str | bytes, *, suffix: str = ".toml") -> Programme:
    """The programme that a document describes; `suffix` is `.toml` or `.json`, in any case, the dot at will.

    ProgrammeError carries all problems, each as `place: expected ..., not ...` with places such as
    `rules[2].percent_basis_points`. No other error leaves this function, whatever the bytes.
    """
    data = _load(_text_of(text), "." + suffix.lower().removeprefix("."))
    problems: list[str] = []

    def report(place: str, sentence: str) -> None:
        problems.append(f"{place or 'document'}: {sentence}")

    check_value(data, Programme, "", report)
    if problems:
        raise ProgrammeError(_shortened(problems))
    programme = msgspec.convert(data, Programme)
    problems = [f"{place}: {sentence}" for place, sentence in programme_problems(programme)]
    if problems:
        raise ProgrammeError(_shortened(problems))
    return programme


def decode_programme(canonical: str | bytes) -> Programme:
    """The programme of a canonical text that was checked where it was made: types only, so far faster.

    ProgrammeError when the text is not a programme of this format.
    """
    try:
        return _decoder.decode(canonical)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ProgrammeError((f"document: expected the canonical text of a programme: {error}",)) from None


def programme_json(programme: Programme) -> str:
    """The one text of a programme: JSON, fields in order of definition, defaults left out, mapping keys sorted."""
    return _encoder.encode(programme).decode()


def digest(text: str) -> str:
    """Hex SHA-256 of a programme's canonical text: what sales name the programme by."""
    return hashlib.sha256(text.encode()).hexdigest()


def example_text(name: str) -> str:
    """TOML text of a programme that Tillside ships, by its name in `EXAMPLES`."""
    if name not in EXAMPLES:
        raise ProgrammeError((f"document: expected one of {', '.join(EXAMPLES)}, not {name!r}",))
    return resources.files("till_loyalty").joinpath("data", "examples", f"{name}.toml").read_text(encoding="utf-8")


def _text_of(text: str | bytes) -> str:
    if len(text) > DOCUMENT_LIMIT_BYTES:
        raise ProgrammeError((f"document: expected at most {DOCUMENT_LIMIT_BYTES} bytes, not {len(text)}",))
    if isinstance(text, str):
        return text.removeprefix("\ufeff")
    try:
        return text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ProgrammeError((f"byte {error.start}: expected UTF-8 text, not {text[error.start]:#04x}",)) from None


def _load(text: str, suffix: str) -> Any:
    """Plain data of the document; a syntax error is one problem with line and column."""
    try:
        if suffix == ".json":
            return json.loads(text, object_pairs_hook=_no_name_twice)
        if suffix == ".toml":
            return _dates_as_text(tomllib.loads(text))
    except json.JSONDecodeError as error:
        raise ProgrammeError((f"line {error.lineno}, column {error.colno}: expected JSON: {error.msg}",)) from None
    except RecursionError:
        raise ProgrammeError(("document: expected lists and tables a few levels deep, not hundreds",)) from None
    except ValueError as error:  # TOMLDecodeError, and both readers' refusal of absurdly long numbers
        raise ProgrammeError((f"document: expected {suffix[1:].upper()}: {error}",)) from None
    raise ProgrammeError((f"document: expected a .toml or .json document, not {suffix!r}",))


def _dates_as_text(value: Any) -> Any:
    """The same data with TOML's own dates and times as the texts that the format has for them."""
    if isinstance(value, dict):
        return {name: _dates_as_text(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_dates_as_text(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    if isinstance(value, date):
        return value.isoformat()
    return value.isoformat(timespec="minutes") if isinstance(value, time) else value


def _no_name_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table: dict[str, Any] = {}
    for name, value in pairs:
        if name in table:
            raise ValueError(f"the field {name!r} is there twice")
        table[name] = value
    return table


def _shortened(problems: list[str]) -> tuple[str, ...]:
    # Names are the document's own, and may hold what no terminal can print.
    problems = [problem.encode("utf-8", "backslashreplace").decode() for problem in problems]
    if len(problems) <= PROBLEMS_SHOWN:
        return tuple(problems)
    return (*problems[:PROBLEMS_SHOWN], f"document: and {len(problems) - PROBLEMS_SHOWN} more")

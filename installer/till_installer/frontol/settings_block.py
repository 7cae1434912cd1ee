"""The settings at the top of the scenario: read, checked, and written without touching anything else. Pure."""

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from till_installer.frontol.exceptions import SettingsBlockError

FIRST, LAST = "// <settings>", "// </settings>"
_LINE = re.compile(r"^    (?P<name>[A-Za-z][A-Za-z0-9]*): (?P<value>.*?)(?P<comma>,?)$")
_FRAME = re.compile(r"^(var tillsideSettings = \{|\};|    //.*|\s*)$")

PortNumber = Annotated[int, Meta(ge=1, le=65_535)]
WaitMs = Annotated[int, Meta(ge=50, le=60_000)]
Code = Annotated[int, Meta(ge=0, le=10**9)]


class ScriptSettings(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What each setting may be; their meaning is told in the scenario itself."""

    port: PortNumber
    token: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{43}$")]
    language: Literal["ru", "kk", "ky", "uk", "en"]
    connect_ms: WaitMs
    answer_ms: WaitMs
    sale_ms: WaitMs
    pause_ms: Annotated[int, Meta(ge=0, le=600_000)]
    redemption: Literal["payment", "discount", "none"]
    payment_code: Code
    redeem_event: str
    discount_event: str
    hold_minutes: Annotated[int, Meta(ge=1, le=60)]
    slip: Literal["receipt", "agent", "both", "none"]
    show: Literal["all", "warnings", "nothing"]
    receipt_uid: Literal["number", "frontol"]
    sale_types: Annotated[tuple[Code, ...], Meta(min_length=1)]
    return_types: tuple[Code, ...]
    payments: dict[str, str]
    card_types: tuple[Code, ...]
    categories: Literal["code", "name", "none"]
    categories_from: Literal["nearest", "root"]
    minimum_prices: bool


def read_settings(text: str) -> dict[str, Any]:
    """Names and values of the block. SettingsBlockError names the line that is none of it."""
    found: dict[str, Any] = {}
    start, lines = _block(text)
    for number, line in enumerate(lines, start + 1):
        matched = _LINE.match(line)
        if matched is None:
            if not _FRAME.match(line):
                raise SettingsBlockError(f"line {number}: expected `name: value,` or a comment, not {line.strip()!r}")
            continue
        try:
            found[matched["name"]] = json.loads(matched["value"])
        except ValueError as exc:
            raise SettingsBlockError(
                f'line {number}: expected a value such as 3, "text", true or [1, 2], not {matched["value"]!r}'
            ) from exc
    _expect_commas(start, lines)
    return found


def _expect_commas(start: int, lines: list[str]) -> None:
    """One between two settings and none after the last: older engines refuse it, or count one setting too many."""
    rows = [(number, matched) for number, line in enumerate(lines, start + 1) if (matched := _LINE.match(line))]
    for place, (number, matched) in enumerate(rows):
        wanted = "," if place < len(rows) - 1 else ""
        if matched["comma"] != wanted:
            raise SettingsBlockError(f"line {number}: expected {'a' if wanted else 'no'} comma at its end")


def filled(text: str, values: Mapping[str, Any]) -> str:
    """The scenario with these values in its block; names that it doesn't have are left out."""
    start, lines = _block(text)
    all_lines = text.split("\n")
    for offset, line in enumerate(lines):
        matched = _LINE.match(line)
        if matched is not None and matched["name"] in values:
            value = json.dumps(values[matched["name"]])
            all_lines[start + offset] = f"    {matched['name']}: {value}{matched['comma']}"
    return "\n".join(all_lines)


def without_settings(text: str) -> str:
    """What comes with Tillside: all but the block."""
    start, lines = _block(text)
    kept = text.split("\n")
    return "\n".join(kept[:start] + kept[start + len(lines) :])


def faults(values: Mapping[str, Any]) -> list[str]:
    """What is wrong with the values, one sentence each; nothing when the scenario can work with them."""
    found: list[str] = []
    for field in msgspec.structs.fields(ScriptSettings):
        name = field.encode_name
        if name not in values:
            found.append(f"{name} is missing")
            continue
        try:
            msgspec.convert(values[name], field.type)
        except msgspec.ValidationError as exc:
            shown = "another value" if name == "token" else json.dumps(values[name])
            found.append(f"{name}: {str(exc).replace('`', '')[:120]}, not {shown}")
    if found:
        return found
    known = {field.encode_name for field in msgspec.structs.fields(ScriptSettings)}
    found += [f"{name} is no setting of this version" for name in sorted(set(values) - known)]
    if values["redemption"] == "discount" and not values["redeemEvent"]:
        found.append('redeemEvent is empty, but redemption is "discount": name the marketing event')
    odd = sorted(set(values["payments"].values()) - {"cash", "card", "other"})
    found += [f'payments: expected "cash", "card" or "other", not "{kind}"' for kind in odd]
    if str(values["paymentCode"]) in values["payments"] and values["paymentCode"]:
        found.append(f"payments names {values['paymentCode']}, which is the payment by points")
    return found


def _block(text: str) -> tuple[int, list[str]]:
    """Number of the block's first line (from 0), and its lines between the two marks."""
    lines = text.split("\n")
    first = [index for index, line in enumerate(lines) if line.startswith(FIRST)]
    last = [index for index, line in enumerate(lines) if line.startswith(LAST)]
    if len(first) != 1 or len(last) != 1 or first[0] > last[0]:
        raise SettingsBlockError(f"expected one line that begins with {FIRST} and one with {LAST} after it")
    return first[0] + 1, lines[first[0] + 1 : last[0]]

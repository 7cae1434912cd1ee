"""The bridge's description as the client kit is made from it: calls, and what each language does alike."""

import json
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

AGAIN = frozenset({"identify", "quote", "sync_now"})
"""POST that changes nothing, or nothing more when it is done twice. GET, PUT and DELETE may be repeated by nature."""
CAREFUL = {"hold": "pin", "register": "code", "confirm": "code"}
"""May be repeated too, but for what is in this field: a wrong one would use up two tries."""
QUICK = frozenset({"identify", "quote", "hold", "coupon", "livez", "readyz"})
SLOW = frozenset({"sync_now"})
BY_HAND = frozenset({"events"})
"""Written by hand: its answer never ends."""
Schema = dict[str, Any]


@dataclass(frozen=True)
class Call:
    """One operation as a method."""

    path: str
    method: str
    described: Schema

    @property
    def id(self) -> str:
        found: str = self.described["operationId"]
        return found

    @property
    def camel(self) -> str:
        """Its name in JavaScript."""
        head, *rest = self.id.split("_")
        return head + "".join(word.capitalize() for word in rest)

    def parameters(self, place: str) -> list[Schema]:
        """Of the path or of the query, in order."""
        return [each for each in self.described.get("parameters", []) if each["in"] == place]

    @property
    def request(self) -> str:
        """Name of the body's type, "" when there is none."""
        body = self.described.get("requestBody")
        return "" if body is None else name_of(body["content"]["application/json"]["schema"]["$ref"])

    @property
    def media(self) -> Schema:
        """What a good answer may be, by media type."""
        good = min(status for status in self.described["responses"] if status.startswith("2"))
        found: Schema = self.described["responses"][good].get("content", {})
        return found

    @property
    def answer(self) -> str:
        """Name of the answer's type, "" when it has none."""
        schema = self.media.get("application/json", {}).get("schema", {})
        return name_of(schema["$ref"]) if "$ref" in schema else ""

    @property
    def also(self) -> list[int]:
        """Statuses from 400 on that are answers of the same type."""
        found = []
        for status, response in self.described["responses"].items():
            if int(status) >= 400 and "application/json" in response.get("content", {}):
                found.append(int(status))
        return found

    @property
    def again(self) -> bool:
        """Whether it may be repeated when nobody knows if it was done."""
        replays = any("Idempotent-Replay" in each.get("headers", {}) for each in self.described["responses"].values())
        return self.method != "post" or replays or self.id in AGAIN or self.id in CAREFUL

    @property
    def pace(self) -> str:
        return "QUICK" if self.id in QUICK else "SLOW" if self.id in SLOW else "USUAL"


class Description:
    """The calls and types of the bridge."""

    def __init__(self, text: str) -> None:
        self.document: Schema = json.loads(text)

    @cached_property
    def calls(self) -> list[Call]:
        """In the order of the description."""
        return [
            Call(path, method, described)
            for path, methods in self.document["paths"].items()
            for method, described in methods.items()
        ]

    @property
    def types(self) -> dict[str, Schema]:
        """But for Problem, which each language has its own way with."""
        found: dict[str, Schema] = self.document["components"]["schemas"]
        return {name: schema for name, schema in found.items() if name != "Problem"}


def told(text: str, indent: str) -> Iterator[str]:
    """Lines of at most 120 letters; those of the text stay apart."""
    for line in text.strip().splitlines():
        yield from textwrap.wrap(
            line.strip(), 120, initial_indent=indent, subsequent_indent=indent + ("  " if line.startswith("@") else "")
        ) or [indent.rstrip()]


def name_of(reference: str) -> str:
    return reference.rpartition("/")[2]

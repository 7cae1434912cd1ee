"""Writes the parts of the client kit that follow from docs/reference/openapi.json: calls and types.

`make reference` calls it; a test holds the files to the description.
"""

import json
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
OPENAPI = ROOT / "docs/reference/openapi.json"
JAVASCRIPT = ROOT / "agent/till_agent/pages/assets/client/tillside.js"

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
        return "" if body is None else _name(body["content"]["application/json"]["schema"]["$ref"])

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
        return _name(schema["$ref"]) if "$ref" in schema else ""

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


def javascript(text: str, description: Description) -> str:
    """The module with its made parts written anew."""
    types = [line for name, schema in description.types.items() for line in _typedef(name, schema)]
    calls = [line for call in description.calls if call.id not in BY_HAND for line in _javascript_method(call)]
    return _between(_between(text, "types", types), "calls", calls)


def _between(text: str, mark: str, lines: list[str]) -> str:
    made = "".join(f"{line}\n" for line in lines)
    return re.sub(rf"(// <{mark}>[^\n]*\n).*?( *// </{mark}>)", lambda m: m[1] + made + m[2], text, flags=re.DOTALL)


def _typedef(name: str, schema: Schema) -> Iterator[str]:
    required = schema.get("required", [])
    yield "/**"
    yield from _told(schema.get("description", ""), " * ")
    yield f" * @typedef {{object}} {name}"
    for field, inner in schema["properties"].items():
        shown = field if field in required else f"[{field}]"
        yield from _told(f"@property {{{_javascript_type(inner)}}} {shown}", " * ")
    yield " */"


def _javascript_type(schema: Schema) -> str:
    if "$ref" in schema:
        return _name(schema["$ref"])
    if "enum" in schema:
        return " | ".join(json.dumps(each) for each in schema["enum"])
    if "anyOf" in schema:
        return " | ".join(_javascript_type(each) for each in schema["anyOf"])
    kind = schema.get("type")
    if kind == "array":
        inner = _javascript_type(schema.get("items", {}))
        return f"({inner})[]" if "|" in inner else f"{inner}[]"
    if kind == "object":
        return f"Object<string, {_javascript_type(schema.get('additionalProperties', {}))}>"
    return {"string": "string", "integer": "number", "boolean": "boolean", "null": "null", None: "any"}[kind]


def _javascript_method(call: Call) -> Iterator[str]:
    path, query = call.parameters("path"), [each["name"] for each in call.parameters("query")]
    words = [each["name"] for each in path] + (["body"] if call.request else [])
    yield ""
    yield "  /**"
    yield from _told(call.described["summary"], "   * ")
    for parameter in path:
        yield f"   * @param {{string}} {parameter['name']}"
    if call.request:
        yield f"   * @param {{{call.request}}} body"
    asked = ", ".join(f"{each['name']}?: {_javascript_type(each['schema'])}" for each in call.parameters("query"))
    options = f"CallOptions & {{{asked}}}" if asked else "CallOptions"
    yield from _told(f"@param {{{options}}} [options]", "   * ")
    yield f"   * @returns {{Promise<{_javascript_answer(call)}>}}"
    yield "   */"
    yield f"  {call.camel}({', '.join([*words, 'options = {}'])}) {{"
    steps = [each[1:-1] if each.startswith("{") else json.dumps(each) for each in call.path.strip("/").split("/")]
    yield f'    return this._call("{call.id}", "{call.method.upper()}", [{", ".join(steps)}], {{'
    if call.request:
        yield "      body,"
    if query:
        yield f"      query: {{ {', '.join(f'{name}: options.{name}' for name in query)} }},"
    yield f"      again: {f'!body.{CAREFUL[call.id]}' if call.id in CAREFUL else json.dumps(call.again)},"
    yield f"      timeoutMs: {call.pace}_MS,"
    if call.also:
        yield f"      also: {json.dumps(call.also)},"
    yield "      options,"
    yield "    });"
    yield "  }"


def _javascript_answer(call: Call) -> str:
    if not call.media:
        return "void"
    kinds = []
    for media in call.media:
        bare = media.partition(";")[0]
        if bare == "application/json":
            kinds.append(call.answer or "Object<string, any>")
        elif bare.startswith("text/"):
            kinds.append("string")
        else:
            kinds.append("any" if bare.endswith("+json") else "Uint8Array")
    return " | ".join(dict.fromkeys(kinds))


def _told(text: str, indent: str) -> Iterator[str]:
    """Lines of at most 120 letters; those of the text stay apart."""
    for line in text.strip().splitlines():
        yield from textwrap.wrap(
            line.strip(), 120, initial_indent=indent, subsequent_indent=indent + ("  " if line.startswith("@") else "")
        ) or [indent.rstrip()]


def _name(reference: str) -> str:
    return reference.rpartition("/")[2]


def made() -> dict[Path, str]:
    """The files as they should be."""
    description = Description(OPENAPI.read_text(encoding="utf-8"))
    return {JAVASCRIPT: javascript(JAVASCRIPT.read_text(encoding="utf-8"), description)}


def main() -> None:
    """Write them."""
    for path, text in made().items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

"""The made parts of the client for JavaScript."""

import json
import re
from collections.abc import Iterator

from house.client_kit_calls import BY_HAND, CAREFUL, Call, Description, Schema, name_of, told


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
    yield from told(schema.get("description", ""), " * ")
    yield f" * @typedef {{object}} {name}"
    for field, inner in schema["properties"].items():
        shown = field if field in required else f"[{field}]"
        yield from told(f"@property {{{_javascript_type(inner)}}} {shown}", " * ")
    yield " */"


def _javascript_type(schema: Schema) -> str:
    if "$ref" in schema:
        return name_of(schema["$ref"])
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
    yield from told(call.described["summary"], "   * ")
    for parameter in path:
        yield f"   * @param {{string}} {parameter['name']}"
    if call.request:
        yield f"   * @param {{{call.request}}} body"
    asked = ", ".join(f"{each['name']}?: {_javascript_type(each['schema'])}" for each in call.parameters("query"))
    options = f"CallOptions & {{{asked}}}" if asked else "CallOptions"
    yield from told(f"@param {{{options}}} [options]", "   * ")
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

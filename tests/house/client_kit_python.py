"""The made modules of the client for Python."""

import json
import keyword
from collections.abc import Iterator

from house.client_kit_calls import BY_HAND, CAREFUL, Call, Description, Schema, told
from till_agent.bridge.operations import OPERATIONS
from till_agent.bridge.slip_operations import SLIP_KINDS

SLIPS = {'"text"': "str", '"png", "escpos"': "bytes", '"json"': "SlipBlocks", '"frontol"': "list[Any]"}
"""The type of a slip's answer is another for each format."""


def python_table(description: Description) -> str:
    """What the calls are, for both clients."""
    rows = []
    for call in description.calls:
        facts = [f'"{call.method.upper()}"', f'"{call.path}"', f"again={call.again}", f"timeout_ms={call.pace}_MS"]
        if call.id in CAREFUL:
            facts.append(f'careful="{CAREFUL[call.id]}"')
        if call.also:
            facts.append(f"also={tuple(call.also)}")
        rows.append(f'    "{call.id}": Spec({", ".join(facts)}),')
    return TABLE_HEAD + "\n".join(["", "SPECS: Final[dict[str, Spec]] = {", *rows, "}", ""])


def python_calls(description: Description, *, waits: bool) -> str:
    """The methods of one client but those that answer slips; `waits`: with async and await."""
    calls = [call for call in description.calls if call.id not in BY_HAND and call.id not in SLIP_KINDS]
    kinds = _modules()
    slips = ("AsyncSlipCalls", "async_slip_calls") if waits else ("SlipCalls", "slip_calls")
    wanted: dict[str, set[str]] = {f"till_agent.client.{slips[1]}": {slips[0]}}
    for call in calls:
        for name in filter(None, (call.request, call.answer)):
            wanted.setdefault(kinds[name], set()).add(name)
    wanted.setdefault("till_agent.api", set()).add("Language")
    body = "\n".join(line for call in calls for line in _python_method(call, waits=waits))
    head = CALLS_HEAD.format(
        about="asyncio" if waits else "programs that wait",
        imports="\n".join(
            f"from {module} import {', '.join(sorted(names))}" for module, names in sorted(wanted.items())
        ),
        name="AsyncCalls" if waits else "Calls",
        slips=slips[0],
    )
    return head + body + "\n"


def python_slip_calls(description: Description, *, waits: bool) -> str:
    """Those that answer slips, each with a type for each format."""
    calls = [call for call in description.calls if call.id in SLIP_KINDS]
    body = "\n".join(line for call in calls for line in _python_slip(call, waits=waits))
    head = SLIP_CALLS_HEAD.format(
        about="asyncio" if waits else "programs that wait",
        word="async " if waits else "",
        name="AsyncSlipCalls" if waits else "SlipCalls",
    )
    return head + body + "\n"


TABLE_HEAD = '''"""The calls of the bridge: method, path, patience. Made by `make reference`; a test keeps them."""

from typing import Final, Literal

from msgspec import Struct

QUICK_MS = 2_000
"""Waits for nobody, or for the cloud within its budget of 800 ms."""
USUAL_MS = 5_000
SLOW_MS = 15_000
"""An exchange with the cloud gives up after 10 s."""


class Spec(Struct, frozen=True):
    """`again`: may be repeated when nobody knows whether it was done, but with something in the field `careful`.

    `also`: statuses from 400 on that are answers too.
    """

    method: Literal["GET", "PUT", "POST", "DELETE"]
    path: str
    again: bool
    timeout_ms: int
    careful: str = ""
    also: tuple[int, ...] = ()

'''

CALLS_HEAD = '''"""The calls of the bridge as methods, for {about}. Made by `make reference`; a test keeps them."""

from typing import Any, Literal

{imports}


class {name}({slips}):
    """One method for each call. ClientError as `till_agent.client.exceptions` tells them."""

'''

SLIP_CALLS_HEAD = '''"""The calls that answer slips, for {about}. Made by `make reference`; a test keeps them."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Literal, TypeVar, overload

from msgspec import Struct

from till_agent.api import Language
from till_agent.bridge.shapes import SlipBlocks

T = TypeVar("T")


class {name}(ABC):
    """One method for each of them: the format that is asked for says what type the answer has."""

    @abstractmethod
    {word}def _call(
        self,
        operation: str,
        kind: type[T],
        *,
        path: Mapping[str, str] = {{}},
        query: Mapping[str, object] = {{}},
        request: Struct | None = None,
        timeout_ms: int | None = None,
    ) -> T:
        """Carry out one call; `timeout_ms` is for one attempt, the call's own when left out."""

'''


def _python_slip(call: Call, *, waits: bool) -> Iterator[str]:
    word, wait = ("async ", "await ") if waits else ("", "")
    more = "columns: int | None = None, language: Language | None = None, timeout_ms: int | None = None"
    for forms, answer in SLIPS.items():
        default = ' = "text"' if answer == "str" else ""
        yield "    @overload"
        yield f"    {word}def {call.id}("
        yield f"        self, uid: str, format: Literal[{forms}]{default}, *, {more},"
        yield f"    ) -> {answer}: ..."
    yield f"    {word}def {call.id}("
    yield "        self,"
    yield "        uid: str,"
    yield '        format: str = "text",  # noqa: A002 - the parameter is called so'
    yield f"        *, {more},"
    yield "    ) -> Any:"
    yield f'        """{call.described["summary"]}"""'
    kinds = [f"{form}: {answer}" for forms, answer in SLIPS.items() for form in forms.split(", ")]
    yield f"        kinds: dict[str, Any] = {{{', '.join(kinds)}}}"
    yield '        query = {"format": format, "columns": columns, "language": language}'
    yield (
        f'        return {wait}self._call("{call.id}", kinds.get(format, Any), path={{"uid": uid}}, query=query, '
        "timeout_ms=timeout_ms)"
    )
    yield ""


def _python_method(call: Call, *, waits: bool) -> Iterator[str]:
    path = [each["name"] for each in call.parameters("path")]
    query = {each["name"]: each["schema"] for each in call.parameters("query")}
    words = ["self", *(f"{name}: str" for name in path)]
    words += [f"request: {call.request}"] if call.request else []
    words += ["*", *(f"{name}: {_python_type(name, schema)} | None = None" for name, schema in query.items())]
    words += ["timeout_ms: int | None = None"]
    answer = _python_answer(call)
    name = call.id + "_" if keyword.iskeyword(call.id) else call.id
    given = [f'"{call.id}"', "type(None)" if answer == "None" else answer]
    given += ["path={" + ", ".join(f'"{each}": {each}' for each in path) + "}"] if path else []
    given += ["query={" + ", ".join(f'"{each}": {each}' for each in query) + "}"] if query else []
    given += ["request=request"] if call.request else []
    given += ["timeout_ms=timeout_ms"]
    yield f"    {'async ' if waits else ''}def {name}({', '.join(words)}) -> {answer}:"
    yield from told('"""' + call.described["summary"] + '"""', "        ")
    yield f"        {'' if answer == 'None' else 'return '}{'await ' if waits else ''}self._call({', '.join(given)})"
    yield ""


def _python_type(name: str, schema: Schema) -> str:
    if name == "language":
        return "Language"
    if "enum" in schema:
        return f"Literal[{', '.join(json.dumps(each) for each in schema['enum'])}]"
    return {"string": "str", "integer": "int", "boolean": "bool"}[schema["type"]]


def _python_answer(call: Call) -> str:
    if not call.media:
        return "None"
    if call.answer:
        return call.answer
    return "dict[str, Any]" if "application/json" in call.media else "str"


def _modules() -> dict[str, str]:
    """Where each type of a body or an answer is defined."""
    kinds = [kind for each in OPERATIONS for kind in (each.request, each.answer) if kind is not None]
    return {kind.__name__: kind.__module__ for kind in kinds}

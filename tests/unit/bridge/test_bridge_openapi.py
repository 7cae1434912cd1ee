"""The served description: current in docs, sound in itself, and true of the types that it shows."""

import json
import re
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jsonschema_rs
import msgspec
import pytest

from till_agent.bridge import openapi
from till_agent.bridge.examples import EXAMPLES
from till_agent.bridge.operations import OPERATIONS
from till_agent.desk.problems import PROBLEMS

ROOT = Path(__file__).resolve().parents[3]
DOCUMENT: dict[str, Any] = json.loads(openapi.encode(version("tillside")))
OF_THE_BRIDGE = {
    "config_bad",
    "device_unusable",
    "finding_undecidable",
    "finding_unknown",
    "locked_out",
    "no_config_file",
    "no_printer",
    "not_acceptable",
    "op_unknown",
    "page_off",
    "pairing_code_wrong",
    "pairing_unavailable",
    "pairing_unknown",
    "pairings_full",
    "print_unknown",
    "reload_failed",
    "tokens_unreadable",
    "too_many_listeners",
}
"""Codes of operations that are not the desk's."""


def everything(value: Any) -> Iterator[Any]:
    yield value
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for child in children:
        yield from everything(child)


def resolved(value: Any) -> Any:
    """The document's schemas as one schema with local definitions."""
    text = json.dumps(value).replace("#/components/schemas/", "#/$defs/")
    schema = json.loads(text)
    schema["$defs"] = json.loads(
        json.dumps(DOCUMENT["components"]["schemas"]).replace("#/components/schemas/", "#/$defs/")
    )
    return schema


def test_copy_in_docs_is_current() -> None:
    """`tillside agent openapi > docs/reference/openapi.json` makes it."""
    copy = ROOT / "docs" / "reference" / "openapi.json"
    if not copy.exists():
        pytest.skip("docs are not here: the wheel alone is under test")
    assert json.loads(copy.read_text(encoding="utf-8")) == DOCUMENT


def test_every_reference_leads_somewhere() -> None:
    names = [value["$ref"] for value in everything(DOCUMENT) if isinstance(value, dict) and "$ref" in value]
    assert names
    known = {f"#/components/schemas/{name}" for name in DOCUMENT["components"]["schemas"]}
    assert set(names) <= known


def test_every_schema_is_json_schema() -> None:
    for name in DOCUMENT["components"]["schemas"]:
        schema = resolved({"$ref": f"#/components/schemas/{name}"})
        jsonschema_rs.meta.validate(schema | {"$schema": "https://json-schema.org/draft/2020-12/schema"})
        jsonschema_rs.validator_for(schema)


def test_document_has_the_shape_of_openapi_3_1() -> None:
    """What a reader of OpenAPI relies on, checked by hand: the official schema needs the network."""
    assert DOCUMENT["openapi"].startswith("3.1.")
    assert {"title", "version"} <= DOCUMENT["info"].keys()
    schemes = DOCUMENT["components"]["securitySchemes"].keys()
    ids: list[str] = []
    for path, methods in DOCUMENT["paths"].items():
        assert path.startswith("/")
        for method, operation in methods.items():
            assert method in {"get", "put", "post", "delete"}
            ids.append(operation["operationId"])
            assert any(status.startswith("2") for status in operation["responses"])
            assert all(re.fullmatch("[1-5][0-9]{2}", status) for status in operation["responses"])
            assert all("description" in response for response in operation["responses"].values())
            assert {name for need in operation["security"] for name in need} <= schemes
            in_path = {each["name"] for each in operation.get("parameters", ()) if each["in"] == "path"}
            assert in_path == set(re.findall(r"{(\w+)}", path))
            assert all(each["required"] for each in operation.get("parameters", ()) if each["in"] == "path")
    assert len(ids) == len(set(ids)) == len(OPERATIONS)


def test_only_health_the_description_and_pairing_are_open() -> None:
    opened = {
        path for path, methods in DOCUMENT["paths"].items() for each in methods.values() if each["security"] == []
    }
    assert opened == {"/livez", "/readyz", "/openapi.json", "/v1/pairing"}


@pytest.mark.parametrize("place", EXAMPLES, ids=lambda place: "-".join(place))
def test_example_is_of_the_schema_that_it_stands_beside(place: tuple[str, str]) -> None:
    operation = next(each for each in OPERATIONS if each.id == place[0])
    wanted = operation.request if place[1] == "request" else operation.answer
    schema = resolved({"$ref": f"#/components/schemas/{wanted.__name__}"})
    assert jsonschema_rs.is_valid(schema, msgspec.to_builtins(EXAMPLES[place]))


def test_every_problem_that_is_promised_can_be_raised() -> None:
    """The table names the desk's codes as the desk has them, under the status that the desk gives them."""
    for operation in OPERATIONS:
        for status, codes in operation.problems.items():
            if operation.id == "readyz":
                continue
            for code in codes.split(", "):
                assert code in OF_THE_BRIDGE or PROBLEMS[code].status == status, (operation.id, code)


def test_patterns_of_parameters_agree_with_their_bounds() -> None:
    """What the description says of a number is what the path and query take."""
    for operation in OPERATIONS:
        for parameter in (*operation.path_parameters, *operation.query_parameters):
            if not parameter.integer:
                assert all(parameter.pattern.fullmatch(choice) for choice in parameter.choices)
                continue
            assert parameter.pattern.fullmatch(str(parameter.minimum))
            assert parameter.pattern.fullmatch(str(parameter.maximum))
            assert not parameter.pattern.fullmatch(str(parameter.minimum - 1))
            assert not parameter.pattern.fullmatch(str(parameter.maximum + 1))


def told(operation_id: str) -> dict[int, set[str]]:
    """The codes that the description promises for a call, by status."""
    methods = [each for methods in DOCUMENT["paths"].values() for each in methods.values()]
    responses = next(each for each in methods if each["operationId"] == operation_id)["responses"]
    return {
        int(status): {*re.findall(r"[a-z]+(?:_[a-z]+)+", each["description"])} for status, each in responses.items()
    }


def test_every_problem_of_the_desk_is_promised_by_a_call() -> None:
    """Whoever makes a client of the description meets no code that it does not name."""
    promised = [told(operation.id) for operation in OPERATIONS]
    missing = [
        code
        for code, kind in PROBLEMS.items()
        if not any(code in of_call.get(kind.status, set()) for of_call in promised)
    ]
    assert missing == []


def test_what_the_page_says_of_refused_holds_the_description_says() -> None:
    """A later list of one status does not take the place of an earlier one, either."""
    section = (ROOT / "docs/reference/bridge.md").read_text(encoding="utf-8").split("## Spending points")[1]
    of_hold = told("hold")
    rows = re.findall(r"^\| (\d{3} `.*?) \|", section.split("\n## ")[0], re.MULTILINE)
    assert rows
    for status, codes in re.findall(r"(\d{3}) ([^;|]*)", "; ".join(rows)):
        wanted = {*re.findall(r"`([a-z_]+)`", codes)} - {"retryable"}
        assert wanted <= of_hold[int(status)], (status, wanted - of_hold[int(status)])
    for calls, status, codes in (
        (("identify", "quote", "sell", "hold"), 409, {"identifier_ambiguous", "wallet_used", "voucher_used"}),
        (("sell",), 404, {"reference_unknown", "hold_unknown"}),
    ):
        assert all(codes <= told(each)[status] for each in calls)

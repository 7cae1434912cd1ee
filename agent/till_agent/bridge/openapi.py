"""OpenAPI 3.1 of the bridge, made from the table of operations and the types that they take and give."""

from typing import Any

import msgspec

from till_agent.api import Health, Message, ScanEvent
from till_agent.bridge.examples import EXAMPLES
from till_agent.bridge.operations import OPERATIONS
from till_agent.bridge.shapes import ANY, OPEN, Operation, Parameter

PROBLEM = "application/problem+json"
DESCRIPTION = """\
How cash software talks to the loyalty agent on the same till. Loopback only. Send the exact `Host`, the client's token
(`Authorization: Bearer`, or Basic with the client's name), and with every POST, PUT and DELETE the header
`X-Tillside-Client` with your program's name; bodies are `application/json`. Amounts are whole minor units of money,
points are whole minor points, times are UTC milliseconds unless named local. Unknown fields are ignored.
"""
COMMON_PROBLEMS = {
    400: "Malformed: header_repeated, framing_ambiguous, upgrade_refused, body_malformed and others",
    401: "token_missing, token_unknown",
    403: "host_foreign, origin_foreign, site_foreign, client_header_missing, scope_missing",
    429: "rate_limited, locked_out: wait as long as Retry-After says",
    503: "till_not_enrolled, till_retired, journal_unavailable, journal_corrupt: go on without loyalty; `cashier` says "
    "what to tell",
}
BODY_PROBLEMS = {
    408: "body_too_slow",
    413: "body_too_large",
    415: "not_json, encoding_unsupported",
    422: "body_invalid: `pointer` names the bad field",
}
PROBLEM_SCHEMA = {
    "title": "Problem",
    "description": "RFC 9457. `code` is stable, `cashier` is a sentence to show, `pointer` names the bad field.",
    "type": "object",
    "required": ["type", "title", "status", "detail", "code", "retryable"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "retryable": {"type": "boolean"},
        "cashier": {"type": "string"},
        "pointer": {"type": "string"},
        "retry_after_ms": {"type": "integer"},
    },
}
EVENT_TYPES = (ScanEvent, Health, Message)
"""What events carry besides SyncStatus, which an operation answers with."""


def document(version: str) -> dict[str, Any]:
    """The whole description as plain data."""
    types = [wanted for op in OPERATIONS for wanted in (op.request, op.answer) if wanted is not None]
    unique = list(dict.fromkeys([*types, *EVENT_TYPES]))
    _, components = msgspec.json.schema_components(unique, ref_template="#/components/schemas/{name}")
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Tillside bridge",
            "version": version,
            "description": DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [
            {
                "url": "http://127.0.0.1:{port}",
                "variables": {"port": {"default": "17532", "description": "`bridge.port` of the configuration"}},
            }
        ],
        "tags": [{"name": name} for name in dict.fromkeys(operation.tag for operation in OPERATIONS)],
        "paths": paths,
        "components": {
            "schemas": {**dict(sorted(components.items())), "Problem": PROBLEM_SCHEMA},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "The token of the client's file."},
                "basic": {"type": "http", "scheme": "basic", "description": "Client's name and token, for scripts."},
            },
        },
    }


def encode(version: str) -> bytes:
    """The description as it is served and kept in docs/reference, ending with a line break."""
    return msgspec.json.format(msgspec.json.encode(document(version)), indent=2) + b"\n"


def _operation(operation: Operation) -> dict[str, Any]:
    needs = {OPEN: "Open: no token.", ANY: "Any client's token."}.get(
        operation.scope, f"Needs the scope `{operation.scope}`."
    )
    described: dict[str, Any] = {
        "operationId": operation.id,
        "summary": operation.summary,
        "description": needs,
        "tags": [operation.tag],
        "security": [] if operation.scope == OPEN else [{"bearer": []}, {"basic": []}],
        "responses": _responses(operation),
    }
    parameters = [_parameter(parameter, "path") for parameter in operation.path_parameters]
    parameters += [_parameter(parameter, "query") for parameter in operation.query_parameters]
    if operation.id == "events":
        parameters.append(_header("Last-Event-ID", "Id of the last event that was seen.", required=False))
    if operation.method != "GET":
        parameters.append(_header("X-Tillside-Client", "Name of the calling program.", required=True))
    if parameters:
        described["parameters"] = parameters
    if operation.request is not None:
        described["requestBody"] = {"required": True, "content": {"application/json": _content(operation, "request")}}
    return described


def _responses(operation: Operation) -> dict[str, Any]:
    good: dict[str, Any] = {"description": "Done." if operation.status != 204 else "Done; no body."}
    if operation.status != 204:
        good["content"] = {media: _answer_content(operation, media) for media in operation.media_types}
    if operation.replays:
        good["headers"] = {
            "Idempotent-Replay": {
                "description": "`true` when this was done before and the first answer is given again.",
                "schema": {"type": "string", "const": "true"},
            }
        }
    problems = dict(COMMON_PROBLEMS)
    if operation.request is not None:
        problems |= BODY_PROBLEMS
    if operation.path_parameters or operation.query_parameters:
        problems[422] = "; ".join(filter(None, (problems.get(422), "parameter_invalid")))
    for status, codes in operation.problems.items():
        problems[status] = "; ".join(filter(None, (problems.get(status), codes)))
    responses: dict[str, Any] = {str(operation.status): good}
    for status, words in operation.also.items():
        responses[str(status)] = {**good, "description": words}
    for status, codes in sorted(problems.items()):
        schema = {"$ref": "#/components/schemas/Problem"}
        content = {PROBLEM: {"schema": schema}}
        if operation.id == "readyz" and status == 503:
            content = {"application/json": {"schema": {"$ref": "#/components/schemas/Ready"}}}
        responses[str(status)] = {"description": codes, "content": content}
    return responses


def _answer_content(operation: Operation, media: str) -> dict[str, Any]:
    if media == "application/json" and operation.answer is not None:
        return _content(operation, "answer")
    if media == "application/json":
        return {"schema": {"type": "object"}}
    # OpenAPI 3.1: raw bytes are a schema without a type.
    return {"schema": {"type": "string"}} if media.startswith("text/") else {}


def _content(operation: Operation, side: str) -> dict[str, Any]:
    wanted = operation.request if side == "request" else operation.answer
    content: dict[str, Any] = {"schema": {"$ref": f"#/components/schemas/{wanted.__name__}"}}
    example = EXAMPLES.get((operation.id, side))
    if example is not None:
        content["example"] = msgspec.to_builtins(example)
    return content


def _parameter(parameter: Parameter, place: str) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "integer"} if parameter.integer else {"type": "string"}
    if parameter.choices:
        schema["enum"] = list(parameter.choices)
    elif parameter.integer:
        schema |= {"minimum": parameter.minimum, "maximum": parameter.maximum}
    else:
        schema["pattern"] = parameter.pattern.pattern
    return {
        "name": parameter.name,
        "in": place,
        "required": place == "path" or parameter.required,
        "description": parameter.description,
        "schema": schema,
    }


def _header(name: str, description: str, *, required: bool) -> dict[str, Any]:
    schema = {"type": "string", "minLength": 1, "maxLength": 64, "pattern": "^[\\x21-\\x7e]+$"}
    return {"name": name, "in": "header", "required": required, "description": description, "schema": schema}

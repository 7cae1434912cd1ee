"""Every operation of the bridge, asked for by those whom it is not for; and who may ask for it."""

from collections.abc import Iterator

from integration.bridge_safety.hostile import FOREIGN, JSON, Row, head
from kit.bridge import IN_PATHS
from till_agent.bridge.checks import SAFE_METHODS
from till_agent.bridge.operations import OPERATIONS
from till_agent.bridge.shapes import OPEN, Operation

WHO_MAY = {
    "open": "livez readyz openapi pair",
    "any": "page status metrics",
    "sale": "quote identify sell sale void return coupon hold release confirm slip print void_slip print_void "
    "return_slip print_return sales sale_lines members events",
    "register": "register attach",
    "admin": "try_printer print_note tried reload reports findings accept_finding dismiss_finding flags logs "
    "pairing_code pairings forget_pairing read_tokens queue queued sync sync_now",
}
"""Written down a second time, so that an operation is never opened to more than it was meant for by one word."""
WITHOUT = {"sale": "KIOSK", "register": "SHELF", "admin": "TOKEN"}
"""Clients that have each other scope that a program of a shop has, and not this one."""
CHANGE_NOTHING = frozenset({"quote", "identify"})
LEAVE_ROWS = frozenset({"sell", "void", "return", "hold", "register", "attach"})
DONE_UNSEEN = frozenset(
    each.id for each in OPERATIONS if each.method not in SAFE_METHODS and each.id not in CHANGE_NOTHING | LEAVE_ROWS
)
"""Operations whose doing leaves no row in the till's files, or not at once."""


def rows_of(operation: Operation) -> Iterator[Row]:
    """It, from a page, by a name that is not ours, from nobody, from the wrong program: each refused before it runs."""
    changes = operation.method not in SAFE_METHODS
    yield Row("by another name", _ask(operation, host="evil.example:PORT"), 403, "host_foreign")
    yield Row("by a foreign page", _ask(operation, f"Origin: {FOREIGN}"), 403, "origin_foreign")
    yield Row("by a page of no origin", _ask(operation, "Origin: null"), 403, "origin_foreign")
    yield Row("by a page of another site", _ask(operation, "Sec-Fetch-Site: cross-site"), 403, "site_foreign")
    if changes:
        yield Row("by a form", _ask(operation, client=""), 403, "client_header_missing")
    if operation.request is not None:
        yield Row("as plain text", _ask(operation, kind="Content-Type: text/plain"), 415, "not_json")
    yield Row("by nobody", _ask(operation, auth=""), 401, "token_missing")
    yield Row("by a stranger", _ask(operation, auth=f"Authorization: Bearer {'x' * 43}"), 401, "token_unknown")
    if operation.scope in WITHOUT:
        other = f"Authorization: Bearer {WITHOUT[operation.scope]}"
        yield Row("by another program", _ask(operation, auth=other), 403, "scope_missing")


GUARDED = [each for each in OPERATIONS if each.scope != OPEN]


def _ask(operation: Operation, *more: str, auth: str = "Authorization: Bearer MASTER", host: str = "HOST",
         client: str = "X-Tillside-Client: test", kind: str = JSON) -> str:  # fmt: skip
    lines = [auth, *more]
    if operation.method not in SAFE_METHODS:
        lines.append(client)
    if operation.request is not None:
        lines += [kind, "Content-Length: LENGTH"]
    first = f"{operation.method} {operation.path.format(**IN_PATHS)} HTTP/1.1"
    return head(first, *[line for line in lines if line], host=host) + ("{}" if operation.request is not None else "")

"""Settings that the chain decides: checked, merged from chain, store and till, and signed for one till."""

import sqlite3
from collections.abc import Sequence

from till_cloud.exceptions import AdminError, RefusedError
from till_cloud.store import meta, tills
from till_cloud.store import policies as rows
from till_cloud.store.policies import PolicyRow, Scope
from till_cloud.store.tills import TillRow
from till_cloud.waves.choosing import held_back, wanted_for
from till_config.exceptions import ConfigError
from till_config.layers import Layers, PolicyText, check_policy, policy_source
from till_config.rendering import document_toml
from till_sync import keys
from till_sync.heartbeat import Policy, policy_bytes

TEXT_LIMIT = 65_536
"""Characters of one scope's policy: three of them, merged, stay below what a till takes."""


def put(
    connection: sqlite3.Connection, scope: Scope, name: str, text: str, *, file: str, staged: bool, now_ms: int
) -> PolicyRow:
    """Check it and make it a new version. ConfigError with every problem; AdminError: no such store or till."""
    expect_scope(connection, scope, name)
    if len(text) > TEXT_LIMIT:
        raise AdminError(f"expected a policy of at most {TEXT_LIMIT} characters, not {len(text)}")
    check_policy(PolicyText(0, text, name=file))
    return rows.add(connection, scope, name, text, removed=False, staged=staged, now_ms=now_ms)


def remove(connection: sqlite3.Connection, scope: Scope, name: str, *, now_ms: int) -> PolicyRow:
    """A scope has no policy any more; that is a version too, so that tills hear of it. AdminError: it has none."""
    expect_scope(connection, scope, name)
    now = rows.newest(connection, scope, name)
    if now is None or now.removed:
        raise AdminError(f"expected a policy of {described(scope, name)}, and there is none: `cloud policy list`")
    return rows.add(connection, scope, name, "", removed=True, staged=False, now_ms=now_ms)


def expect_scope(connection: sqlite3.Connection, scope: Scope, name: str) -> None:
    """AdminError when the store or till was never added."""
    known = {"chain": True, "store": tills.store(connection, name) is not None}.get(scope)
    if not (tills.till(connection, name) is not None if known is None else known):
        raise AdminError(f"expected a {scope} that was added, not {name!r}: `cloud {scope} list` names them")


def described(scope: str, name: str) -> str:
    return f"{scope} {name}".strip()


def parts_for(connection: sqlite3.Connection, till: TillRow, now_ms: int) -> tuple[int, list[PolicyRow]]:
    """The version that a till is to have (0: there never was one), and what it is made of, the weakest first.

    Where a wave names a version, that number is told, so that the till's heartbeats answer for that wave.
    """
    wanted = wanted_for(connection, till.till, now_ms).policy_version
    without = held_back(connection, till.till)
    scopes: Sequence[tuple[Scope, str]] = (("chain", ""), ("store", till.store), ("till", till.till))
    found = [
        row
        for scope, name in scopes
        if (row := rows.newest(connection, scope, name, without=without, wanted=wanted)) is not None
    ]
    version = wanted or max((row.version for row in found), default=0)
    return version, [row for row in found if not row.removed]


def merged(parts: Sequence[PolicyRow], version: int, till: str) -> str:
    """One text of all: a till's over its store's over the chain's. ConfigError can't be: each was checked when put."""
    head = [f"# Policy {version} of {till}."]
    document: dict[str, object] = {}
    for row in parts:
        head.append(f"# {described(row.scope, row.name)}: version {row.version}")
        source = policy_source(PolicyText(row.version, row.text))
        document = Layers.of(document, source.document)
    return "\n".join(head) + "\n" + document_toml(document)


def policy_for(connection: sqlite3.Connection, till: TillRow, now_ms: int) -> Policy:
    """What a till is to have, signed for it alone. RefusedError 404 `no_policy` while there never was one for it."""
    version, parts = parts_for(connection, till, now_ms)
    if not version:
        raise RefusedError(404, "no_policy", "expected a policy for this till, its store or the chain: there is none")
    try:
        text = merged(parts, version, till.till)
    except ConfigError as error:
        raise RefusedError(500, "policy_unusable", f"expected a policy that was checked: {error}") from error
    signature = keys.sign(meta.voucher_key(connection), policy_bytes(till.till, version, text))
    return Policy(version=version, text=text, signature=signature.hex())

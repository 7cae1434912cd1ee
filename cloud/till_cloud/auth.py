"""Who asks: a till by its bearer token. Whether the request is signed as it must be is for `till_cloud.guard`."""

import hashlib
import hmac
import sqlite3

from till_cloud.exceptions import RefusedError
from till_cloud.store import tills

TOKEN_TEXT_LIMIT = 200
"""Ours take 43 characters; nothing longer is hashed."""

_NOBODY = "0" * 64
"""Compared with where there is no till or no token yet, so that the answer takes as long; never counts as right."""


def authenticate(connection: sqlite3.Connection, till_id: str, authorization: str) -> tills.TillRow:
    """The till that `Authorization: Bearer TOKEN` belongs to, which must be `till_id`; RefusedError 401 otherwise.

    An unknown till and a wrong token cost the same and read the same: no signature is looked at before the token.
    """
    scheme, _, token = authorization.partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token or len(token) > TOKEN_TEXT_LIMIT:
        raise _refusal()
    row = tills.till(connection, till_id)
    known = _NOBODY if row is None else row.token_sha256 or _NOBODY
    right = hmac.compare_digest(hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest(), known)
    if row is None or not row.token_sha256 or not right:
        raise _refusal()
    return row


def _refusal() -> RefusedError:
    return RefusedError(401, "token_invalid", "expected the token of this till", headers={"WWW-Authenticate": "Bearer"})

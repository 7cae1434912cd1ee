"""Programmes as the cloud sends them: checked against their digest, and parsed."""

import hashlib
import logging
import sqlite3

from till_agent.cache import schema
from till_agent.ports import CachedProgramme
from till_loyalty.exceptions import ProgrammeError
from till_loyalty.programme_document import parse_programme

_log = logging.getLogger(__name__)


def read_programme(body: str, digest: str) -> CachedProgramme | None:
    """The programme in `body`; None, with a word in the log, when it is not what its digest says or can't be used.

    The cloud checks programmes when they are uploaded, so this is a program older than the programme's format, or a
    damaged file. The till goes on selling by the programme it has.
    """
    found = hashlib.sha256(body.encode()).hexdigest()
    if found != digest:
        _log.error("expected a programme of digest %s, not %s", digest, found)
        return None
    try:
        # JSON on the wire, TOML for people; a TOML document can't begin with a brace.
        programme = parse_programme(body, suffix=".json" if body.lstrip()[:1] == "{" else ".toml")
    except ProgrammeError as exc:
        _log.error("expected a programme that can be used, not %s: %s", digest, exc)
        return None
    return CachedProgramme(programme=programme, digest=digest)


def active_programme(connection: sqlite3.Connection, before: CachedProgramme | None) -> CachedProgramme | None:
    """The programme to sell by; parsed only when it is another one than `before`."""
    columns = connection.execute(schema.ACTIVE_PROGRAMME).fetchone()
    if columns is None:
        return None
    digest, body = columns
    return before if before is not None and before.digest == digest else read_programme(body, digest)

"""A snapshot's file: tables of a till's cache as SQLite keeps them, one file, compressed by zstd as one frame.

The layout is a contract: `FORMAT` names it, and is another one when any statement here or the packing of
`till_sync.snapshot_rows` changes. A till that does not know the format takes pages of changes instead.
"""

FORMAT = "members-1-sqlite-zstd"

APPLICATION_ID = 0x5453534E
"""`TSSN` in the header of the unpacked file."""
VERSION = 1

MEMBERS = """
    CREATE TABLE members (
        member_id TEXT PRIMARY KEY,
        generation INTEGER NOT NULL,
        data BLOB NOT NULL
    ) STRICT, WITHOUT ROWID
    """
TAGS = "CREATE TABLE tags (tag TEXT PRIMARY KEY, member_id TEXT NOT NULL) STRICT, WITHOUT ROWID"
BALANCES = """
    CREATE TABLE balances (
        member_id TEXT PRIMARY KEY,
        balance INTEGER NOT NULL,
        held INTEGER NOT NULL,
        position INTEGER NOT NULL,
        expiring_points INTEGER NOT NULL,
        expiring_at_ms INTEGER NOT NULL,
        included_epoch INTEGER NOT NULL,
        included_seq INTEGER NOT NULL,
        as_of_ms INTEGER NOT NULL,
        inactive INTEGER NOT NULL,
        facts BLOB NOT NULL,
        facts_epoch INTEGER NOT NULL,
        facts_seq INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID
    """
PROGRAMMES = """
    CREATE TABLE programmes (
        programme_id TEXT NOT NULL,
        version INTEGER NOT NULL,
        digest TEXT NOT NULL,
        active INTEGER NOT NULL CHECK (active IN (0, 1)),
        body TEXT NOT NULL,
        PRIMARY KEY (programme_id, version)
    ) STRICT, WITHOUT ROWID
    """

CREATE = (MEMBERS, TAGS, BALANCES, PROGRAMMES)

PUT_MEMBER = "INSERT INTO members (member_id, generation, data) VALUES (?, ?, ?)"
PUT_TAG = "INSERT INTO tags (tag, member_id) VALUES (?, ?)"
PUT_BALANCE = "INSERT INTO balances VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
PUT_PROGRAMME = "INSERT INTO programmes (programme_id, version, digest, active, body) VALUES (?, ?, ?, ?, ?)"

GENERATION = 1
"""Of every member in a snapshot: that of a cache which was never pulled anew."""

LEAST_MEMBERS = 5_000
"""A base that is smaller comes by a page or two as quickly; the cloud makes no snapshot of it by itself."""

CHUNK_BYTES = 1024 * 1024
"""Of packing and unpacking."""

LARGEST_BYTES = 64 * 1024**3
"""No snapshot unpacks to more, whatever it says of itself."""


def schema_of(statements: tuple[str, ...]) -> list[tuple[str, str]]:
    """Name and text of each table, sorted, as `normal` of those in a file's `sqlite_schema` must be."""
    texts = [normal(statement) for statement in statements]
    return sorted((text.split()[2], text) for text in texts)


def normal(text: str) -> str:
    """A statement with single spaces."""
    return " ".join(text.split())

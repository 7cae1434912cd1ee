"""The cache's tables and statements. There are no migrations: another version is rebuilt from the cloud.

Balances are in a table of their own, because they change far more often than who a member is; a delta of 10,000
rows took a fifth of the time that way. Rows without row ids are found in one descent of one tree.
"""

from till_sync import snapshot_layout

APPLICATION_ID = 0x54534341
"""`TSCA` in the header of the file."""
VERSION = 3

OWN = (
    """
    CREATE TABLE grants (
        member_id TEXT PRIMARY KEY,
        points INTEGER NOT NULL,
        epoch INTEGER NOT NULL,
        recall INTEGER NOT NULL,
        until_ms INTEGER NOT NULL,
        included_epoch INTEGER NOT NULL,
        included_seq INTEGER NOT NULL,
        generation INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX grants_recalled ON grants (member_id) WHERE recall > 0",
    "CREATE INDEX grants_ending ON grants (until_ms) WHERE until_ms > 0",
    """
    CREATE TABLE progress (
        only INTEGER PRIMARY KEY CHECK (only = 1),
        till TEXT NOT NULL,
        cursor TEXT NOT NULL,
        incarnation TEXT NOT NULL,
        as_of_ms INTEGER NOT NULL,
        members INTEGER NOT NULL,
        generation INTEGER NOT NULL,
        filling INTEGER NOT NULL,
        floor_epoch INTEGER NOT NULL,
        floor_seq INTEGER NOT NULL,
        allotted BLOB NOT NULL,
        base_epoch INTEGER NOT NULL,
        base_seq INTEGER NOT NULL,
        checked_to TEXT NOT NULL,
        divergences INTEGER NOT NULL
    ) STRICT
    """,
)
"""What only this till has; a snapshot brings the rest."""
CREATE = (*snapshot_layout.CREATE, *OWN)

_MEMBER_COLUMNS = (
    "m.member_id, m.data, b.balance, b.held, b.position, b.expiring_points, b.expiring_at_ms, b.included_epoch, "
    "b.included_seq, b.as_of_ms, b.inactive, b.facts, b.facts_epoch, b.facts_seq"
)
# The two look-ups of a sale. Put together from the constants of this file alone.
BY_TAG = (
    f"SELECT {_MEMBER_COLUMNS} FROM tags t JOIN members m ON m.member_id = t.member_id "  # noqa: S608
    "JOIN balances b ON b.member_id = t.member_id WHERE t.tag = ?"
)
BY_ID = (
    f"SELECT {_MEMBER_COLUMNS} FROM members m JOIN balances b ON b.member_id = m.member_id "  # noqa: S608 - constants of this file
    "WHERE m.member_id = ?"
)

# For the search: members whose line in its index is wanting or old, and those that are not in it yet.
DUE_MEMBERS = (
    f"SELECT {_MEMBER_COLUMNS} FROM search_due d JOIN members m ON m.member_id = d.member_id "  # noqa: S608 - constants of this file
    "JOIN balances b ON b.member_id = d.member_id"
)
MEMBERS_AFTER = (
    f"SELECT {_MEMBER_COLUMNS} FROM members m JOIN balances b ON b.member_id = m.member_id "  # noqa: S608 - constants of this file
    "WHERE m.member_id > ? ORDER BY m.member_id LIMIT ?"
)
PROGRESS = (
    "SELECT till, cursor, incarnation, as_of_ms, members, generation, filling, floor_epoch, floor_seq, allotted, "
    "base_epoch, base_seq, checked_to, divergences FROM progress"
)
SAVE_PROGRESS = "INSERT OR REPLACE INTO progress VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"

# What is stored of a member, to see what a page changes of it.
STORED = "SELECT generation, data FROM members WHERE member_id = ?"
PUT_MEMBER = (
    "INSERT INTO members (member_id, generation, data) VALUES (?, ?, ?) "
    "ON CONFLICT (member_id) DO UPDATE SET generation = excluded.generation, data = excluded.data"
)
DROP_MEMBER = "DELETE FROM members WHERE member_id = ?"
DROP_BALANCE = "DELETE FROM balances WHERE member_id = ?"
# A tag leads to the member that had it last; `DROP_TAG` leaves one that has gone to another member.
PUT_TAG = "INSERT OR REPLACE INTO tags (tag, member_id) VALUES (?, ?)"
OWNER = "SELECT member_id FROM tags WHERE tag = ?"
DROP_TAG = "DELETE FROM tags WHERE tag = ? AND member_id = ?"
# A balance is replaced only by one that includes at least as many own ops: a page may be older than a verdict.
PUT_BALANCE = (
    "INSERT INTO balances (member_id, balance, held, position, expiring_points, expiring_at_ms, included_epoch, "
    "included_seq, as_of_ms, inactive, facts, facts_epoch, facts_seq) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
    "ON CONFLICT (member_id) DO UPDATE SET "
    "balance = excluded.balance, held = excluded.held, position = excluded.position, "
    "expiring_points = excluded.expiring_points, expiring_at_ms = excluded.expiring_at_ms, "
    "included_epoch = excluded.included_epoch, included_seq = excluded.included_seq, as_of_ms = excluded.as_of_ms, "
    "inactive = excluded.inactive, facts = excluded.facts, facts_epoch = excluded.facts_epoch, "
    "facts_seq = excluded.facts_seq "
    "WHERE (excluded.included_epoch, excluded.included_seq) >= (balances.included_epoch, balances.included_seq)"
)
# A verdict brings a balance and no facts: a page that is too old for the balance is still the newest word on facts.
PUT_FACTS = (
    "UPDATE balances SET inactive = ?, facts = ?, facts_epoch = ?, facts_seq = ? "
    "WHERE member_id = ? AND (facts_epoch, facts_seq) < (?, ?)"
)
# Another incarnation of the cloud: what the former one said counts no more.
PUT_BALANCE_ANYWAY = "INSERT OR REPLACE INTO balances VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
# The balance right after an own op.
JUDGE_BALANCE = (
    "UPDATE balances SET balance = ?, held = ?, position = ?, included_epoch = ?, included_seq = ? "
    "WHERE member_id = ? AND (included_epoch, included_seq) < (?, ?)"
)
# To rows of a snapshot, a verdict on an op that they include is no news.
JUDGE_BALANCE_SINCE_SNAPSHOT = JUDGE_BALANCE + " AND included_epoch >= 0"
END_OF_MEMBERS = "\U0010ffff"
"""Stands for "" as the last id of a stretch: after every id."""
# A stretch of members as `StretchDigest` names it: after an id, and up to one; without who is only kept for a while.
STRETCH = (
    f"SELECT {_MEMBER_COLUMNS} FROM members m JOIN balances b ON b.member_id = m.member_id "  # noqa: S608 - constants of this file
    "WHERE m.member_id > ?1 AND m.member_id <= ?2 AND m.member_id NOT IN (SELECT member_id FROM leaving) "
    "ORDER BY m.member_id"
)
STRETCH_IDS = (
    "SELECT member_id, data FROM members WHERE member_id > ?1 AND member_id <= ?2 "
    "AND member_id NOT IN (SELECT member_id FROM leaving)"
)
DROP_BALANCES_OF_NOBODY = (
    "DELETE FROM balances WHERE member_id > ?1 AND member_id <= ?2 AND member_id NOT IN (SELECT member_id FROM members)"
)

# Members that a pull from the beginning did not bring again are there no more.
STALE = "SELECT member_id FROM members WHERE generation < ?"
STALE_TAGS = "DELETE FROM tags WHERE member_id NOT IN (SELECT member_id FROM members)"

PUT_PROGRAMME = "INSERT OR REPLACE INTO programmes (programme_id, version, digest, active, body) VALUES (?, ?, ?, ?, ?)"
IS_ACTIVE = "SELECT active FROM programmes WHERE programme_id = ? AND version = ?"
SELL_BY = "UPDATE programmes SET active = (programme_id = ? AND version = ?)"
ACTIVE_PROGRAMME = "SELECT digest, body FROM programmes WHERE active = 1"
PROGRAMME = "SELECT digest, body FROM programmes WHERE programme_id = ? AND version = ?"

_GRANT_COLUMNS = "member_id, points, epoch, recall, until_ms, included_epoch, included_seq"
GRANT = f"SELECT {_GRANT_COLUMNS} FROM grants WHERE member_id = ?"  # noqa: S608 - constants of this file
# Grants of which the cloud wants something back, and those that end.
GRANTS_RECALLED = f"SELECT {_GRANT_COLUMNS} FROM grants WHERE recall > 0 LIMIT ?"  # noqa: S608 - constants of this file
GRANTS_ENDED = f"SELECT {_GRANT_COLUMNS} FROM grants WHERE until_ms > 0 AND until_ms <= ? LIMIT ?"  # noqa: S608 - constants of this file
GRANT_TOTALS = "SELECT epoch, count(*), sum(points) FROM grants GROUP BY epoch"
PUT_GRANT = "INSERT OR REPLACE INTO grants VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
DROP_GRANT = "DELETE FROM grants WHERE member_id = ?"
STALE_GRANTS = "DELETE FROM grants WHERE generation < ?"
NO_GRANTS = "DELETE FROM grants"

"""The journal's tables and every statement on them, each with its purpose; and the limits of the file.

A row's `id` packs epoch and seq into one integer, so that one key gives the order of all ops over all epochs, and the
pair needs no index of its own.
"""

APPLICATION_ID = 0x54534A4C
"""`TSJL` in the header of the file: tells our journal from any other SQLite file."""
VERSION = 1

SEQ_BITS = 40
"""10**12 ops in an epoch and 8 million epochs fit into SQLite's signed 64 bits."""
LARGEST_SEQ = (1 << SEQ_BITS) - 1
LARGEST_EPOCH = (1 << (63 - SEQ_BITS)) - 1
LARGEST_ID = (1 << 63) - 1

WAITING_OPS_LIMIT = 100_000
"""Ops that may wait for the cloud: 30 days of a very busy till. Past it sales go on, and the status is an error."""
WAITING_AGE_LIMIT_MS = 30 * 24 * 3600 * 1000
"""Days offline that the product promises."""
WARN_AT_PERCENT = 80


def row_id(epoch: int, seq: int) -> int:
    """The key of an op in this file; ordered as (epoch, seq)."""
    return (epoch << SEQ_BITS) | seq


def may_be(epoch: int, seq: int) -> bool:
    """Whether an op can have these numbers. Larger ones have no key of their own: it would be another op's, or none."""
    return 0 < epoch <= LARGEST_EPOCH and 0 < seq <= LARGEST_SEQ


def split_id(identity: int) -> tuple[int, int]:
    """(epoch, seq) of a key."""
    return identity >> SEQ_BITS, identity & LARGEST_SEQ


# Small columns come first, so that they are read without following the chain of overflow pages of a large body.
CREATE_V1 = (
    """
    CREATE TABLE epochs (
        epoch INTEGER PRIMARY KEY,
        till TEXT NOT NULL,
        salt TEXT NOT NULL,
        made_wall_ms INTEGER NOT NULL,
        reason TEXT NOT NULL,
        acked_seq INTEGER NOT NULL DEFAULT 0
    ) STRICT
    """,
    """
    CREATE TABLE entries (
        id INTEGER PRIMARY KEY,
        row_hash BLOB NOT NULL,
        at_wall_ms INTEGER NOT NULL,
        effect_points INTEGER NOT NULL,
        kind TEXT NOT NULL,
        uid TEXT NOT NULL,
        about_uid TEXT NOT NULL,
        subject_key TEXT NOT NULL,
        hold TEXT NOT NULL,
        request_digest BLOB NOT NULL,
        answer BLOB NOT NULL,
        body BLOB NOT NULL
    ) STRICT
    """,
    "CREATE UNIQUE INDEX entries_by_uid ON entries (kind, uid)",
    "CREATE INDEX entries_by_about ON entries (about_uid) WHERE about_uid <> ''",
    "CREATE INDEX entries_effects ON entries (id, subject_key, effect_points) WHERE effect_points <> 0",
    """
    CREATE TRIGGER entries_never_change BEFORE UPDATE ON entries
    BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END
    """,
    """
    CREATE TRIGGER entries_never_go BEFORE DELETE ON entries
    BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END
    """,
    """
    CREATE TABLE verdicts (
        id INTEGER PRIMARY KEY,
        status TEXT NOT NULL,
        code TEXT NOT NULL,
        member_id TEXT NOT NULL,
        tag TEXT NOT NULL,
        balance INTEGER NOT NULL,
        held INTEGER NOT NULL,
        effect_points INTEGER NOT NULL,
        position INTEGER NOT NULL
    ) STRICT
    """,
    "CREATE INDEX verdicts_to_look_at ON verdicts (status) WHERE status IN ('adjusted', 'rejected')",
    """
    CREATE TABLE holds (
        number INTEGER PRIMARY KEY,
        hold TEXT NOT NULL UNIQUE,
        sale_uid TEXT NOT NULL,
        member_id TEXT NOT NULL,
        points INTEGER NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('asked', 'granted', 'used', 'released')),
        deadline_mono_ms INTEGER NOT NULL,
        boot TEXT NOT NULL,
        resolved_by INTEGER
    ) STRICT
    """,
    "CREATE INDEX holds_open ON holds (number) WHERE state IN ('asked', 'granted')",
)

ENTRY_COLUMNS = (
    "e.id, e.row_hash, e.at_wall_ms, e.effect_points, e.kind, e.uid, e.about_uid, e.subject_key, e.hold, "
    "e.request_digest, e.answer, e.body"
)
# The statements below are put together from the constants of this file alone.
_WITH_LINK = f"SELECT {ENTRY_COLUMNS}, p.row_hash FROM entries e LEFT JOIN entries p ON p.id = e.id - 1"  # noqa: S608

# One row with the hash of the row before it, so that it can be checked: by what the cash software calls it.
FIND = f"{_WITH_LINK} WHERE e.kind = ? AND e.uid = ?"
# The same by op.
BY_ID = f"{_WITH_LINK} WHERE e.id = ?"
# Voids and returns of a sale, in order. `INDEXED BY` because the planner can't know that the text is never ''.
ABOUT = f"{_WITH_LINK} WHERE e.about_uid = ? AND e.about_uid <> '' ORDER BY e.id"
# The newest rows, newest first.
RECENT = f"{_WITH_LINK} ORDER BY e.id DESC LIMIT ?"
# Rows of one kind after an op, newest first: by the index of uids, whose first column is the kind.
OF_KIND = f"{_WITH_LINK} WHERE e.kind = ? AND e.id > ? ORDER BY e.id DESC LIMIT ?"
# Sales before a row, newest first: along the rows themselves, of which neither body nor answer is read. The index of
# uids would have to sort all sales there ever were.
SALES_BEFORE = (
    "SELECT e.id, length(e.body) FROM entries e NOT INDEXED WHERE e.id < ? AND e.kind = 'sale' "
    "ORDER BY e.id DESC LIMIT ?"
)
# When the row before one was made; what was sold and brought back after one, in order, for the same
# reason along the rows; and a uid.
MADE_BEFORE = "SELECT id, at_wall_ms FROM entries WHERE id < ? ORDER BY id DESC LIMIT 1"
DONE_AFTER = (
    "SELECT id, kind, subject_key, at_wall_ms, body FROM entries NOT INDEXED WHERE id > ? "
    "AND kind IN ('sale', 'void', 'return') ORDER BY id LIMIT ?"
)
UID_OF = "SELECT uid FROM entries WHERE id = ?"
# A stretch of one epoch in order: to push, to check.
STRETCH = f"SELECT {ENTRY_COLUMNS} FROM entries e WHERE e.id BETWEEN ? AND ? ORDER BY e.id LIMIT ?"  # noqa: S608
# The hash that a stretch must begin from.
HASH_OF = "SELECT row_hash FROM entries WHERE id = ?"
# The last row of an epoch.
LAST_OF = "SELECT id, row_hash FROM entries WHERE id BETWEEN ? AND ? ORDER BY id DESC LIMIT 1"
# When the oldest waiting op was made.
MADE_AT = "SELECT at_wall_ms FROM entries WHERE id = ?"
# Checks that the indexes lead where they should: a uid that an index lost would be sold twice.
UID_LEADS_TO = "SELECT id FROM entries INDEXED BY entries_by_uid WHERE kind = ? AND uid = ?"
ABOUT_LEADS_TO = "SELECT 1 FROM entries INDEXED BY entries_by_about WHERE about_uid = ? AND about_uid <> '' AND id = ?"
EFFECT_LEADS_TO = (
    "SELECT subject_key, effect_points FROM entries INDEXED BY entries_effects WHERE id = ? AND effect_points <> 0"
)
# What own ops did to balances, after an op: read from the index alone.
EFFECTS_AFTER = (
    "SELECT id, subject_key, effect_points FROM entries INDEXED BY entries_effects "
    "WHERE id > ? AND effect_points <> 0 ORDER BY id LIMIT ?"
)
# The same from the rows themselves, should the index be damaged: slower, since it passes by the bodies.
EFFECTS_WITHOUT_INDEX = EFFECTS_AFTER.replace("INDEXED BY entries_effects", "NOT INDEXED")
# Ops that may have changed facts of members, with the bodies that say which.
CHANGES_AFTER = (
    "SELECT id, kind, subject_key, body FROM entries NOT INDEXED WHERE id > ? "
    "AND kind IN ('sale', 'void', 'return', 'grant-release') "
    "ORDER BY id LIMIT ?"
)
# For the list of ops: sizes without bodies, and the verdict if there is one.
LIST = (
    "SELECT e.id, e.kind, e.uid, e.at_wall_ms, length(e.body), v.status, v.code "
    "FROM entries e LEFT JOIN verdicts v ON v.id = e.id WHERE e.id > ? ORDER BY e.id LIMIT ?"
)
# The same of the newest, newest first, of whatever epoch.
LIST_NEWEST = LIST.replace("WHERE e.id > ? ORDER BY e.id LIMIT", "ORDER BY e.id DESC LIMIT")

# Ops of one verdict that somebody should look at (rejected, adjusted), newest first.
LIST_JUDGED = (
    "SELECT e.id, e.kind, e.uid, e.at_wall_ms, length(e.body), v.status, v.code "
    "FROM verdicts v JOIN entries e ON e.id = v.id "
    "WHERE v.status IN ('adjusted', 'rejected') AND v.status = ? ORDER BY v.id DESC LIMIT ?"
)

# One new row.
APPEND = (
    "INSERT INTO entries (id, row_hash, at_wall_ms, effect_points, kind, uid, about_uid, subject_key, hold, "
    "request_digest, answer, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)

EPOCHS = "SELECT epoch, till, salt, acked_seq FROM epochs ORDER BY epoch"
MADE_EPOCH = "SELECT made_wall_ms FROM epochs WHERE epoch = ?"
ADD_EPOCH = "INSERT INTO epochs (epoch, till, salt, made_wall_ms, reason) VALUES (?, ?, ?, ?, ?)"
# How far the cloud holds an epoch.
MOVE_ACKED = "UPDATE epochs SET acked_seq = ? WHERE epoch = ?"

VERDICT = "SELECT status, code, member_id, tag, balance, held, effect_points, position FROM verdicts WHERE id = ?"
# The first verdict stays. `duplicate` is not a verdict of its own: it stands only until the real one is known.
RECORD_VERDICT = (
    "INSERT INTO verdicts (id, status, code, member_id, tag, balance, held, effect_points, position) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET status = excluded.status, code = excluded.code, "
    "member_id = excluded.member_id, tag = excluded.tag, balance = excluded.balance, held = excluded.held, "
    "effect_points = excluded.effect_points, position = excluded.position "
    "WHERE verdicts.status = 'duplicate' AND excluded.status <> 'duplicate'"
)
# How many ops the cloud changed or refused.
COUNT_VERDICTS = "SELECT status, count(*) FROM verdicts WHERE status IN ('adjusted', 'rejected') GROUP BY status"

# Of the refused ones those that were parked: the cloud could not take them; and those of which it had the document
# already, as after a salvage. Both conditions on the status, for the index's sake.
COUNT_REFUSED = (
    "SELECT count(*) FILTER (WHERE code = 'parked'), "
    "count(*) FILTER (WHERE code IN ('sale_repeated', 'void_repeated', 'return_repeated')) "
    "FROM verdicts WHERE status IN ('adjusted', 'rejected') AND status = 'rejected'"
)

HOLD_COLUMNS = "hold, sale_uid, member_id, points, state, deadline_mono_ms, boot"
OPEN_HOLDS = f"SELECT {HOLD_COLUMNS} FROM holds WHERE state IN ('asked', 'granted') ORDER BY number"  # noqa: S608 - only constants here
HOLD = f"SELECT {HOLD_COLUMNS} FROM holds WHERE hold = ?"  # noqa: S608 - only constants here
# Hashes of rows that are not in the file while the row after them is: a salvaged journal may have holes in what the
# cloud has acknowledged. Made when it is needed, so that the version stays what a former program can open.
CREATE_LINKS = "CREATE TABLE IF NOT EXISTS links (id INTEGER PRIMARY KEY, row_hash BLOB NOT NULL) STRICT"
HAS_LINKS = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'links'"
ADD_LINK = "INSERT INTO links (id, row_hash) VALUES (?, ?) ON CONFLICT (id) DO NOTHING"
LINK = "SELECT row_hash FROM links WHERE id = ?"
# Where the rows of an epoch begin anew after a hole.
LINKS_OF = "SELECT id FROM links WHERE id BETWEEN ? AND ? ORDER BY id"
LAST_BEFORE = "SELECT max(id) FROM entries WHERE id BETWEEN ? AND ?"
# Marks of documents whose rows were let go of for their age (`pruning`); made with the first.
CREATE_PRUNED = "CREATE TABLE IF NOT EXISTS pruned (mark INTEGER PRIMARY KEY) STRICT"
HAS_PRUNED = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'pruned'"
ADD_PRUNED = "INSERT INTO pruned (mark) VALUES (?) ON CONFLICT (mark) DO NOTHING"
IS_PRUNED = "SELECT 1 FROM pruned WHERE mark = ?"

# Asked again under the same name: the first row stands.
REMEMBER_HOLD = (
    "INSERT INTO holds (hold, sale_uid, member_id, points, state, deadline_mono_ms, boot) "
    "VALUES (?, ?, ?, ?, 'asked', ?, ?) ON CONFLICT (hold) DO NOTHING"
)
GRANT_HOLD = (
    "UPDATE holds SET state = 'granted', points = ?, deadline_mono_ms = ?, boot = ? "
    "WHERE hold = ? AND state IN ('asked', 'granted')"
)
# What a till gave itself for one voucher: ids from the voucher's own, a dot after it, to those of a slash.
HOLDS_BETWEEN = f"SELECT {HOLD_COLUMNS} FROM holds WHERE hold >= ? AND hold < ? ORDER BY hold"  # noqa: S608 - only constants here
# By the op that uses it or gives it back (`resolved_by` is that op's id), or by the cloud's refusal (NULL).
RESOLVE_HOLD = "UPDATE holds SET state = ?, resolved_by = ? WHERE hold = ? AND state IN ('asked', 'granted')"

"""Statements of `frontol.db`: what is known of reports, their documents, and the journal's sales by what reports name.

No card number is here: members are ids and tags. The file can be deleted: reports that still lie there are read again,
and documents that were accrued are found in the journal by their uid.
"""

VERSION = 1

CREATE = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE files (
    path TEXT PRIMARY KEY, state TEXT NOT NULL, error TEXT NOT NULL, database TEXT NOT NULL, report TEXT NOT NULL,
    mark TEXT NOT NULL, signature TEXT NOT NULL, inode INTEGER NOT NULL, size INTEGER NOT NULL, start INTEGER NOT NULL,
    offset INTEGER NOT NULL, line INTEGER NOT NULL, tail BLOB NOT NULL, rows INTEGER NOT NULL,
    passed_by INTEGER NOT NULL, unknown INTEGER NOT NULL, repeated INTEGER NOT NULL, closed INTEGER NOT NULL,
    known INTEGER NOT NULL, other_documents INTEGER NOT NULL, refused INTEGER NOT NULL, read_ms INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE refused (
    path TEXT NOT NULL, line INTEGER NOT NULL, code TEXT NOT NULL, detail TEXT NOT NULL, PRIMARY KEY (path, line)
) WITHOUT ROWID;
CREATE TABLE open_documents (
    database TEXT NOT NULL, till TEXT NOT NULL, shift TEXT NOT NULL, number TEXT NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (database, till, shift, number)
) WITHOUT ROWID;
CREATE TABLE documents (
    id INTEGER PRIMARY KEY, database TEXT NOT NULL, close_number INTEGER NOT NULL, kind TEXT NOT NULL,
    till TEXT NOT NULL, shift TEXT NOT NULL, number TEXT NOT NULL, uid TEXT NOT NULL, local_time TEXT NOT NULL,
    total_minor INTEGER NOT NULL, path TEXT NOT NULL, line INTEGER NOT NULL, policy TEXT NOT NULL,
    state TEXT NOT NULL, finding TEXT NOT NULL, sale_uid TEXT NOT NULL, reference TEXT NOT NULL,
    points INTEGER NOT NULL, detail TEXT NOT NULL, ready_ms INTEGER NOT NULL,
    changed_ms INTEGER NOT NULL, body BLOB NOT NULL
);
CREATE UNIQUE INDEX documents_close ON documents (database, close_number);
CREATE INDEX documents_state ON documents (state, ready_ms);
CREATE INDEX documents_uid ON documents (uid);
CREATE INDEX documents_number ON documents (number, shift);
CREATE INDEX documents_changed ON documents (changed_ms);
CREATE TABLE sold (
    uid TEXT NOT NULL, kind TEXT NOT NULL, epoch INTEGER NOT NULL, seq INTEGER NOT NULL, local_time TEXT NOT NULL,
    number TEXT NOT NULL, shift TEXT NOT NULL, goods_minor INTEGER NOT NULL, redeemed_minor INTEGER NOT NULL,
    earned_minor INTEGER NOT NULL, voided INTEGER NOT NULL, document INTEGER NOT NULL, PRIMARY KEY (kind, uid)
) WITHOUT ROWID;
CREATE INDEX sold_number ON sold (number, shift);
CREATE INDEX sold_time ON sold (local_time);
CREATE TABLE loads (
    path TEXT PRIMARY KEY, digest TEXT NOT NULL, flagged INTEGER NOT NULL, at_ms INTEGER NOT NULL
) WITHOUT ROWID;
"""

DOCUMENT_COLUMNS = (
    "id, database, close_number, kind, till, shift, number, uid, local_time, total_minor, path, line, policy, state,"
    " finding, sale_uid, reference, points, detail, ready_ms, changed_ms, body"
)
SOLD_COLUMNS = (
    "uid, kind, epoch, seq, local_time, number, shift, goods_minor, redeemed_minor, earned_minor, voided, document"
)
FILE_COLUMNS = (
    "path, state, error, database, report, mark, signature, inode, size, start, offset, line, tail, rows, passed_by,"
    " unknown, repeated, closed, known, other_documents, refused, read_ms"
)

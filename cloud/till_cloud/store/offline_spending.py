"""The statements of migration 0003: grants to tills, vouchers, overdrawn points, till keys, snapshots.

`balances.granted` is part of the balance, as `held` is: whoever changes a grant changes it in the same transaction.
`tills.takes_grants`: 1 if the till asks for grants with its changes: points lent to one that does not were nobody's.
2: it did, and then asked for changes without: it went back to a former release, and its grants are to be closed.
"""

OFFLINE_SPENDING = """
ALTER TABLE balances ADD COLUMN granted INTEGER NOT NULL DEFAULT 0
    CHECK (granted >= 0 AND held + granted <= balance);

CREATE TABLE lot_moves_new (
    member_id TEXT NOT NULL REFERENCES members,
    position INTEGER NOT NULL,
    number INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN
        ('use', 'give_back', 'expire', 'reverse', 'reverse_expired', 'owe', 'forgive', 'overdraw')),
    lot INTEGER NOT NULL,
    points INTEGER NOT NULL CHECK (points > 0),
    pays_debt INTEGER NOT NULL CHECK (pays_debt IN (0, 1)),
    PRIMARY KEY (member_id, position, number)
) STRICT, WITHOUT ROWID;
INSERT INTO lot_moves_new SELECT * FROM lot_moves;
DROP TABLE lot_moves;
ALTER TABLE lot_moves_new RENAME TO lot_moves;

CREATE TABLE grants (
    holder TEXT NOT NULL,
    member_id TEXT NOT NULL REFERENCES members,
    epoch INTEGER NOT NULL CHECK (epoch >= 0),
    points INTEGER NOT NULL CHECK (points >= 0),
    recall INTEGER NOT NULL DEFAULT 0 CHECK (recall >= 0),
    granted INTEGER NOT NULL DEFAULT 0 CHECK (granted >= 0),
    used INTEGER NOT NULL DEFAULT 0 CHECK (used >= 0),
    released INTEGER NOT NULL DEFAULT 0 CHECK (released >= 0),
    written_off INTEGER NOT NULL DEFAULT 0 CHECK (written_off >= 0),
    until_ms INTEGER NOT NULL DEFAULT 0,
    recalled_at_ms INTEGER NOT NULL DEFAULT 0,
    position INTEGER NOT NULL,
    PRIMARY KEY (holder, member_id),
    CHECK (recall <= points),
    CHECK (points = granted - used - released - written_off)
) STRICT, WITHOUT ROWID;
CREATE INDEX grants_changed ON grants (holder, position);
CREATE INDEX grants_member ON grants (member_id);
CREATE INDEX grants_recalled ON grants (recalled_at_ms) WHERE recalled_at_ms > 0;

CREATE TABLE grant_write_offs (
    holder TEXT NOT NULL,
    member_id TEXT NOT NULL REFERENCES members,
    epoch INTEGER NOT NULL,
    points INTEGER NOT NULL CHECK (points > 0),
    reason TEXT NOT NULL CHECK (reason IN ('epoch', 'till_removed', 'hand')),
    at_ms INTEGER NOT NULL,
    PRIMARY KEY (holder, member_id, epoch)
) STRICT, WITHOUT ROWID;

CREATE TABLE member_stores (
    member_id TEXT NOT NULL REFERENCES members,
    store TEXT NOT NULL,
    purchases INTEGER NOT NULL CHECK (purchases >= 0),
    last_day TEXT NOT NULL,
    position INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (member_id, store)
) STRICT, WITHOUT ROWID;

CREATE TABLE vouchers (
    voucher TEXT PRIMARY KEY,
    member_id TEXT NOT NULL REFERENCES members,
    holder TEXT NOT NULL,
    store TEXT NOT NULL,
    points INTEGER NOT NULL CHECK (points > 0),
    state TEXT NOT NULL CHECK (state IN ('open', 'used', 'returned')),
    made_at_ms INTEGER NOT NULL,
    expires_at_ms INTEGER NOT NULL,
    resolved_by TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;
CREATE INDEX vouchers_open ON vouchers (holder, expires_at_ms) WHERE state = 'open';
CREATE INDEX vouchers_member ON vouchers (member_id) WHERE state = 'open';

ALTER TABLE tills ADD COLUMN takes_grants INTEGER NOT NULL DEFAULT 0 CHECK (takes_grants IN (0, 1, 2));
ALTER TABLE tills ADD COLUMN public_key TEXT NOT NULL DEFAULT '';
ALTER TABLE tills ADD COLUMN counter INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tills ADD COLUMN quarantined_at_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tills ADD COLUMN quarantine_reason TEXT NOT NULL DEFAULT '';

CREATE TABLE snapshots (
    snapshot TEXT PRIMARY KEY,
    format TEXT NOT NULL,
    position INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    members INTEGER NOT NULL,
    made_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE poison (
    till TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    reason TEXT NOT NULL,
    detail TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    resolved_at_ms INTEGER NOT NULL DEFAULT 0,
    resolved_by TEXT NOT NULL DEFAULT '',
    note TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (till, epoch, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE adjustments (
    member_id TEXT NOT NULL REFERENCES members,
    position INTEGER NOT NULL,
    points INTEGER NOT NULL CHECK (points <> 0),
    why TEXT NOT NULL CHECK (why <> ''),
    made_by TEXT NOT NULL,
    about TEXT NOT NULL DEFAULT '',
    at_ms INTEGER NOT NULL,
    PRIMARY KEY (member_id, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX adjustments_about ON adjustments (about) WHERE about <> ''
"""

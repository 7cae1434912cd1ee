"""The schema, as numbered migrations by sqlite-utils. Forward only; a published migration is never edited.

Distribution columns lead the keys (`member_id` for the ledger, `till` for what a till sends), so that the same tables
can be spread over the nodes of a distributed database. Nothing sums over a store or the chain inside an op's
transaction. Times are UTC milliseconds, points are whole minor points, hashes are lower-case hex.
"""

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

migrations = Migrations("tillside-cloud")


@migrations(name="0001-first")
def first(db: Database) -> None:
    """Members, ledger, tills, ops, programmes."""
    for statement in _FIRST.split(";\n"):
        if statement.strip():
            db.execute(statement)


@migrations(name="0002-whole-programme")
def whole_programme(db: Database) -> None:
    """What the whole programme needs: facts of members, life of lots, limits, budgets, coupons, tiers, events."""
    for statement in _WHOLE_PROGRAMME.split(";\n"):
        if statement.strip():
            db.execute(statement)


_FIRST = """
CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE counters (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL CHECK (value >= 0)
) STRICT, WITHOUT ROWID;

CREATE TABLE stores (
    store TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    time_zone TEXT NOT NULL,
    added_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE tills (
    till TEXT PRIMARY KEY,
    store TEXT NOT NULL REFERENCES stores,
    token_sha256 TEXT NOT NULL DEFAULT '',
    epoch INTEGER NOT NULL DEFAULT 0 CHECK (epoch >= 0),
    salt TEXT NOT NULL DEFAULT '',
    acked_seq INTEGER NOT NULL DEFAULT 0 CHECK (acked_seq >= 0),
    head_hash TEXT NOT NULL DEFAULT '',
    added_at_ms INTEGER NOT NULL,
    enrolled_at_ms INTEGER NOT NULL DEFAULT 0,
    seen_at_ms INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE TABLE enrolment_codes (
    till TEXT PRIMARY KEY REFERENCES tills,
    code_sha256 TEXT NOT NULL,
    made_at_ms INTEGER NOT NULL,
    expires_at_ms INTEGER NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0,
    used_at_ms INTEGER NOT NULL DEFAULT 0,
    salt TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;

CREATE TABLE programmes (
    programme_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    digest TEXT NOT NULL,
    body TEXT NOT NULL,
    active INTEGER NOT NULL CHECK (active IN (0, 1)),
    position INTEGER NOT NULL,
    uploaded_at_ms INTEGER NOT NULL,
    PRIMARY KEY (programme_id, version)
) STRICT;
CREATE UNIQUE INDEX programmes_active ON programmes (active) WHERE active = 1;
CREATE INDEX programmes_position ON programmes (position);

CREATE TABLE members (
    member_id TEXT PRIMARY KEY,
    status TEXT NOT NULL CHECK (status IN ('active', 'blocked', 'provisional', 'removed')),
    tier TEXT NOT NULL DEFAULT '',
    name TEXT NOT NULL DEFAULT '',
    name_masked TEXT NOT NULL DEFAULT '',
    phone_masked TEXT NOT NULL DEFAULT '',
    card_masked TEXT NOT NULL DEFAULT '',
    language TEXT NOT NULL DEFAULT '',
    added_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE identifiers (
    tag TEXT PRIMARY KEY,
    member_id TEXT NOT NULL REFERENCES members
) STRICT, WITHOUT ROWID;
CREATE INDEX identifiers_member ON identifiers (member_id);

CREATE TABLE balances (
    member_id TEXT PRIMARY KEY REFERENCES members,
    balance INTEGER NOT NULL DEFAULT 0 CHECK (balance >= 0),
    held INTEGER NOT NULL DEFAULT 0 CHECK (held >= 0),
    debt INTEGER NOT NULL DEFAULT 0 CHECK (debt >= 0),
    earned INTEGER NOT NULL DEFAULT 0 CHECK (earned >= 0),
    redeemed INTEGER NOT NULL DEFAULT 0 CHECK (redeemed >= 0),
    given_back INTEGER NOT NULL DEFAULT 0 CHECK (given_back >= 0),
    reversed INTEGER NOT NULL DEFAULT 0 CHECK (reversed >= 0),
    expired INTEGER NOT NULL DEFAULT 0 CHECK (expired >= 0),
    position INTEGER NOT NULL,
    CHECK (held <= balance),
    CHECK (balance - debt = earned + given_back - redeemed - reversed - expired)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX balances_position ON balances (position);

CREATE TABLE lots (
    member_id TEXT NOT NULL REFERENCES members,
    lot INTEGER NOT NULL,
    issued INTEGER NOT NULL CHECK (issued >= 0),
    left INTEGER NOT NULL CHECK (left >= 0),
    used INTEGER NOT NULL CHECK (used >= 0),
    expired INTEGER NOT NULL CHECK (expired >= 0),
    reversed INTEGER NOT NULL CHECK (reversed >= 0),
    expires_at_ms INTEGER,
    PRIMARY KEY (member_id, lot),
    CHECK (issued = left + used + expired + reversed)
) STRICT, WITHOUT ROWID;
CREATE INDEX lots_expiring ON lots (member_id, expires_at_ms) WHERE expires_at_ms IS NOT NULL AND left > 0;

CREATE TABLE movements (
    member_id TEXT NOT NULL REFERENCES members,
    position INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('opening', 'sale', 'void', 'return')),
    till TEXT NOT NULL DEFAULT '',
    epoch INTEGER NOT NULL DEFAULT 0,
    seq INTEGER NOT NULL DEFAULT 0,
    uid TEXT NOT NULL DEFAULT '',
    about_uid TEXT NOT NULL DEFAULT '',
    earned INTEGER NOT NULL DEFAULT 0 CHECK (earned >= 0),
    redeemed INTEGER NOT NULL DEFAULT 0 CHECK (redeemed >= 0),
    given_back INTEGER NOT NULL DEFAULT 0 CHECK (given_back >= 0),
    reversed INTEGER NOT NULL DEFAULT 0 CHECK (reversed >= 0),
    expired INTEGER NOT NULL DEFAULT 0 CHECK (expired >= 0),
    balance INTEGER NOT NULL,
    debt INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    PRIMARY KEY (member_id, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE lot_moves (
    member_id TEXT NOT NULL REFERENCES members,
    position INTEGER NOT NULL,
    number INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('use', 'give_back', 'expire', 'reverse', 'reverse_expired', 'owe', 'forgive')),
    lot INTEGER NOT NULL,
    points INTEGER NOT NULL CHECK (points > 0),
    pays_debt INTEGER NOT NULL CHECK (pays_debt IN (0, 1)),
    PRIMARY KEY (member_id, position, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE ops (
    till TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    kind TEXT NOT NULL,
    uid TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    body BLOB NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('applied', 'adjusted', 'rejected')),
    code TEXT NOT NULL,
    member_id TEXT NOT NULL,
    tag TEXT NOT NULL,
    balance INTEGER NOT NULL,
    held INTEGER NOT NULL,
    effect_points INTEGER NOT NULL,
    position INTEGER NOT NULL,
    received_at_ms INTEGER NOT NULL,
    PRIMARY KEY (till, epoch, seq)
) STRICT;

CREATE TABLE sales (
    till TEXT NOT NULL,
    uid TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    member_id TEXT NOT NULL,
    position INTEGER NOT NULL,
    voided INTEGER NOT NULL DEFAULT 0 CHECK (voided IN (0, 1)),
    result BLOB,
    PRIMARY KEY (till, uid)
) STRICT, WITHOUT ROWID;

CREATE TABLE reversals (
    till TEXT NOT NULL,
    sale_uid TEXT NOT NULL,
    number INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('void', 'return')),
    uid TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    position INTEGER NOT NULL,
    result BLOB NOT NULL,
    PRIMARY KEY (till, sale_uid, number)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX reversals_uid ON reversals (till, kind, uid);

CREATE TABLE holds (
    hold TEXT PRIMARY KEY,
    till TEXT NOT NULL,
    member_id TEXT NOT NULL,
    sale_uid TEXT NOT NULL,
    points INTEGER NOT NULL CHECK (points >= 0),
    state TEXT NOT NULL CHECK (state IN ('open', 'used', 'released')),
    made_at_ms INTEGER NOT NULL,
    expires_at_ms INTEGER NOT NULL,
    balance INTEGER NOT NULL,
    held INTEGER NOT NULL,
    position INTEGER NOT NULL,
    resolved_by TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;
CREATE INDEX holds_open_till ON holds (till, expires_at_ms) WHERE state = 'open';
CREATE INDEX holds_open_member ON holds (member_id) WHERE state = 'open';

CREATE TABLE flags (
    till TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    code TEXT NOT NULL,
    member_id TEXT NOT NULL,
    till_points INTEGER NOT NULL,
    cloud_points INTEGER NOT NULL,
    detail TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    PRIMARY KEY (till, epoch, seq, code)
) STRICT, WITHOUT ROWID;
"""

# Tables with a changed CHECK are made anew: SQLite can't alter one. Nothing refers to them.
_WHOLE_PROGRAMME = """
ALTER TABLE members ADD COLUMN birth_date TEXT NOT NULL DEFAULT '';
ALTER TABLE members ADD COLUMN sex TEXT NOT NULL DEFAULT '';
ALTER TABLE members ADD COLUMN member_since TEXT NOT NULL DEFAULT '';
ALTER TABLE members ADD COLUMN segments TEXT NOT NULL DEFAULT '[]';
ALTER TABLE members ADD COLUMN referrer TEXT NOT NULL DEFAULT '';
ALTER TABLE members ADD COLUMN referral_code TEXT NOT NULL DEFAULT '';
ALTER TABLE members ADD COLUMN consent_version TEXT NOT NULL DEFAULT '';
ALTER TABLE members ADD COLUMN consent_at_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE members ADD COLUMN confirmed_at_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE members ADD COLUMN merged_into TEXT NOT NULL DEFAULT '';
ALTER TABLE members ADD COLUMN purchases INTEGER NOT NULL DEFAULT 0;
ALTER TABLE members ADD COLUMN last_purchase TEXT NOT NULL DEFAULT '';
ALTER TABLE members ADD COLUMN largest_purchase_minor INTEGER NOT NULL DEFAULT 0;
CREATE INDEX members_referrer ON members (referrer) WHERE referrer <> '';
CREATE INDEX members_merged ON members (merged_into) WHERE merged_into <> '';
CREATE UNIQUE INDEX members_referral ON members (referral_code) WHERE referral_code <> '';
CREATE INDEX members_birthday ON members (substr(birth_date, -5)) WHERE birth_date <> '';

ALTER TABLE stores ADD COLUMN region TEXT NOT NULL DEFAULT '';
ALTER TABLE stores ADD COLUMN groups TEXT NOT NULL DEFAULT '[]';

CREATE TABLE lots_new (
    member_id TEXT NOT NULL REFERENCES members,
    lot INTEGER NOT NULL,
    position INTEGER NOT NULL,
    issued INTEGER NOT NULL CHECK (issued >= 0),
    left INTEGER NOT NULL CHECK (left >= 0),
    used INTEGER NOT NULL CHECK (used >= 0),
    expired INTEGER NOT NULL CHECK (expired >= 0),
    reversed INTEGER NOT NULL CHECK (reversed >= 0),
    active_at_ms INTEGER,
    expires_at_ms INTEGER,
    PRIMARY KEY (member_id, lot),
    CHECK (issued = left + used + expired + reversed)
) STRICT, WITHOUT ROWID;
INSERT INTO lots_new (member_id, lot, position, issued, left, used, expired, reversed, expires_at_ms)
    SELECT member_id, lot, lot, issued, left, used, expired, reversed, expires_at_ms FROM lots;
DROP TABLE lots;
ALTER TABLE lots_new RENAME TO lots;
CREATE INDEX lots_expiring ON lots (member_id, expires_at_ms) WHERE expires_at_ms IS NOT NULL AND left > 0;
CREATE INDEX lots_due ON lots (expires_at_ms) WHERE expires_at_ms IS NOT NULL AND left > 0;
CREATE INDEX lots_waking ON lots (active_at_ms) WHERE active_at_ms IS NOT NULL;
CREATE INDEX lots_asleep ON lots (member_id) WHERE active_at_ms IS NOT NULL;

CREATE TABLE movements_new (
    member_id TEXT NOT NULL REFERENCES members,
    position INTEGER NOT NULL,
    kind TEXT NOT NULL
        CHECK (kind IN
            ('opening', 'sale', 'void', 'return', 'event', 'expiry', 'merge', 'adjust', 'grant', 'write_off')),
    till TEXT NOT NULL DEFAULT '',
    epoch INTEGER NOT NULL DEFAULT 0,
    seq INTEGER NOT NULL DEFAULT 0,
    uid TEXT NOT NULL DEFAULT '',
    about_uid TEXT NOT NULL DEFAULT '',
    earned INTEGER NOT NULL DEFAULT 0 CHECK (earned >= 0),
    redeemed INTEGER NOT NULL DEFAULT 0 CHECK (redeemed >= 0),
    given_back INTEGER NOT NULL DEFAULT 0 CHECK (given_back >= 0),
    reversed INTEGER NOT NULL DEFAULT 0 CHECK (reversed >= 0),
    expired INTEGER NOT NULL DEFAULT 0 CHECK (expired >= 0),
    balance INTEGER NOT NULL,
    debt INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    PRIMARY KEY (member_id, position)
) STRICT, WITHOUT ROWID;
INSERT INTO movements_new SELECT * FROM movements;
DROP TABLE movements;
ALTER TABLE movements_new RENAME TO movements;

ALTER TABLE holds ADD COLUMN inactive INTEGER NOT NULL DEFAULT 0;

CREATE TABLE reversals_new (
    sale_till TEXT NOT NULL,
    sale_uid TEXT NOT NULL,
    number INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('void', 'return')),
    till TEXT NOT NULL,
    uid TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    position INTEGER NOT NULL,
    result BLOB NOT NULL,
    PRIMARY KEY (sale_till, sale_uid, number)
) STRICT, WITHOUT ROWID;
INSERT INTO reversals_new (sale_till, sale_uid, number, kind, till, uid, epoch, seq, position, result)
    SELECT till, sale_uid, number, kind, till, uid, epoch, seq, position, result FROM reversals;
DROP TABLE reversals;
ALTER TABLE reversals_new RENAME TO reversals;
CREATE UNIQUE INDEX reversals_uid ON reversals (till, kind, uid);

CREATE TABLE member_usage (
    member_id TEXT NOT NULL REFERENCES members,
    rule TEXT NOT NULL,
    per TEXT NOT NULL,
    key TEXT NOT NULL,
    amount INTEGER NOT NULL CHECK (amount >= 0),
    uses INTEGER NOT NULL CHECK (uses >= 0),
    PRIMARY KEY (member_id, rule, per, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE code_usage (
    code TEXT NOT NULL,
    coupon TEXT NOT NULL,
    uses INTEGER NOT NULL CHECK (uses >= 0),
    PRIMARY KEY (code, coupon)
) STRICT, WITHOUT ROWID;

CREATE TABLE member_coupons (
    member_id TEXT NOT NULL REFERENCES members,
    coupon TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    PRIMARY KEY (member_id, coupon)
) STRICT, WITHOUT ROWID;

CREATE TABLE member_spend (
    member_id TEXT NOT NULL REFERENCES members,
    period TEXT NOT NULL,
    spent_minor INTEGER NOT NULL,
    PRIMARY KEY (member_id, period)
) STRICT, WITHOUT ROWID;

CREATE TABLE tier_moves (
    member_id TEXT NOT NULL REFERENCES members,
    position INTEGER NOT NULL,
    tier_before TEXT NOT NULL,
    tier_after TEXT NOT NULL,
    reason TEXT NOT NULL CHECK (reason IN ('spend', 'period', 'hand', 'merge')),
    at_ms INTEGER NOT NULL,
    PRIMARY KEY (member_id, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE events_given (
    member_id TEXT NOT NULL REFERENCES members,
    event TEXT NOT NULL,
    key TEXT NOT NULL,
    position INTEGER NOT NULL,
    about TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (member_id, event, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE budget_shares (
    till TEXT NOT NULL REFERENCES tills,
    programme_id TEXT NOT NULL,
    rule TEXT NOT NULL,
    granted INTEGER NOT NULL CHECK (granted >= 0),
    used INTEGER NOT NULL CHECK (used >= 0),
    PRIMARY KEY (till, programme_id, rule)
) STRICT, WITHOUT ROWID;

CREATE TABLE funded (
    member_id TEXT NOT NULL,
    position INTEGER NOT NULL,
    number INTEGER NOT NULL,
    supplier TEXT NOT NULL,
    rule TEXT NOT NULL,
    till TEXT NOT NULL,
    business_date TEXT NOT NULL,
    points INTEGER NOT NULL,
    points_share INTEGER NOT NULL,
    discount_minor INTEGER NOT NULL,
    discount_share_minor INTEGER NOT NULL,
    PRIMARY KEY (member_id, position, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX funded_by_supplier ON funded (supplier, business_date);

CREATE TABLE confirmations (
    confirmation TEXT PRIMARY KEY,
    till TEXT NOT NULL,
    purpose TEXT NOT NULL CHECK (purpose IN ('register', 'spend')),
    tag TEXT NOT NULL,
    member_id TEXT NOT NULL DEFAULT '',
    salt TEXT NOT NULL,
    code_sha256 TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('sent', 'confirmed', 'spent', 'used')),
    tries INTEGER NOT NULL DEFAULT 0,
    made_at_ms INTEGER NOT NULL,
    expires_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX confirmations_till ON confirmations (till, made_at_ms);
CREATE INDEX confirmations_tag ON confirmations (tag, made_at_ms);

CREATE TABLE jobs (
    job TEXT PRIMARY KEY,
    done_to TEXT NOT NULL,
    at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
"""

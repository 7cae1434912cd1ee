"""The schema, as numbered migrations by sqlite-utils. Forward only; a published migration is never edited.

Distribution columns lead the keys (`member_id` for the ledger, `till` for what a till sends), so that the same tables
can be spread over the nodes of a distributed database. Nothing sums over a store or the chain inside an op's
transaction. Times are UTC milliseconds, points are whole minor points, hashes are lower-case hex.
"""

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from till_cloud.store.heartbeats import HEARTBEATS
from till_cloud.store.offline_spending import OFFLINE_SPENDING
from till_cloud.store.policies import POLICIES
from till_cloud.store.slow_tags import SLOW_TAGS
from till_cloud.store.wallet import WALLET
from till_cloud.store.waves import WAVES
from till_cloud.store.whole_programme import WHOLE_PROGRAMME
from till_cloud.store.windows import WINDOW_SINCE, WINDOWS

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
    for statement in WHOLE_PROGRAMME.split(";\n"):
        if statement.strip():
            db.execute(statement)


@migrations(name="0003-offline-spending")
def offline_spending(db: Database) -> None:
    """What spending without a line needs: grants, vouchers; and what keeps tills apart: keys, counters."""
    for statement in OFFLINE_SPENDING.split(";\n"):
        if statement.strip():
            db.execute(statement)


@migrations(name="0004-wallet")
def wallet(db: Database) -> None:
    """Which wallet codes of a member were made, and which were used."""
    for statement in WALLET.split(";\n"):
        if statement.strip():
            db.execute(statement)


@migrations(name="0005-heartbeats")
def heartbeats(db: Database) -> None:
    """What tills say of themselves, and what was found by it."""
    for statement in HEARTBEATS.split(";\n"):
        if statement.strip():
            db.execute(statement)


@migrations(name="0006-waves")
def waves(db: Database) -> None:
    """Which versions reach which tills first, and what became of them there."""
    for statement in WAVES.split(";\n"):
        if statement.strip():
            db.execute(statement)


@migrations(name="0007-policies")
def policies(db: Database) -> None:
    """Settings that the chain decides, by scope and version."""
    for statement in POLICIES.split(";\n"):
        if statement.strip():
            db.execute(statement)


@migrations(name="0008-windows")
def windows(db: Database) -> None:
    """Which members each store's tills hold."""
    for statement in WINDOWS.split(";\n"):
        if statement.strip():
            db.execute(statement)


@migrations(name="0009-slow-tags")
def slow_tags(db: Database) -> None:
    """Which slow tags took the place of which fast ones."""
    for statement in SLOW_TAGS.split(";\n"):
        if statement.strip():
            db.execute(statement)


@migrations(name="0010-window-since")
def window_since(db: Database) -> None:
    """Since when each till keeps to its store's members."""
    for statement in WINDOW_SINCE.split(";\n"):
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

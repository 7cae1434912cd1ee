"""The statements of migration 0002: what the whole programme needs. Facts of members, life of lots, limits, events.

Tables with a changed CHECK or key are made anew: SQLite can't alter one. Nothing refers to them.

At the end members get the purchases that they had made: sales neither voided nor wholly brought back, on the day that
the till named, at most the day after the cloud had it. Otherwise every old member's next purchase would be their first.
"""

WHOLE_PROGRAMME = """
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

CREATE INDEX sales_uid ON sales (uid);

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

CREATE TABLE sale_codes (
    till TEXT NOT NULL,
    uid TEXT NOT NULL,
    coupon TEXT NOT NULL,
    code TEXT NOT NULL,
    PRIMARY KEY (till, uid, coupon)
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

CREATE TABLE member_pins (
    member_id TEXT PRIMARY KEY REFERENCES members,
    salt TEXT NOT NULL,
    pin_scrypt TEXT NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0 CHECK (tries >= 0),
    locked_until_ms INTEGER NOT NULL DEFAULT 0,
    set_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE jobs (
    job TEXT PRIMARY KEY,
    done_to TEXT NOT NULL,
    at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

WITH held AS (
    SELECT s.member_id,
        CAST(o.body AS TEXT) AS body,
        coalesce(CAST(s.result AS TEXT), json_extract(CAST(o.body AS TEXT), '$.result')) AS result,
        date(o.received_at_ms / 1000, 'unixepoch', '+1 day') AS latest,
        (SELECT sum(json_extract(line.value, '$.amount_minor'))
            FROM reversals r, json_each(CAST(r.result AS TEXT), '$.lines') line
            WHERE r.sale_till = s.till AND r.sale_uid = s.uid) AS back_minor
    FROM sales s JOIN ops o ON o.till = s.till AND o.epoch = s.epoch AND o.seq = s.seq
    WHERE s.voided = 0 AND s.member_id <> ''
), bought AS (
    SELECT member_id, min(json_extract(body, '$.clock.business_date'), latest) AS day,
        json_extract(result, '$.payable_minor') AS paid_minor
    FROM held
    WHERE coalesce(back_minor, 0) < max(json_extract(result, '$.total_minor'), 1)
), told AS (
    SELECT member_id, count(*) AS purchases, max(day) AS day, max(paid_minor) AS paid_minor FROM bought
    GROUP BY member_id
)
UPDATE members SET purchases = told.purchases, last_purchase = told.day, largest_purchase_minor = told.paid_minor
FROM told WHERE told.member_id = members.member_id;
"""

"""Which wallet codes of a member were made and used, and the statements of migration 0004."""

import sqlite3

from till_sync.wallet_use import WalletUse

WALLET = """
ALTER TABLE members ADD COLUMN wallet_issued INTEGER NOT NULL DEFAULT 0 CHECK (wallet_issued >= 0);
ALTER TABLE members ADD COLUMN wallet_token INTEGER NOT NULL DEFAULT 0 CHECK (wallet_token >= 0);
ALTER TABLE members ADD COLUMN wallet_rotating INTEGER NOT NULL DEFAULT 0 CHECK (wallet_rotating >= 0);

CREATE TABLE wallet_uses (
    member_id TEXT NOT NULL REFERENCES members,
    kind TEXT NOT NULL CHECK (kind IN ('token', 'rotating')),
    code INTEGER NOT NULL CHECK (code > 0),
    PRIMARY KEY (member_id, kind, code)
) STRICT, WITHOUT ROWID
"""
"""`wallet_issued`: the counter of the newest signed code; the other two as `WalletUse` has them: what tills are told.
`wallet_uses` has each code that was used lately: sales of several tills come in no order, and one that comes late is
not one that was made twice.
"""

KEPT_S = 93 * 86_400
"""How far back from the newest use codes are kept, both kinds being seconds: the longest life of one is a month."""

AHEAD_S = 2 * 3_600
"""A phone's clock may be ahead by the longest window, and a period more (`till_loyalty.programme.RotatingCode`)."""

_COUNT = """
UPDATE members SET wallet_issued = max(wallet_issued + 1, ?) WHERE member_id = ? RETURNING wallet_issued
"""
_ADD = "INSERT INTO wallet_uses (member_id, kind, code) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
_FORGET = "DELETE FROM wallet_uses WHERE member_id = ? AND kind = ? AND code < ?"
_MOVE = (
    "INSERT OR IGNORE INTO wallet_uses (member_id, kind, code) SELECT ?, kind, code FROM wallet_uses "
    "WHERE member_id = ?"
)
_DROP = "DELETE FROM wallet_uses WHERE member_id = ?"
_USE = """
UPDATE members SET wallet_token = max(wallet_token, ?), wallet_rotating = max(wallet_rotating, ?) WHERE member_id = ?
"""
_GO_OVER = """
UPDATE members SET (wallet_issued, wallet_token, wallet_rotating) = (
    SELECT max(members.wallet_issued, o.wallet_issued), max(members.wallet_token, o.wallet_token),
        max(members.wallet_rotating, o.wallet_rotating) FROM members o WHERE o.member_id = ?
) WHERE member_id = ?
"""


def count(connection: sqlite3.Connection, member_id: str, now_s: int) -> int:
    """The counter of a member's next signed code. It is no less than the time in seconds, so that codes are newer than
    those of a database that was set back to a backup."""
    return int(connection.execute(_COUNT, (now_s, member_id)).fetchone()[0])


def use(connection: sqlite3.Connection, member_id: str, codes: WalletUse, now_s: int) -> bool:
    """A sale used these; False when one of them was used before. Tills hear of it by the member's row, which the sale
    moves.

    They don't of a code of the far future, which a till took that can't tell the time, from a phone whose clock is
    wrong: it would void all that the phone shows once it is right.
    """
    is_sane = codes.rotating <= now_s + AHEAD_S
    connection.execute(_USE, (codes.token, codes.rotating if is_sane else 0, member_id))
    fresh = True
    for kind, code in (("token", codes.token), ("rotating", codes.rotating)):
        if code:
            fresh = bool(connection.execute(_ADD, (member_id, kind, code)).rowcount) and fresh
            if kind == "token" or is_sane:
                connection.execute(_FORGET, (member_id, kind, code - KEPT_S))
    return fresh


def go_over(connection: sqlite3.Connection, old_id: str, into_id: str) -> None:
    """Two members are one: what either used is used."""
    connection.execute(_GO_OVER, (old_id, into_id))
    connection.execute(_MOVE, (into_id, old_id))
    connection.execute(_DROP, (old_id,))

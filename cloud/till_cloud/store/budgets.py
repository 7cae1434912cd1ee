"""Tills' shares of rules' budgets, as rows: how much was granted to each, and how much of it was used."""

import sqlite3
from collections.abc import Mapping

from msgspec import Struct


class ShareRow(Struct, frozen=True):
    """A till's share of a rule's budget, in what the rule gives. `used` passes `granted` only by money handed out."""

    till: str
    rule: str
    granted: int
    used: int

    @property
    def left(self) -> int:
        """What the till may still give."""
        return max(self.granted - self.used, 0)

    @property
    def taken(self) -> int:
        """What nobody else can have of the budget any more."""
        return max(self.granted, self.used)


_OF_TILL = "SELECT till, rule, granted, used FROM budget_shares WHERE till = ? AND programme_id = ?"
_OF_PROGRAMME = "SELECT till, rule, granted, used FROM budget_shares WHERE programme_id = ? ORDER BY rule, till"
_USE = """
INSERT INTO budget_shares (till, programme_id, rule, granted, used) VALUES (?, ?, ?, 0, ?)
ON CONFLICT (till, programme_id, rule) DO UPDATE SET used = used + excluded.used
"""
_GRANT = """
INSERT INTO budget_shares (till, programme_id, rule, granted, used) VALUES (?, ?, ?, ?, 0)
ON CONFLICT (till, programme_id, rule) DO UPDATE SET granted = granted + excluded.granted
"""

# Tills that could sell: only they need a share.
_TILLS = "SELECT count(*) FROM tills WHERE enrolled_at_ms > 0"


def of_till(connection: sqlite3.Connection, till: str, programme_id: str) -> dict[str, ShareRow]:
    """A till's shares by rule."""
    return {row[1]: ShareRow(*row) for row in connection.execute(_OF_TILL, (till, programme_id))}


def of_programme(connection: sqlite3.Connection, programme_id: str) -> list[ShareRow]:
    """Every till's shares, by rule."""
    return [ShareRow(*row) for row in connection.execute(_OF_PROGRAMME, (programme_id,))]


def use(connection: sqlite3.Connection, till: str, programme_id: str, used: Mapping[str, int]) -> None:
    """What a sale of this till took of each rule's budget."""
    connection.executemany(_USE, [(till, programme_id, rule, amount) for rule, amount in used.items() if amount])


def grant(connection: sqlite3.Connection, till: str, programme_id: str, granted: Mapping[str, int]) -> None:
    """Give a till more."""
    connection.executemany(_GRANT, [(till, programme_id, rule, amount) for rule, amount in granted.items()])


def enrolled_tills(connection: sqlite3.Connection) -> int:
    return int(connection.execute(_TILLS).fetchone()[0])

"""Shares of rules' budgets: what a till may give without asking. Granted when it pulls, never in an op's transaction.

Together the tills are never granted more than the budget, so that they can't give more either, connected or not.
"""

import sqlite3

from msgspec import Struct

from till_cloud.store import budgets
from till_cloud.store.budgets import ShareRow
from till_loyalty.programme import Programme


class BudgetView(Struct, frozen=True):
    """A rule's budget: what all tills were granted of it, and what they used. `shares` by till."""

    rule: str
    total: int
    granted: int
    used: int
    shares: tuple[ShareRow, ...]


def totals(programme: Programme) -> dict[str, int]:
    """The budget of each rule that has one; with several, the smallest."""
    found: dict[str, int] = {}
    for rule in programme.rules:
        amounts = [limit.amount for limit in rule.limits if limit.per == "budget"]
        if amounts:
            found[rule.id] = min(amounts)
    return found


def shares(connection: sqlite3.Connection, till: str, programme: Programme) -> dict[str, int]:
    """What is left of a till's share of each rule's budget; 0 where it has none yet."""
    wanted = totals(programme)
    if not wanted:
        return {}
    mine = budgets.of_till(connection, till, programme.id)
    return {rule: mine[rule].left if rule in mine else 0 for rule in wanted}


def wanting(connection: sqlite3.Connection, till: str, programme: Programme) -> dict[str, int]:
    """What to grant the till now: to the fair share where less than half of that is left, as far as the budget goes."""
    wanted = totals(programme)
    if not wanted:
        return {}
    by_rule: dict[str, list[ShareRow]] = {}
    for row in budgets.of_programme(connection, programme.id):
        by_rule.setdefault(row.rule, []).append(row)
    tills = max(budgets.enrolled_tills(connection), 1)
    found: dict[str, int] = {}
    for rule, total in wanted.items():
        rows = by_rule.get(rule, [])
        left = next((row.left for row in rows if row.till == till), 0)
        # At least one: a small budget of a large chain goes to the tills that ask first.
        fair = max((total - sum([row.used for row in rows])) // (2 * tills), 1)
        rest = total - sum([row.taken for row in rows])
        more = min(fair - left, rest)
        if 2 * left < fair and more > 0:
            found[rule] = more
    return found


def top_up(connection: sqlite3.Connection, till: str, programme: Programme) -> None:
    """Grant what `wanting` says, within the caller's transaction of the writer."""
    budgets.grant(connection, till, programme.id, wanting(connection, till, programme))


def view(connection: sqlite3.Connection, programme: Programme) -> list[BudgetView]:
    """Every budget of the programme, in the order of its rules."""
    rows = budgets.of_programme(connection, programme.id)
    return [
        BudgetView(
            rule=rule,
            total=total,
            granted=sum([row.granted for row in rows if row.rule == rule]),
            used=sum([row.used for row in rows if row.rule == rule]),
            shares=tuple([row for row in rows if row.rule == rule]),
        )
        for rule, total in totals(programme).items()
    ]

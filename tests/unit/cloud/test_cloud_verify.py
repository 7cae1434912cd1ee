"""`verify` finds what is wrong with a ledger: each check has a damage that only it, or it first, must name."""

import sqlite3
from pathlib import Path

import pytest

from till_cloud.verify import BREACHES_SHOWN, CHECKS, verify
from unit.cloud.cloud_kit import chain


@pytest.fixture
def ledger(tmp_path: Path) -> sqlite3.Connection:
    """A small true ledger, open without its constraints so that it can be damaged."""
    path = tmp_path / "c.db"
    with chain(path) as world:
        world.member("m-1", points=1000)
        world.member("m-2")
        till = world.till()
        world.hold(till, "h", "m-1", 300)
        world.hold(till, "h2", "m-1", 100)
        till.sale("a", "m-1", 10_000, redeem=300, hold="h")
        till.sale("b", "m-2", 10_000)
        till.push()
        world.hold(till, "h3", "m-2", 900)
        till.take_return("r", "b")
        till.take_return("r2", "a", [(1, 100)])
        till.push(3)
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA ignore_check_constraints=ON")
    yield connection
    connection.close()


def test_a_true_ledger_holds(ledger: sqlite3.Connection) -> None:
    found = verify(ledger)
    assert found.holds, found.breaches
    assert (found.figures["members"], found.figures["ops"], found.figures["debt"]) == (2, 4, 900)


DAMAGES = {
    "lot_adds_up": "UPDATE lots SET issued = issued + 1 WHERE member_id = 'm-1'",
    "lots_are_the_balance": "UPDATE lots SET left = left + 1, issued = issued + 1 WHERE member_id = 'm-1'",
    "moves_are_the_lots": "DELETE FROM lot_moves WHERE kind = 'use'",
    "lots_are_what_was_earned": "UPDATE movements SET earned = earned + 1 WHERE kind = 'opening'",
    "gross_is_the_balance": "UPDATE balances SET earned = earned + 5 WHERE member_id = 'm-1'",
    "movements_are_the_gross": "DELETE FROM movements WHERE kind = 'return'",
    "debt_is_what_is_owed": "UPDATE balances SET debt = debt - 1, reversed = reversed - 1 WHERE member_id = 'm-2'",
    "holds_are_held": "UPDATE holds SET state = 'released' WHERE hold = 'h2'",
    "held_is_active": "UPDATE lots SET active_at_ms = 1 WHERE member_id = 'm-2'",
    "uses_are_counted": "INSERT INTO member_usage VALUES ('m-1', 'r', 'day', '2027-01-15', -1, 0)",
    "budgets_are_kept": "INSERT INTO budget_shares VALUES ('k1', 'test', 'base', 1, 0)",
    "events_are_given_once": "UPDATE movements SET kind = 'event', uid = 'cake' WHERE kind = 'opening'",
    "bills_are_what_was_given": "INSERT INTO funded VALUES ('m-1', 1, 1, 's', 'r', 'k1', '2027-01-15', 1001, 5, 0, 0)",
    "corrections_are_movements": "INSERT INTO adjustments VALUES ('m-1', 1, 5, 'why', 'Anna', '', 0)",
    "what_is_put_aside_is_rejected": "INSERT INTO poison (till, epoch, seq, reason, detail, at_ms)"
    " VALUES ('k1', 1, 1, 'KeyError', '', 0)",
    "tiers_are_their_moves": "INSERT INTO tier_moves VALUES ('m-1', 1, '', 'gold', 'hand', 0)",
    "grants_are_granted": "UPDATE balances SET granted = 1 WHERE member_id = 'm-1'",
    "free_and_lent_are_the_gross": "UPDATE balances SET granted = 1 WHERE member_id = 'm-1'",
    "grants_add_up": "INSERT INTO grants VALUES ('k1', 'm-1', 1, 0, 0, 9, 0, 0, 0, 0, 0, 99)",
    "write_offs_are_written": "INSERT INTO grants VALUES ('k1', 'm-1', 1, 0, 0, 9, 0, 0, 9, 0, 0, 99)",
    "nobody_below_zero": "UPDATE balances SET held = -1 WHERE member_id = 'm-1'",
    "ops_are_the_movements": "UPDATE ops SET effect_points = effect_points + 1 WHERE seq = 1",
    "one_movement_an_op": "UPDATE movements SET seq = 1 WHERE seq > 0",
    "no_gap_in_ops": "DELETE FROM ops WHERE seq = 2",
    "acknowledged_is_stored": "UPDATE tills SET acked_seq = 9",
}


def test_every_check_has_its_damage() -> None:
    assert {check.code for check in CHECKS} == set(DAMAGES)


@pytest.mark.parametrize("code", sorted(DAMAGES))
def test_a_damage_is_named(ledger: sqlite3.Connection, code: str) -> None:
    ledger.execute(DAMAGES[code])
    found = verify(ledger)
    assert not found.holds
    assert code in {breach.code for breach in found.breaches}


def test_a_wholly_broken_ledger_is_told_in_short(ledger: sqlite3.Connection) -> None:
    for number in range(BREACHES_SHOWN + 5):
        ledger.execute("INSERT INTO flags VALUES ('k', 1, ?, 'x', '', 0, 0, '', 0)", (number,))
        ledger.execute(
            "INSERT INTO members (member_id, status, added_at_ms) VALUES (?, 'active', 0)", (f"m-x{number}",)
        )
        ledger.execute(
            "INSERT INTO balances (member_id, balance, position) VALUES (?, 7, ?)", (f"m-x{number}", 900 + number)
        )
    found = verify(ledger)
    assert len(found.breaches) == BREACHES_SHOWN
    assert found.breach_count >= BREACHES_SHOWN + 5

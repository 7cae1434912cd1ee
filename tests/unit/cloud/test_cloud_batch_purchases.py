"""Operations, sales and purchases of a batch are written together at its end; whatever in the same batch looks at them
sees them all."""

from pathlib import Path

import pytest

from till_cloud.ingest import push
from till_loyalty.programme import Event, Rule
from till_loyalty.rule_parts import Who
from unit.cloud.cloud_kit import chain, programme
from unit.cloud.test_registration_cloud import CARD, check, member, phone_tag, register

SEEN = "SELECT purchases, last_purchase, largest_purchase_minor FROM members WHERE member_id = ?"


def test_many_purchases_of_a_batch_are_all_there(tmp_path: Path) -> None:
    """Their number, the latest day and the largest sum, also of several members in turn."""
    with chain(tmp_path / "c.db") as made:
        till = made.till()
        made.member("m-1")
        made.member("m-2")
        for number, amount in enumerate((5_000, 90_000, 700)):
            till.sale(f"a-{number}", "m-1", amount)
            till.sale(f"b-{number}", "m-2", 100)
        till.push()
        day = made.rows(SEEN, "m-1")[0][1]
        assert made.rows(SEEN, "m-1") == [(3, day, 90_000)]
        assert made.rows(SEEN, "m-2") == [(3, day, 100)]
        assert day


def test_a_void_in_the_batch_of_its_sale_leaves_the_other_purchases(tmp_path: Path) -> None:
    with chain(tmp_path / "c.db") as made:
        till = made.till()
        made.member("m-1")
        till.sale("a", "m-1")
        till.sale("b", "m-1")
        till.void("a")
        till.sale("c", "m-1")
        till.push()
        assert member(made, "purchases", "m-1") == 2
        check(made)


def test_a_sale_that_comes_twice_in_a_batch_counts_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And is no reason to go through the batch op by op."""
    with chain(tmp_path / "c.db") as made:
        monkeypatch.setattr(push, "one_by_one", None)
        till = made.till()
        made.member("m-1")
        till.sale("a", "m-1", 5_000)
        till.sale("a", "m-1", 5_000)
        verdicts = [(result.status, result.code) for result in till.push().results]
        assert verdicts == [("applied", ""), ("rejected", "sale_repeated")]
        assert member(made, "purchases", "m-1") == 1
        check(made)


def test_a_registration_in_the_batch_of_its_sales_keeps_their_purchases(tmp_path: Path) -> None:
    """A card and a phone that nobody knew become one member, who made all these purchases, before and after."""
    with chain(tmp_path / "c.db") as made:
        till = made.till()
        till.sale("by-card", CARD, 40_000)
        till.sale("by-phone", phone_tag(made), 100)
        till.sale("by-phone-again", phone_tag(made), 200)
        register(made, till, card_tag=CARD, card_masked="**** 0018")
        till.sale("then", phone_tag(made), 300)
        joined = till.push().results[-1].member_id
        assert member(made, "purchases", joined) == 4
        assert member(made, "largest_purchase_minor", joined) == 40_000
        check(made)


@pytest.mark.parametrize("together", [True, False])
def test_a_rule_on_the_number_of_purchases_counts_those_of_its_own_batch(tmp_path: Path, *, together: bool) -> None:
    """The same points whether the sales come in one batch or one by one."""
    first = Rule(id="first", points=500, who=Who(first_purchases=2))
    with chain(tmp_path / "c.db", rules=programme(rules=(first,))) as made:
        till = made.till()
        made.member("m-1")
        made.member("m-2")
        for number in range(4):
            till.sale(f"a-{number}", "m-1")
            till.sale(f"b-{number}", "m-2")
        if together:
            till.push()
        else:
            for number in range(1, 9):
                till.push(number, number)
        assert made.balances("m-1")[0] == made.balances("m-2")[0] == 2 * 500
        assert member(made, "purchases", "m-1") == 4


def test_an_event_of_the_first_purchase_is_given_once_in_a_batch(tmp_path: Path) -> None:
    first = Event(id="hello", on="first_purchase", points=300)
    with chain(tmp_path / "c.db", rules=programme(rules=(), events=(first,))) as made:
        till = made.till()
        made.member("m-1")
        till.sale("a", "m-1")
        till.sale("b", "m-1")
        till.push()
        assert made.balances("m-1")[0] == 300

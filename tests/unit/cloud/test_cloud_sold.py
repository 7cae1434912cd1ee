"""A till's question about a sale of the chain: what the cloud tells of it, and whose it finds."""

import msgspec
import pytest

from till_cloud.exceptions import RefusedError
from till_cloud.store import tills
from till_loyalty.returns import reverse
from till_sync.asking import SaleAnswer, SaleChoice, SaleQuestion
from till_sync.ops import ReturnBody, Subject, encode_body
from unit.cloud.cloud_kit import CLOCK, Chain, Till, chain


@pytest.fixture
def world(tmp_path):
    with chain(tmp_path / "c.db") as made:
        made.member("m-1", points=5000, tags=("card:" + "a" * 32,))
        yield made


def ask(world: Chain, uid: str = "a", **narrower: str) -> SaleAnswer:
    return world.centre.sale(SaleQuestion(sale_uid=uid, **narrower))


def refusal(world: Chain, uid: str = "a", **narrower: str) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        ask(world, uid, **narrower)
    return caught.value


class Wish(msgspec.Struct):
    number: int
    quantity_thousandths: int
    amount_minor: int | None = None


def return_at(till: Till, uid: str, sale: SaleAnswer, quantity: int) -> None:
    """A return of the first line of another till's sale, as an agent makes one from the cloud's answer."""
    what = reverse(sale.result, [each.reversal for each in sale.reversals], [Wish(1, quantity)])
    body = ReturnBody(
        **till.common(uid), sale_uid=sale.sale_uid, sale_op=sale.op, subject=sale.subject, reversal=what, clock=CLOCK
    )
    till.add_raw(encode_body(body))


def test_a_sale_is_told_with_the_clouds_figures_and_all_that_came_back(world: Chain) -> None:
    """An adjusted sale by the cloud's calculation; each return by its op, whichever till made it."""
    first, second = world.till("k1"), world.till("k2")
    first.sale("a", "m-1", 10_000, change=lambda r: msgspec.structs.replace(r, earned_points=9_999))
    first.push()
    told = ask(world)
    assert (told.till, told.store, told.op, told.date) == ("k1", "s1", "k1:1:1", "2027-01-15")
    assert (told.result.earned_points, told.voided, told.reversals) == (1_000, False, ())
    assert told.subject == Subject(member_id="m-1")
    return_at(second, "r", told, 500)
    assert second.push_last().status == "applied"
    again = ask(world, of_till="k1")
    assert [(each.op, each.kind, each.uid) for each in again.reversals] == [("k2:1:1", "return", "r")]
    assert again.reversals[0].reversal.points_taken == 250


def test_a_sale_to_a_tag_is_told_by_the_member_that_it_is_now(world: Chain) -> None:
    till = world.till()
    till.sale("a", "card:" + "a" * 32, 10_000)
    till.push()
    assert ask(world).subject == Subject(member_id="m-1")


def test_a_voided_sale_is_told_as_voided(world: Chain) -> None:
    till = world.till()
    till.sale("a", "m-1", 10_000)
    till.void("a")
    till.push()
    told = ask(world)
    assert (told.voided, [each.kind for each in told.reversals]) == (True, ["void"])


def test_what_no_till_sent_is_unknown(world: Chain) -> None:
    """Also where the uid exists and the till, store, number or date that was named does not fit."""
    till = world.till()
    till.sale("a", "m-1", 10_000)
    assert (refusal(world).problem.status, refusal(world).code) == (404, "sale_unknown")
    till.push()
    for narrower in ({"of_till": "k9"}, {"of_store": "s9"}, {"number": "7"}, {"date": "2027-01-16"}):
        assert refusal(world, **narrower).code == "sale_unknown"
    assert ask(world, of_till="k1", of_store="s1", date="2027-01-15").op == "k1:1:1"


def test_one_uid_of_several_tills_is_a_choice(world: Chain) -> None:
    """By what stands on the receipt; the till, or what only one of them has, makes it one."""
    for name in ("k1", "k2"):
        till = world.till(name)
        till.sale("a", "m-1", 10_000)
        till.push()
    refused = refusal(world)
    assert (refused.problem.status, refused.code, refused.problem.extras["more"]) == (409, "sale_ambiguous", False)
    choices = refused.problem.extras["choices"]
    assert choices[1] == SaleChoice(
        till="k2", store="s1", number="", date="2027-01-15", at_wall_ms=choices[1].at_wall_ms, total_minor=10_000
    )
    assert ask(world, of_till="k2").op == "k2:1:1"
    world.centre.write(lambda c: tills.put_store(c, tills.StoreRow("s2", "Second", "Europe/Moscow"), 0)).result()
    world.centre.write(lambda c: c.execute("UPDATE tills SET store = 's2' WHERE till = 'k2'")).result()
    assert ask(world, of_store="s2").till == "k2"


def test_where_a_uid_is_everywhere_the_answer_ends(world: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    """A few choices are told and no guess is made, whatever number was asked for."""
    monkeypatch.setattr("till_cloud.sold.SALES_READ", 2)
    monkeypatch.setattr("till_cloud.sold.CHOICES_TOLD", 1)
    for name in ("k1", "k2", "k3"):
        till = world.till(name)
        till.sale("a", "m-1", 10_000)
        till.push()
    refused = refusal(world)
    assert (len(refused.problem.extras["choices"]), refused.problem.extras["more"]) == (1, True)
    assert refusal(world, number="5").code == "sale_ambiguous"


def test_a_sale_returned_without_end_is_not_told(world: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("till_cloud.sold.REVERSALS_TOLD", 1)
    till = world.till()
    till.sale("a", "m-1", 10_000)
    till.take_return("r1", "a", [(1, 100)])
    till.push()
    assert len(ask(world).reversals) == 1
    till.take_return("r2", "a", [(1, 100)])
    till.push_last()
    assert refusal(world).code == "sale_too_long"


def test_the_question_is_answered_by_an_index(world: Chain) -> None:
    """Whatever else the chain sold."""
    plan = world.rows("EXPLAIN QUERY PLAN SELECT till FROM sales WHERE uid = ?", "a")
    assert any("sales_uid" in row[3] for row in plan), plan

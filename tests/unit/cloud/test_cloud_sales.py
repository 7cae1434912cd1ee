"""Sales at the cloud: counted again, adjusted, redeemed from holds, and whose they are."""

import msgspec
import pytest

from till_loyalty.programme import Redemption
from unit.cloud.cloud_kit import Chain, chain, programme


@pytest.fixture
def world(tmp_path):
    with chain(tmp_path / "c.db") as made:
        made.member("m-1", points=5000, tags=("card:00000001", "phone:00000002"))
        made.member("m-gold", tier="gold")
        yield made


def flags(world: Chain) -> list[tuple]:
    return world.rows("SELECT seq, code, till_points, cloud_points FROM flags ORDER BY seq, code")


def test_the_same_figures_are_applied_without_a_flag(world: Chain) -> None:
    till = world.till()
    till.sale("a", "m-1", 10_000, 2_345)
    result = till.push_last()
    assert (result.status, result.code, result.member_id, result.effect_points) == ("applied", "", "m-1", 1234)
    assert result.balance == 6234
    assert flags(world) == []
    assert world.rows("SELECT result FROM sales") == [(None,)]


def test_another_figure_is_adjusted_to_the_clouds_own(world: Chain) -> None:
    """A till that claims ten times the points gets its member the right ones, and staff see both figures."""
    till = world.till()
    till.sale("a", "m-1", 10_000, change=lambda r: msgspec.structs.replace(r, earned_points=10_000))
    result = till.push_last()
    assert (result.status, result.code, result.effect_points, result.balance) == (
        "adjusted",
        "points_differ",
        1000,
        6000,
    )
    assert flags(world) == [(1, "points_differ", 10_000, 1000)]


def test_an_absurd_claim_is_only_a_flag(world: Chain) -> None:
    till = world.till()
    till.sale("a", "m-1", 10_000, change=lambda r: msgspec.structs.replace(r, earned_points=10**40))
    assert till.push_last().status == "adjusted"
    assert flags(world) == [(1, "points_differ", 2**53, 1000)]


def test_the_clouds_tier_counts(world: Chain) -> None:
    """A till that has not heard of the tier yet is adjusted upwards, one that claims it is adjusted downwards."""
    till = world.till()
    till.sale("a", "m-gold", 10_000, tier="")
    till.sale("b", "m-1", 10_000, tier="gold")
    first, second = till.push().results
    assert (first.status, first.effect_points) == ("adjusted", 2000)
    assert (second.status, second.effect_points) == ("adjusted", 1000)


def test_a_sale_with_no_member_moves_nothing(world: Chain) -> None:
    till = world.till()
    till.sale("a", "", 10_000)
    result = till.push_last()
    assert (result.status, result.member_id, result.position) == ("applied", "", 0)
    assert world.rows("SELECT count(*) FROM movements WHERE till <> ''") == [(0,)]


def test_a_known_tag_is_its_owners(world: Chain) -> None:
    till = world.till()
    till.sale("a", "card:00000001", 10_000)
    result = till.push_last()
    assert (result.status, result.member_id, result.tag) == ("applied", "m-1", "card:00000001")


def test_an_unknown_tag_makes_one_provisional_member(world: Chain) -> None:
    """Two tills, the same unknown card: one member with both accruals."""
    one, two = world.till("k1"), world.till("k2")
    one.sale("a", "card:0000beef", 10_000)
    two.sale("b", "card:0000beef", 5_000)
    first, second = one.push_last(), two.push_last()
    assert first.member_id == second.member_id == "m-new1"
    assert second.balance == 1500
    assert world.rows("SELECT status FROM members WHERE member_id = 'm-new1'") == [("provisional",)]


def test_a_member_lost_with_a_backup_keeps_what_they_earn(world: Chain) -> None:
    """The till knows a member id that the cloud does not: a provisional member of that very id gets the points."""
    till = world.till()
    till.sale("a", "m-lost", 10_000)
    result = till.push_last()
    assert (result.status, result.member_id, result.balance) == ("applied", "m-lost", 1000)


@pytest.mark.parametrize("reference", ["lost", "m-", "m-" + "x" * 61, "m-ä", "card:XYZ", ":", "card:"])
def test_a_subject_that_is_none_is_rejected(world: Chain, reference: str) -> None:
    till = world.till()
    till.sale("a", reference, 10_000)
    assert till.push_last().code == "subject_invalid"


def test_a_blocked_member_earns_nothing(world: Chain) -> None:
    world.member("m-b", status="blocked")
    till = world.till()
    till.sale("a", "m-b", 10_000)
    result = till.push_last()
    assert (result.status, result.effect_points) == ("adjusted", 0)


def test_a_uid_counts_once_per_till(world: Chain) -> None:
    """A journal that was lost and a cash software that asks again: the sale stays one."""
    till = world.till()
    till.sale("a", "m-1", 10_000)
    till.push()
    till.new_journal()
    till.sale("a", "m-1", 10_000)
    result = till.push_last()
    assert (result.status, result.code) == ("rejected", "sale_repeated")
    assert world.balances("m-1") == (6000, 0, 0)


def test_a_uid_that_is_none_is_rejected(world: Chain) -> None:
    till = world.till()
    till.sale("a b", "m-1")
    assert till.push_last().code == "uid_invalid"


def test_a_receipt_that_contradicts_itself_is_rejected_and_makes_no_member(world: Chain) -> None:
    till = world.till()
    till.sale("a", "card:0000beef", 100)
    raw = bytes(till.ops.pop().body).replace(b'"amount_minor":100,', b'"amount_minor":100,"minimum_price_minor":200,')
    till.heads.pop()
    till.add_raw(raw)
    assert till.push_last().code == "minimum_price_too_high"
    assert world.rows("SELECT count(*) FROM members") == [(2,)]


def test_an_older_programme_version_counts_where_the_till_sold_by_it(world: Chain) -> None:
    """A queue from before the change is counted by the version that it names."""
    old = world.programme
    world.upload(programme(2, base=100))
    till = world.till()
    till.sale("a", "m-1", 10_000, rules=old)
    till.sale("b", "m-1", 10_000)
    assert [(r.status, r.effect_points) for r in till.push().results] == [("applied", 1000), ("applied", 100)]


def test_an_unknown_version_is_counted_by_the_active_one_and_flagged(world: Chain) -> None:
    till = world.till()
    till.sale("a", "m-1", 10_000, rules=programme(9))
    till.sale("b", "m-1", 10_000, rules=programme(9, base=500))
    same, other = till.push().results
    assert (same.status, other.status, other.effect_points) == ("applied", "adjusted", 1000)
    assert {(seq, code) for seq, code, *_ in flags(world)} >= {(1, "programme_unknown"), (2, "programme_unknown")}


def test_another_text_of_a_known_version_is_flagged(world: Chain) -> None:
    till = world.till()
    till.sale("a", "m-1", 10_000, rules=programme(1, base=500))
    result = till.push_last()
    assert (result.status, result.effect_points) == ("adjusted", 1000)
    assert (1, "programme_digest", 500, 0) in flags(world)


def test_a_sale_of_a_till_without_a_programme_is_worked_out_here(world: Chain) -> None:
    till = world.till()
    till.sale("a", "m-1", 10_000, bare=True)
    result = till.push_last()
    assert (result.status, result.effect_points) == ("adjusted", 1000)


def test_without_any_programme_a_sale_is_kept_and_gives_nothing(tmp_path) -> None:
    with chain(tmp_path / "c.db") as world:
        world.centre.write(lambda c: c.execute("DELETE FROM programmes")).result()
        world.member("m-1")
        till = world.till()
        till.sale("a", "m-1", 10_000)
        result = till.push_last()
        assert (result.status, result.effect_points) == ("adjusted", 0)
        assert (1, "programme_missing", 1000, 0) in flags(world)


def test_a_redemption_spends_its_hold(world: Chain) -> None:
    """Spent points leave the lots, the rest of the hold is free again, and what the receipt earns is a new lot."""
    till = world.till()
    world.hold(till, "h-k1-1", "m-1", 3000)
    assert world.balances("m-1") == (5000, 3000, 0)
    till.sale("a", "m-1", 10_000, redeem=2000, hold="h-k1-1")
    result = till.push_last()
    assert (result.status, result.effect_points, result.balance, result.held) == ("applied", 800 - 2000, 3800, 0)
    assert world.rows("SELECT issued, left, used FROM lots ORDER BY lot") == [(5000, 3000, 2000), (800, 800, 0)]
    assert world.rows("SELECT state, resolved_by FROM holds") == [("used", "k1:1:1")]


def test_a_hold_named_by_a_sale_that_spends_nothing_is_over(world: Chain) -> None:
    till = world.till()
    world.hold(till, "h-k1-1", "m-1", 3000)
    till.sale("a", "m-1", 10_000, hold="h-k1-1")
    result = till.push_last()
    assert (result.status, result.held, result.balance) == ("applied", 0, 6000)


def test_points_earned_on_a_receipt_cannot_pay_for_it(world: Chain) -> None:
    world.member("m-2", points=100)
    till = world.till()
    world.hold(till, "h-k1-1", "m-2", 100)
    till.sale("a", "m-2", 100_000, redeem=5000, hold="h-k1-1", spendable=5000)
    result = till.push_last()
    assert (result.status, result.code) == ("adjusted", "hold_too_small")
    assert result.effect_points == 9990 - 100
    assert world.rows("SELECT left FROM lots WHERE member_id = 'm-2' ORDER BY lot") == [(0,), (9990,)]


@pytest.mark.parametrize(
    ("arrange", "code"),
    [
        (lambda w, t: None, "hold_missing"),
        (lambda w, t: (w.hold(t, "h", "m-1", 500), t.release("h")), "hold_released"),
        (lambda w, t: (w.hold(t, "h", "m-1", 500), t.sale("z", "m-1", 9_000, redeem=500, hold="h")), "hold_used"),
        (lambda w, t: (w.member("m-2", points=900), w.hold(t, "h", "m-2", 500)), "hold_mismatch"),
        (lambda w, t: w.hold(w.till("k2"), "h", "m-1", 500), "hold_mismatch"),
    ],
)
def test_a_redemption_that_no_hold_covers_takes_nothing(world: Chain, arrange, code: str) -> None:
    """The goods were sold for the money paid: that earns; the points stay the member's, and staff are told."""
    till = world.till()
    arrange(world, till)
    before = 0
    if till.ops:
        till.push()
    before = world.balances("m-1")[0]
    till.sale("a", "m-1", 10_000, redeem=500, hold="h")
    result = till.push_last()
    assert (result.status, result.code, result.effect_points) == ("adjusted", code, 950)
    assert world.balances("m-1")[0] == before + 950
    assert flags(world)[-1][1:] == (code, 450, 950)


def test_returning_goods_that_no_hold_paid_for_gives_no_points_back(world: Chain) -> None:
    """Otherwise a sale with an invented hold and its return would make points out of nothing."""
    till = world.till()
    till.sale("a", "m-1", 10_000, redeem=2000, hold="invented")
    till.take_return("r", "a")
    sale, back = till.push().results
    assert (sale.effect_points, back.effect_points, back.status) == (800, -800, "adjusted")
    assert world.balances("m-1") == (5000, 0, 0)


def test_a_hold_counts_by_what_could_be_spent_when_it_was_granted(tmp_path) -> None:
    """The programme's smallest balance was checked then; later sales don't take the promise back."""
    rules = programme(redemption=Redemption(max_share_basis_points=5000, minimum_balance_points=4000))
    with chain(tmp_path / "c.db", rules=rules) as world:
        world.member("m-1", points=5000)
        one, two = world.till("k1"), world.till("k2")
        world.hold(one, "h1", "m-1", 1000)
        world.hold(two, "h2", "m-1", 4000)
        two.sale("b", "m-1", 10_000, redeem=4000, hold="h2", spendable=4000)
        assert two.push_last().status == "applied"
        one.sale("a", "m-1", 10_000, redeem=1000, hold="h1", spendable=5000)
        assert one.push_last().status == "applied"


def test_a_claim_of_less_than_the_hold_frees_the_rest(world: Chain) -> None:
    """A redemption below 0, which no till makes, spends nothing."""
    till = world.till()
    world.hold(till, "h", "m-1", 500)
    till.sale("a", "m-1", 10_000, hold="h", change=lambda r: msgspec.structs.replace(r, redeemed_points=-700))
    result = till.push_last()
    assert (result.status, result.effect_points, result.held) == ("adjusted", 1000, 0)

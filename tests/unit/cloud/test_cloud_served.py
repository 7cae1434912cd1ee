"""A programme is sold by only when tills and cloud can carry out all of it; checking and simulating it is free."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from till_cloud.exceptions import AdminError
from till_cloud.registry import upload
from till_cloud.served import not_served
from till_cloud.store.programmes import all_versions
from till_loyalty.programme import Programme, Rule
from till_loyalty.programme_document import example_text, parse_programme
from till_loyalty.rule_parts import Coupon, Discount, Life, Limit, PerMoney, TimeSpan, When, Where, Who
from unit.cloud.cloud_kit import chain

BASE = Rule(id="base", percent_basis_points=100)


def programme(rule: Rule, **fields: object) -> Programme:
    return replace(parse_programme(example_text("supermarket")), rules=(rule,), tiers=(), **fields)


@pytest.mark.parametrize("name", ["supermarket", "russia"])
def test_the_examples_for_the_first_till_are_served(name: str) -> None:
    """What the demo and the tutorial upload can be sold by."""
    assert not_served(parse_programme(example_text(name))) == []


@pytest.mark.parametrize(
    "rule",
    [
        BASE,
        replace(BASE, when=When(weekdays=("mon",), times=(TimeSpan(from_="09:00", to="12:00"),))),
        Rule(id="per", per_money=PerMoney(points=1, per_minor=2000)),
        replace(BASE, limits=(Limit(per="receipt", amount=100),)),
        replace(BASE, who=Who(tiers=("gold",))),
    ],
)
def test_what_needs_only_the_receipt_the_clock_and_the_tier_is_served(rule: Rule) -> None:
    """Till and cloud have all of these, and count the same."""
    assert not_served(programme(rule)) == []


@pytest.mark.parametrize(
    ("rule", "place"),
    [
        (Rule(id="off", discount=Discount(percent_basis_points=500)), "rules[0].discount"),
        (replace(BASE, where=Where(stores=("s1",))), "rules[0].where"),
        (replace(BASE, life=Life(expires_after_days=30)), "rules[0].life"),
        (replace(BASE, limits=(Limit(per="day", uses=1),)), "rules[0].limits[0].per"),
        (replace(BASE, who=Who(segments=("sleeping",))), "rules[0].who.segments"),
        (replace(BASE, who=Who(coupon="spring")), "rules[0].who.coupon"),
    ],
)
def test_what_nobody_keeps_yet_is_refused_with_its_place(rule: Rule, place: str) -> None:
    """Otherwise a limit would never bite, or a birthday never come."""
    (fault,) = not_served(programme(rule))
    assert fault.startswith(f"{place}: ")


def test_an_upload_that_can_not_be_carried_out_changes_nothing(tmp_path: Path) -> None:
    """The version before it stays the one to sell by."""
    coupon = Coupon(id="spring", codes=("SPRING",))
    ahead = programme(BASE, version=99, coupons=(coupon,), life=Life(expires_on="2030-01-01"))
    with chain(tmp_path / "c.db") as world:
        with pytest.raises(AdminError, match=r"coupons: .*\n  life: "):
            world.centre.write(lambda connection: upload(connection, ahead, 1)).result()
        versions = world.centre.write(lambda connection: [row.version for row in all_versions(connection)]).result()
    assert 99 not in versions

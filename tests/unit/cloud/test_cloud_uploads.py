"""What a new version of the programme may not change, for members have points that the earlier one counted."""

from pathlib import Path
from typing import Any

import pytest

from till_cloud import registry
from till_cloud.exceptions import AdminError
from till_cloud.store import tills
from unit.cloud.cloud_kit import Chain, chain, programme


@pytest.fixture
def world(tmp_path: Path):
    with chain(tmp_path / "c.db") as made:
        yield made


def test_points_keep_their_decimal_places_once_somebody_has_some(world: Chain) -> None:
    """Balances are in the smallest part: 500 of 2 places are 5 points, and would be 500 of none."""
    world.member("m-1", points=500)
    for staged in (False, True):
        with pytest.raises(AdminError, match="points_exponent = 2, not 0: members have points"):
            world.centre.write(
                lambda c, staged=staged: registry.upload(
                    c, programme(2, points_exponent=0), world.wall(), staged=staged
                )
            ).result()
    world.upload(programme(2, point_value_minor=50))
    assert world.rows("SELECT version, active FROM programmes ORDER BY version") == [(1, 0), (2, 1)]


def test_another_programme_takes_the_same_points(world: Chain) -> None:
    """Whatever its name: the balances are the chain's."""
    world.member("m-1", points=500)
    with pytest.raises(AdminError, match="points_exponent"):
        world.upload(programme(1, id="other", points_exponent=1))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"points_exponent": 0}, "points_exponent = 2, not 0: .* a till that was enrolled may have given some"),
        ({"currency": "KZT"}, "currency = 'RUB', not 'KZT': .* begin a chain of its own"),
        ({"currency_exponent": 0}, "currency_exponent = 2, not 0: .* may have sold"),
    ],
    ids=["points", "currency", "money"],
)
def test_what_a_till_may_have_sold_by_without_a_line_stays(world: Chain, change: dict[str, Any], said: str) -> None:
    """The cloud has no movement and knows no op; the till has the version, and its queue comes next month."""
    world.till()
    for staged in (False, True):
        with pytest.raises(AdminError, match=said):
            world.centre.write(
                lambda c, staged=staged: registry.upload(c, programme(2, **change), world.wall(), staged=staged)
            ).result()
    world.upload(programme(2, point_value_minor=50))


@pytest.mark.parametrize("change", [{"points_exponent": 0}, {"currency": "KZT"}, {"currency_exponent": 0}])
def test_a_chain_without_points_and_tills_may_think_again(world: Chain, change: dict[str, Any]) -> None:
    """A member without points is no reason, and neither is a till that nobody has enrolled."""
    world.member("m-1")
    world.centre.write(lambda c: tills.add_till(c, "k1", "s1", 0)).result()
    world.upload(programme(2, **change))
    assert world.rows("SELECT version FROM programmes WHERE active = 1") == [(2,)]

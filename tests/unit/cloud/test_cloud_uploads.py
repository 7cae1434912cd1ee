"""What a new version of the programme may not change, for members have points that the earlier one counted."""

from pathlib import Path

import pytest

from till_cloud import registry
from till_cloud.exceptions import AdminError
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


def test_a_chain_without_points_may_think_again(world: Chain) -> None:
    """A member without points is no reason."""
    world.member("m-1")
    world.upload(programme(2, points_exponent=0))
    assert world.rows("SELECT version FROM programmes WHERE active = 1") == [(2,)]

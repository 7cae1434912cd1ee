"""A shop for all tests of a module: its parts are processes, which take a second or two to come up."""

from collections.abc import Iterator

import pytest

from kit.chain import Chain
from pages.status.status_shop import Shop, a_shop


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, forking_chain: Chain) -> Iterator[Shop]:
    """Its agent, cloud and devices run until the module is through."""
    with a_shop(tmp_path_factory.mktemp("shop"), forking_chain) as made:
        yield made

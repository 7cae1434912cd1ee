"""The released code of 0.1.0, unpacked once."""

import pytest

from integration.upgrade.former_kit import Former


@pytest.fixture(scope="session")
def former(tmp_path_factory: pytest.TempPathFactory) -> Former:
    """Programs of 0.1.0, to be run in processes of their own."""
    return Former(tmp_path_factory.mktemp("former"))

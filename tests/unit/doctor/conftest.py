"""One template, one cloud and one agent for all tests of a module; each test breaks a copy."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from unit.doctor.doctor_world import Healthy, Web, make_template


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state directory of a till that is well."""
    folder = tmp_path_factory.mktemp("template") / "state"
    make_template(folder)
    return folder


@pytest.fixture(scope="module")
def webs() -> Iterator[tuple[Web, Web]]:
    """A cloud and an agent."""
    cloud, agent = Web(), Web()
    yield cloud, agent
    cloud.close()
    agent.close()


@pytest.fixture
def till(tmp_path: Path, template: Path, webs: tuple[Web, Web]) -> Healthy:
    """A till that is well."""
    webs[1].answers = {}
    return Healthy(tmp_path / "root", template, *webs)

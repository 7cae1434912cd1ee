"""Units and rules change with the version: brought by a good one, put back after a bad one, wherever it was cut off."""

import pytest

from faults.upgrader.test_upgrader_cut_off import killed_at, must_serve
from kit.upgrades import Installation
from till_installer.upgrade.system_files import of_this_version

pytestmark = [pytest.mark.soak, pytest.mark.timeout(300), pytest.mark.usefixtures("no_rehearsal")]

RULES = "etc/udev/rules.d/60-tillside.rules"


@pytest.fixture
def rules(till: Installation) -> str:
    """As the installation has put them there."""
    text = of_this_version(till.layout).files[RULES]
    (till.layout.root / RULES).parent.mkdir(parents=True)
    (till.layout.root / RULES).write_text(text)
    return text


def there(till: Installation) -> str:
    return (till.layout.root / RULES).read_text()


def test_they_come_with_a_version_and_go_with_it_by_hand(till: Installation, rules: str) -> None:
    """Also back over two versions, each with its own."""
    till.add("1.1.0", other_words=True)
    assert till.upgrader().apply(*till.bundle("1.1.0")).stage == "done"
    assert there(till) == f"# of 1.1.0\n{rules}"
    till.add("1.2.0", other_words=True)
    assert till.upgrader().apply(*till.bundle("1.2.0")).stage == "done"
    assert there(till) == f"# of 1.2.0\n{rules}"
    assert till.upgrader().roll_back().code == "by_hand"
    assert there(till) == f"# of 1.1.0\n{rules}"


def test_a_bad_version_leaves_those_of_the_one_before(till: Installation, rules: str) -> None:
    """Whatever the version did with them meanwhile."""
    till.add("1.1.0", "crash", other_words=True)
    assert till.upgrader().apply(*till.bundle("1.1.0")).stage == "rolled_back"
    assert there(till) == rules
    assert not (till.layout.updates_dir / "system.json").exists()


@pytest.mark.parametrize("point", ["current", "system", "proving"])
def test_cut_off_there_they_are_brought_to_the_end(till: Installation, rules: str, point: str) -> None:
    """By whoever finishes the change."""
    till.add("1.1.0", other_words=True)
    killed_at(till, point)
    till.upgrader().finish()
    assert there(till) == f"# of 1.1.0\n{rules}"
    must_serve(till, "1.1.0")


@pytest.mark.parametrize("point", ["stopping", "undoing", "pointed_back", "system_back"])
def test_cut_off_on_the_way_back_they_are_the_old_ones(till: Installation, rules: str, point: str) -> None:
    """As the version that serves."""
    till.add("1.1.0", "crash", other_words=True)
    killed_at(till, point)
    till.upgrader().finish()
    assert there(till) == rules
    must_serve(till, "1.0.0")

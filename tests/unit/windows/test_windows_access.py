"""Who may read what on Windows, by a fake of `icacls`; what browsers may do, by a fake of the registry."""

import json
import sys
from pathlib import Path

import pytest

from till_installer.layout import Layout
from till_installer.services.windows import ACCOUNT, SYSTEM_ACCOUNT
from till_installer.setup.exceptions import SetupError
from till_installer.windows.access import BROWSERS, POLICIES, allow_origins, protect
from unit.windows.windows_kit import FakeRegistry, layout_in

ICACLS = """
import json, sys
with open({calls!r}, "a") as file:
    file.write(json.dumps(sys.argv[1:]) + "\\n")
if {denied!r} in sys.argv[1]:
    sys.exit("Access is denied.")
"""
ADMINISTRATORS, SYSTEM = "*S-1-5-32-544", "*S-1-5-18"


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """Nothing is there; nothing is looked at."""
    return layout_in(tmp_path)


def icacls(folder: Path, denied: str = "nothing") -> tuple[str, ...]:
    """One that notes its words, and fails for paths with a word in them."""
    script = folder / "icacls.py"
    script.write_text(ICACLS.format(calls=str(folder / "calls"), denied=denied))
    return (sys.executable, "-S", str(script))


def test_data_is_closed_to_all_but_the_service_and_administrators(layout: Layout, tmp_path: Path) -> None:
    """Nothing is inherited; updates are not the service's, and its settings only to be read."""
    protect(layout, ACCOUNT, icacls(tmp_path))
    calls = {words[0]: words[1:] for words in map(json.loads, (tmp_path / "calls").read_text().splitlines())}
    assert set(calls) == {str(layout.state_dir), str(layout.updates_dir), str(layout.config)}
    assert all(words[0] == "/inheritance:r" for words in calls.values())
    assert f"{ACCOUNT}:(OI)(CI)M" in calls[str(layout.state_dir)]
    assert f"{ACCOUNT}:RX" in calls[str(layout.config)]
    assert not any(ACCOUNT in word for word in calls[str(layout.updates_dir)])
    assert {f"{ADMINISTRATORS}:(OI)(CI)F", f"{SYSTEM}:(OI)(CI)F"} <= set(calls[str(layout.updates_dir)])


def test_the_system_account_needs_no_right_of_its_own(layout: Layout, tmp_path: Path) -> None:
    """It has them all."""
    protect(layout, SYSTEM_ACCOUNT, icacls(tmp_path))
    assert SYSTEM_ACCOUNT not in (tmp_path / "calls").read_text()


def test_data_that_can_not_be_closed_is_told(layout: Layout, tmp_path: Path) -> None:
    """In one line, with what Windows said of it, or that there is no such program."""
    with pytest.raises(SetupError, match="Access is denied") as caught:
        protect(layout, ACCOUNT, icacls(tmp_path, denied="updates"))
    assert caught.value.code == "rights"
    with pytest.raises(SetupError, match="expected icacls"):
        protect(layout, ACCOUNT, (str(tmp_path / "none.exe"),))


def test_origins_are_added_to_what_others_have_allowed() -> None:
    """Under numbers that are free; a second time there is nothing to write."""
    registry, first = FakeRegistry(), f"{BROWSERS[0]}\\{POLICIES[0]}"
    registry.keys[first] = {"1": "https://other.example", "3": "https://b.example"}
    written = allow_origins(("https://a.example", "https://b.example", "https://a.example"), registry)
    assert len(written) == len(BROWSERS) * len(POLICIES)
    assert registry.keys[first] == {"1": "https://other.example", "2": "https://a.example", "3": "https://b.example"}
    assert set(registry.keys[written[-1]].values()) == {"https://a.example", "https://b.example"}
    before = {key: dict(values) for key, values in registry.keys.items()}
    assert allow_origins(("https://a.example", "https://b.example"), registry) == []
    assert registry.keys == before


def test_a_policy_that_can_not_be_written_is_told() -> None:
    """Without rights, and on a system without a registry; without origins nobody asks for one."""
    registry = FakeRegistry()
    registry.is_closed = True
    with pytest.raises(SetupError, match="as an administrator") as caught:
        allow_origins(("https://pos.example",), registry)
    assert caught.value.code == "policy"
    assert allow_origins(()) == []
    if sys.platform != "win32":
        with pytest.raises(SetupError):
            allow_origins(("https://pos.example",))

"""What keeps reloading, policies and moving safe, broken a line at a time: the tests notice each."""

from pathlib import Path

import pytest

from kit.broken import Mutant, notice, pass_unbroken
from kit.forks import Forks

pytestmark = pytest.mark.timeout(300)

LIVE = "tests/integration/reloading/test_reload_live.py"
MOVED = "tests/integration/clone/test_clone_machines.py"
AGENT: list[Mutant] = [
    (
        "a device that can't be built is left out",
        "reloading/parts.py",
        "if problems and must:",
        "if False:",
        f"{LIVE}::test_a_device_that_cannot_be_built_keeps_everything_as_it_was",
    ),
    (
        "nothing is put back",
        "reloading/parts.py",
        "            await self._swap(now, await self._build(wanted, now, must=False))\n",
        "",
        f"{LIVE}::test_a_change_that_fails_half_way_is_undone",
    ),
    (
        "any policy is obeyed",
        "reloading/starting.py",
        "return bool(cloud_key) and keys.verify(",
        "return True or keys.verify(",
        f"{LIVE}::test_a_policy_that_the_cloud_did_not_sign_for_this_till_is_no_policy",
    ),
    (
        "a bad file is passed over in silence",
        "reloading/starting.py",
        "config_trouble=str(error.problems[0]),",
        'config_trouble="",',
        f"{LIVE}::test_the_last_good_file_is_what_a_start_with_a_bad_one_works_by",
    ),
    (
        "a retired machine sells on",
        "root.py",
        "if gone is not None:",
        "if False:",
        f"{MOVED}::test_everything_comes_along_and_the_old_machine_sells_no_more",
    ),
]
INSTALLER: list[Mutant] = [
    (
        "the file has its name first",
        "clone/exporting.py",
        "            retire(state_dir, marker)\n            draft.replace(target)\n",
        "            draft.replace(target)\n            retire(state_dir, marker)\n",
        f"{MOVED}::test_killed_in_an_export_no_two_machines_are_the_till",
    ),
    (
        "a till is overwritten",
        "clone/importing.py",
        "(folder / IDENTITY_FILE).exists() and marker is None:",
        "False:",
        f"{MOVED}::test_a_file_serves_once_and_only_on_a_machine_that_is_no_till",
    ),
    (
        "the end of the file is not looked at",
        "clone/sealed.py",
        "        if self._file.read(1):\n            raise _altered()\n",
        "",
        f"{MOVED}::test_a_wrong_passphrase_and_an_altered_file_change_nothing",
    ),
    (
        "the file serves twice",
        "clone/sealed.py",
        "salt=SPENT)",
        "salt=head.salt)",
        f"{MOVED}::test_a_file_serves_once_and_only_on_a_machine_that_is_no_till",
    ),
]


@pytest.mark.parametrize("mutant", AGENT, ids=[each[0] for each in AGENT])
def test_a_broken_agent_is_noticed(mutant: Mutant, forks: Forks, tmp_path: Path) -> None:
    """Each by the test that is named with it."""
    notice(forks, tmp_path, "till_agent", mutant)


@pytest.mark.parametrize("mutant", INSTALLER, ids=[each[0] for each in INSTALLER])
def test_a_broken_installer_is_noticed(mutant: Mutant, forks: Forks, tmp_path: Path) -> None:
    """Each by the test that is named with it."""
    notice(forks, tmp_path, "till_installer", mutant)


@pytest.mark.parametrize(("package", "mutants"), [("till_agent", AGENT), ("till_installer", INSTALLER)])
def test_the_whole_ones_pass(package: str, mutants: list[Mutant], forks: Forks, tmp_path: Path) -> None:
    """Not the copying is what the tests above notice."""
    pass_unbroken(forks, tmp_path, package, mutants)

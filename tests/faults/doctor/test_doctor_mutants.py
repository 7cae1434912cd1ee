"""Broken builds of doctor and support bundle: each is noticed by the tests that hold the whole one."""

from pathlib import Path

import pytest

from kit.broken import Mutant, notice, pass_unbroken
from kit.forks import Forks

pytestmark = pytest.mark.timeout(300)

FAULTS = "tests/unit/doctor/test_doctor_faults.py"
HEALTHY = "tests/unit/doctor/test_doctor_healthy.py"
CANARIES = "tests/unit/support/test_support_canaries.py"

MUTANTS: list[Mutant] = [
    (
        "the status goes out as the agent tells it",
        "support/gathering.py",
        "return _json(allowed.only(allowed.Status, scene.status(), cleaner))",
        "return _json(scene.status())",
        CANARIES,
    ),
    (
        "a field that nobody thought about",
        "support/allowed.py",
        '    reason: Said = ""\n',
        '    reason: Said = ""\n    phone: Said = "unknown"\n',
        CANARIES,
    ),
    (
        "free text is not held to our own words",
        "support/cleaning.py",
        "cleaned = spoken(self.text(text))",
        "cleaned = self.text(text)",
        CANARIES,
    ),
    (
        "any word is a code",
        "support/cleaning.py",
        "return text in self._names or spoken(self.text(text)) == text",
        "return True",
        CANARIES,
    ),
    (
        "a path of the settings is shown",
        "support/config_masked.py",
        "    return MASKED\n",
        "    return text\n",
        CANARIES,
    ),
    (
        "a URL is shown whole",
        "support/config_masked.py",
        'return f"{parts.scheme}://{parts.hostname}{port}" if parts.hostname else MASKED',
        "return url",
        CANARIES,
    ),
    (
        "any file may be in the bundle",
        "support/packing.py",
        "unknown = sorted(set(members) - MEMBERS)",
        "unknown = sorted(set())",
        CANARIES,
    ),
    (
        "a bundle of any size",
        "support/packing.py",
        "if len(packed) > SIZE_LIMIT_BYTES:",
        "if len(packed) > 100 * SIZE_LIMIT_BYTES:",
        CANARIES,
    ),
    (
        "rows of the journal are not compared with their hashes",
        "doctor/checks_journal.py",
        "bad = proof.first_bad\n",
        "bad = None\n",
        FAULTS,
    ),
    (
        "what a crash left is never looked for",
        "doctor/checks_state.py",
        "_age_ms(each, scene.now_ms()) > DRAFT_MS]",
        "_age_ms(each, scene.now_ms()) > 10**18]",
        FAULTS + "::test_doctor_leaves_what_was_put_aside_and_drafts_of_a_moment_ago",
    ),
    (
        "a journal that is all in the log is not read",
        "doctor/checks_journal.py",
        "if not scene.is_up() or not (with_log or _is_empty(connection)):",
        "if True:",
        HEALTHY + "::test_doctor_reads_the_journal_of_a_till_of_today",
    ),
    (
        "a bad file's till is looked for in the usual place",
        "doctor/scene.py",
        "folder = state_dir_of(self.config) or str(self.layout.state_dir)",
        "folder = str(self.layout.state_dir)",
        FAULTS + "::test_doctor_finds_the_till_whose_file_went_bad",
    ),
    (
        "looking opens the journal as a writer would",
        "doctor/scene.py",
        "?mode=ro{'&immutable=1' if alone else ''}",
        "?mode=rwc",
        HEALTHY,
    ),
    (
        "a repair that says that it was done",
        "doctor/checks_secrets.py",
        "each.chmod(0o700 if each.is_dir() else 0o600)",
        "each.stat()",
        FAULTS,
    ),
    (
        "a portal is taken for the cloud",
        "doctor/cloud_look.py",
        "if answer.status == HTTPStatus.OK and body.strip() == _OURS:",
        "if answer.status == HTTPStatus.OK:",
        FAULTS,
    ),
    (
        "a late check is told as well",
        "doctor/running.py",
        "or [_late(each, limits[each.code])]",
        "or []",
        FAULTS,
    ),
    (
        "a check that fails is told as skipped",
        "doctor/running.py",
        'told = [Told(_finding(check, "broken", f"the check itself failed',
        'told = [Told(_finding(check, "skipped", f"the check itself failed',
        FAULTS,
    ),
]


@pytest.mark.parametrize("mutant", MUTANTS, ids=[each[0] for each in MUTANTS])
def test_doctor_mutant_is_noticed(forks: Forks, tmp_path: Path, mutant: Mutant) -> None:
    """By the tests that it names."""
    notice(forks, tmp_path, "till_installer", mutant)


def test_doctor_tests_pass_over_a_copy_that_is_whole(forks: Forks, tmp_path: Path) -> None:
    """Not the copying is what they notice."""
    pass_unbroken(forks, tmp_path, "till_installer", MUTANTS)

"""Each mistake that somebody could make in an upgrade is noticed by a test."""

from pathlib import Path

import pytest

from kit.broken import Mutant, notice, pass_unbroken
from kit.forks import Forks

pytestmark = pytest.mark.timeout(300)

UNIT = "tests/unit/upgrader/test_upgrader_"
WHOLE = "tests/faults/upgrader/test_upgrader_whole.py"
MUTANTS: list[Mutant] = [
    (
        "copies-through-links",
        "upgrade/files.py",
        "os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK",
        "os.O_RDONLY | os.O_NONBLOCK",
        f"{UNIT}others_folder.py",
    ),
    (
        "copies-what-is-somebody-elses",
        "upgrade/files.py",
        "or (found.st_nlink > 1 and found.st_uid != path.parent.stat().st_uid)",
        "",
        f"{UNIT}others_folder.py",
    ),
    (
        "gives-away-what-a-link-names",
        "upgrade/files.py",
        "owner.st_uid, owner.st_gid, follow_symlinks=False)",
        "owner.st_uid, owner.st_gid)",
        f"{UNIT}others_folder.py",
    ),
    (
        "rehearses-with-roots-rights",
        "upgrade/files.py",
        "        os.seteuid(owner.st_uid)\n",
        "",
        f"{UNIT}others_folder.py",
    ),
    (
        "ends-any-process",
        "upgrade/rehearsal.py",
        "            if _is_of(folder, pid):\n",
        "            if True:\n",
        f"{UNIT}others_folder.py",
    ),
    (
        "is-broken-off-by-a-key",
        "upgrade/breaking.py",
        "state = upgrader.finish() or upgrader.records.state()",
        "state = upgrader.records.state()",
        f"{UNIT}breaking.py",
    ),
    (
        "begins-after-a-halt",
        "upgrade/receipts.py",
        "if not waiting.wanted():",
        "if False:",
        f"{UNIT}receipts.py",
    ),
    (
        "leaves-the-till-with-a-full-disk",
        "upgrade/engine.py",
        'return self._undo(marker, "disk_full", str(exc))',
        "raise",
        f"{UNIT}finishing.py",
    ),
    (
        "forgives-restarts",
        "upgrade/health.py",
        "if self.restarts > RESTARTS_LIMIT:",
        "if self.restarts > RESTARTS_LIMIT + 1:",
        f"{UNIT}health.py",
    ),
    (
        "sees-no-restart-between-looks",
        "upgrade/health.py",
        "if good and (not self._was_good or began_anew):",
        "if good and not self._was_good:",
        f"{UNIT}health.py",
    ),
    (
        "waits-for-ever",
        "upgrade/health.py",
        'return "never_ready" if at_s > self._pace.start_s else ""',
        'return ""',
        f"{UNIT}health.py",
    ),
    (
        "copies-a-log-that-began-anew",
        "upgrade/files.py",
        "if _state(source) == before or (before[0] and _log_header(log) == before[0]):",
        "if True:",
        f"{UNIT}files.py",
    ),
    (
        "copies-without-the-log",
        "upgrade/files.py",
        "        if before[0]:\n            _copy(log, log_copy)\n",
        "",
        f"{UNIT}files.py",
    ),
    (
        "counts-and-does-not-look",
        "upgrade/queue.py",
        "return count, count == before.count and total.hexdigest() == before.digest",
        "return count, count == before.count",
        f"{UNIT}queue.py",
    ),
    (
        "looks-at-nothing-newer",
        "upgrade/queue.py",
        "                for _ in _rows_after(reader, state, first):\n                    pass\n",
        "                pass\n",
        f"{UNIT}queue.py",
    ),
    (
        "restores-always",
        "upgrade/going_back.py",
        '    if is_good(journal, proof, reads):\n        return "kept"\n',
        "",
        f"{UNIT}going_back.py",
    ),
    (
        "deletes-what-is-damaged",
        "upgrade/going_back.py",
        "        _put_aside(journal, proof, version)\n",
        "        journal.unlink()\n",
        f"{UNIT}going_back.py",
    ),
    (
        "prunes-the-version-before",
        "upgrade/staging.py",
        "for pointer in (layout.current, layout.previous, upgrader(layout))",
        "for pointer in (layout.current, upgrader(layout))",
        f"{UNIT}pointers.py",
    ),
    (
        "waits-for-nobody",
        "upgrade/receipts.py",
        "0 < open_ms < waiting.abandoned_ms",
        "0 < open_ms < 0",
        f"{UNIT}receipts.py",
    ),
    (
        "believes-the-new-version",
        "upgrade/watching.py",
        'return Watched(code=verdict or "start_failed", detail=said)',
        'return Watched(code="", detail=said)',
        f"{WHOLE}::test_a_version_that_crashes_at_its_start_is_taken_back_and_refused_from_then_on",
    ),
    (
        "leaves-the-pointer",
        "upgrade/undoing.py",
        "            (self._layout.current, marker.from_version),\n",
        "",
        f"{UNIT}finishing.py",
    ),
    (
        "rehearses-on-the-till-itself",
        "upgrade/rehearsal.py",
        '{**_table(kept, "agent"), "state_dir": str(folder)}',
        '_table(kept, "agent")',
        f"{WHOLE}::test_a_version_is_staged_rehearsed_and_switched_to_when_nobody_is_at_a_receipt",
    ),
]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant[0])
def test_mistakes_of_an_upgrade_are_noticed(forks: Forks, tmp_path: Path, mutant: Mutant) -> None:
    """One mistake at a time."""
    notice(forks, tmp_path, "till_installer", mutant)


def test_the_tests_pass_over_a_copy_without_a_mistake(forks: Forks, tmp_path: Path) -> None:
    """It is not the copying that they notice. Those with processes are run as they are by every suite."""
    pass_unbroken(forks, tmp_path, "till_installer", [mutant for mutant in MUTANTS if WHOLE not in mutant[4]])

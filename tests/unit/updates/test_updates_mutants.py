"""Each refusal of updates, of waves and of carried queues is broken on purpose: the tests that hold it must fail."""

from pathlib import Path

import pytest

from kit.broken import Mutant, notice, pass_unbroken
from kit.forks import Forks

REFUSALS = "tests/unit/updates/test_updates_refusals.py::"
RUNNING = "tests/unit/updates/test_updates_running.py::"
HTTP = "tests/integration/updates/test_updates_http.py::"
STEPS = "tests/unit/waves/test_waves_steps.py::"
PROGRAMMES = "tests/unit/waves/test_waves_programmes.py::"
CARRIED = "tests/unit/carried/test_carried_queue.py::"

INSTALLER: list[Mutant] = [
    ("a bundle is not compared with its hash", "update/client.py",
     'return hashlib.file_digest(file, "sha256").hexdigest() == target.hashes["sha256"]', "return True",
     REFUSALS + "test_an_altered_bundle"),
    ("the list of releases is not compared", "update/client.py",
     "            target.verify_length_and_hashes(data)\n", "",
     REFUSALS + "test_an_altered_list_of_releases"),
    ("an older release is taken", "update/client.py",
     "if order_of(version) < order_of(running):", "if False:",
     REFUSALS + "test_a_release_that_is_older_than_the_one_that_runs"),
    ("any machine's bundle is taken", "update/client.py",
     "if (each.platform, each.machine) == here:", "if True:",
     REFUSALS + "test_a_release_for_another_machine"),
    ("the size has no limit", "update/client.py",
     "if target.length > BUNDLE_LIMIT_BYTES:", "if False:",
     REFUSALS + "test_a_bundle_that_is_too_large"),
    ("no room is asked for", "update/client.py",
     "        if free < wanted:\n", "        if False:\n",
     REFUSALS + "test_a_disk_without_room"),
    ("what filled the disk stays", "update/client.py",
     "        if isinstance(error, DiskFullError):\n", "        if False:\n",
     REFUSALS + "test_a_disk_that_fills_while_it_is_written"),
    ("any root takes the place of the first", "update/client.py",
     "    if not replace and path.exists()", "    if False and path.exists()",
     REFUSALS + "test_another_root_does_not_take_the_place_of_the_first"),
    ("a root need not be signed", "update/client.py",
     '        root.signed.verify_delegate("root", root.signed_bytes, root.signatures)\n', "",
     REFUSALS + "test_a_till_without_a_root"),
    ("two at a time", "update/client.py",
     "        if not lock(handle):\n", "        if not lock(handle) and False:\n",
     REFUSALS + "test_two_at_a_time"),
    ("the metadata seen is forgotten", "update/client.py",
     "            self._metadata.mkdir(mode=0o700",
     "            shutil.rmtree(self._metadata, ignore_errors=True); self._metadata.mkdir(mode=0o700",
     REFUSALS + "test_metadata_that_is_older_than_what_was_seen"),
    ("metadata has no cap", "update/fetching.py",
     "return data[:cap], len(data) <= cap", "return data[:cap], True",
     REFUSALS + "test_metadata_without_an_end"),
    ("a bundle on a stick has no end", "update/fetching.py",
     "if os.fstat(source.fileno()).st_size > length:", "if False:",
     REFUSALS + "test_a_bundle_without_an_end"),
    ("a bundle over the line has no end", "update/fetching.py",
     "                        if total > length:", "                        if total > length + 10**8:",
     HTTP + "test_what_never_ends"),
    ("a line that dribbles is waited for", "update/fetching.py",
     "                        if total - marked >= pace.window_least_bytes:", "                        if True:",
     HTTP + "test_a_bundle_that_dribbles"),
    ("another range is taken for ours", "update/fetching.py",
     'startswith(f"bytes {offset}-")', 'startswith("bytes ")',
     HTTP + "test_what_can_not_be_gone_on_with_begins_anew"),
    ("a broken line begins anew", "update/fetching.py",
     'headers = {"Range": f"bytes={offset}-"} if offset else {}', "headers: dict[str, str] = {}",
     HTTP + "test_a_broken_line_goes_on_where_it_broke"),
    ("an address in clear is asked", "update/fetching.py",
     'if parts.scheme == "http" and not _is_loopback(parts.hostname or ""):', "if False:",
     REFUSALS + "test_an_address_in_clear"),
    ("genuine files of two publications are called altered", "update/judging.py",
     "if root is not None and trusted(root, _role(name), seen.data):", "if False:",
     REFUSALS + "test_genuine_files_of_different_publications"),
    ("strangers' metadata is called altered", "update/judging.py",
     "return len(named & set(role.keyids)) >= role.threshold", "return True",
     REFUSALS + "test_metadata_by_keys_that_are_not_trusted"),
    ("a paused wave is begun", "update/running.py",
     "        if wanted.paused:\n", "        if False:\n",
     RUNNING + "test_a_paused_wave_is_not_begun_and_not_gone_on_with"),
    ("a halt on the way is not seen", "update/running.py",
     "if still_wanted and not is_wanted(read_wanted(layout), version):", "if False:",
     RUNNING + "test_a_wish_that_is_gone_when_the_bundle_is_here_is_not_carried_out"),
    ("a version that failed is tried for ever", "update/running.py",
     "if tried is not None and not again:", "if False:",
     RUNNING + "test_a_version_that_was_taken_back_here_is_not_tried_again"),
    ("all tills begin at once", "update/running.py",
     "if not at_once and self.wall_ms() < turn.at_ms:", "if False:",
     RUNNING + "test_each_till_has_a_moment_of_its_own_within_the_spread"),
    ("one root key is enough", "update/repository.py",
     "            if not result:\n", "            if False:\n",
     REFUSALS + "test_keys_rotate_and_old_tills_follow"),
    ("a version's bytes change", "update/repository.py",
     "if there and there[0].sha256 != release.sha256:", "if False:",
     REFUSALS + "test_a_published_version_never_changes_its_bytes"),
    ("the stick's timestamp is the last", "update/stick.py",
     "    finally:\n        if days and online is not None:\n            repository.refresh(online)\n",
     "    finally:\n        pass\n",
     RUNNING + "test_the_servers_own_timestamp_comes_after_the_sticks"),
]  # fmt: skip

CLOUD: list[Mutant] = [
    ("two rollbacks halt nothing", "waves/watching.py",
     "if sum(hard.values()) >= row.halt_after:", "if False:",
     STEPS + "test_two_rollbacks_halt_the_wave_at_once"),
    ("a halted wave goes on", "waves/choosing.py",
     '(row.version, False, row.spread_ms) if row.state == "running" else ("", True, 0)',
     "(row.version, False, row.spread_ms)",
     STEPS + "test_two_rollbacks_halt_the_wave_at_once"),
    ("one till is counted again and again", "waves/watching.py",
     '        if one.outcome == "failed":\n            return False\n', "",
     STEPS + "test_a_resumed_wave_counts_anew"),
    ("the soak is not waited for", "waves/moving.py",
     "if left_ms > 0 and not without_soak:", "if False:",
     STEPS + "test_a_step_has_to_soak"),
    ("canary stores are not first", "waves/moving.py",
     "key=lambda till: (till.store not in row.stores, _lot(row, till.till))", "key=lambda till: _lot(row, till.till)",
     STEPS + "test_the_canary_stores_come_first"),
    ("problems from before are laid to the version", "waves/watching.py",
     "raised = tuple(sorted(set(beat.problems) - set(one.problems)))", "raised = tuple(sorted(beat.problems))",
     STEPS + "test_the_same_new_problem_at_three_tills_halts"),
    ("every till is told of the chain's programme", "changes.py",
     "return [structs.replace(row, active=(row.programme_id, row.version) == key) for row in rows]", "return rows",
     PROGRAMMES + "test_the_feed_says_to_each_till_which_version_is_its_own"),
    ("a snapshot's till keeps the chain's programme", "changes.py",
     "ahead = [] if own else _selling(connection, till.till)", "ahead = []",
     PROGRAMMES + "test_a_till_with_a_snapshot_is_told_its_own_version_first"),
    ("a halt leaves the new programme", "waves/choosing.py",
     'row is not None and row.state == "running" and in_wave(connection, row, till):\n        return row.name',
     "row is not None and in_wave(connection, row, till):\n        return row.name",
     PROGRAMMES + "test_a_halt_gives_every_till_the_former_version_back"),
    ("a till is without a programme between two pages", "waves/moving.py",
     "(row.version, row.former) if forward else (row.former, row.version)", "(row.version, row.former)",
     PROGRAMMES + "test_a_halt_gives_every_till_the_former_version_back"),
    ("a carried file is not checked", "carried.py",
     "        by_former = _check(writer, path, till, former_key=former_key)\n", "        by_former = False\n",
     CARRIED + "test_a_file_that_somebody_else_made_is_refused"),
    ("a former key counts though nobody vouches for it", "carried.py",
     "        if not former_key:\n", "        if False:\n",
     CARRIED + "test_a_queue_of_a_replaced_machine_is_taken_by_its_former_key"),
    ("a till in quarantine is carried", "carried.py",
     "        if till.quarantined_at_ms:\n", "        if False:\n",
     CARRIED + "test_a_till_that_may_not_push_may_not_be_carried"),
    ("what is over is taken for known", "carried.py",
     "return all(op.seq in stored and stored[op.seq][0] == op.fingerprint for op in push.ops)", "return True",
     CARRIED + "test_a_file_of_an_epoch_that_is_over_is_known_or_refused"),
    ("a known operation is applied again", "ingest/push.py",
     "        fresh = request.ops[len(results) :]\n", "        fresh = request.ops\n        results = []\n",
     CARRIED + "test_taken_twice_it_counts_once"),
]  # fmt: skip


@pytest.fixture(scope="module")
def forks():
    with Forks() as made:
        yield made


@pytest.mark.parametrize("mutant", INSTALLER, ids=lambda mutant: mutant[0].replace(" ", "_"))
def test_a_mistake_in_updates_is_noticed(mutant: Mutant, forks: Forks, tmp_path: Path) -> None:
    """By the test that holds the refusal."""
    notice(forks, tmp_path, "till_installer", mutant)


@pytest.mark.parametrize("mutant", CLOUD, ids=lambda mutant: mutant[0].replace(" ", "_"))
def test_a_mistake_in_waves_or_carried_queues_is_noticed(mutant: Mutant, forks: Forks, tmp_path: Path) -> None:
    """By the test that holds the rule."""
    notice(forks, tmp_path, "till_cloud", mutant)


@pytest.mark.parametrize(("package", "mutants"), [("till_installer", INSTALLER), ("till_cloud", CLOUD)])
def test_the_copies_as_they_are_pass(package: str, mutants: list[Mutant], forks: Forks, tmp_path: Path) -> None:
    """Not the copying is what the tests notice."""
    pass_unbroken(forks, tmp_path, package, mutants)

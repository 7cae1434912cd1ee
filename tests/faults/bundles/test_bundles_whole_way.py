"""The whole way of real bundles: built with their packages, installed on two tills without a network, brought by waves
through a cloud, taken back when they are bad, brought by a stick to a till that sold ten thousand times without a line,
taken back by hand, and removed. By the commands that the how-tos name; at the end each sale is in the cloud once.
"""

import contextlib
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from faults.bundles.bundles_world import CRASHES, Centre, Till
from kit.chain import TILLS, Chain
from kit.processes import run
from kit.waiting import wait_for

BACK_WITHIN_MS = 60_000
"""What is promised of a bad version; a run takes a tenth of it for a crash."""
QUEUE = 10_000

pytestmark = [pytest.mark.soak, pytest.mark.timeout(2_400)]


@pytest.fixture
def centre(tmp_path: Path, chain: Chain) -> Iterator[Centre]:
    """Nothing of it runs yet."""
    made = Centre(tmp_path / "centre", chain)
    try:
        yield made
    finally:
        made.end()


@pytest.fixture
def tills() -> Iterator[list[Till]]:
    """Not installed yet; in a folder that is open to the agent's user, as a till's root is."""
    folder = Path(tempfile.mkdtemp(prefix="tillside-"))
    folder.chmod(0o755)
    made = [Till(folder / name, name) for name in TILLS]
    try:
        yield made
    finally:
        for till in made:
            till.manager.stop(2.0)
        shutil.rmtree(folder)


def test_two_tills_from_their_bundle_to_the_last_day(centre: Centre, tills: list[Till], tmp_path: Path) -> None:
    """Good versions come, bad ones go back, the wave halts after two; each sale is in the cloud once."""
    first, second = tills
    archives = {version: centre.bundle(version, sign_later=version == "0.1.0") for version in ("0.1.0", "0.2.0")}
    centre.start()
    for till in tills:
        _is_installed(centre, till, archives["0.1.0"])
    centre.publish(archives["0.2.0"])
    _comes_by_a_wave(centre, tills)
    centre.publish(centre.bundle(CRASHES))
    _goes_back_everywhere(centre, tills)
    newest = centre.bundle("0.5.0")
    centre.publish(newest)
    _comes_by_a_stick(centre, first, tmp_path / "usb")
    _goes_back_by_hand(first)
    _comes_by_hand(second, newest)
    centre.start()
    for till in tills:
        till.sell()
        till.wait_drained()
    _is_removed(centre, second)
    assert "Error" not in centre.cloud("verify")
    assert _in_the_cloud(centre) == sorted(uid for till in tills for uid in till.sold)


def _is_installed(centre: Centre, till: Till, archive: Path) -> None:
    root, key = centre.folder / "root.json", centre.folder / "release.key.pub"
    till.install(archive, centre.url, "--release-key", key, "--update-root", root)
    till.enrol(centre.codes[till.name])
    till.start()
    till.sell()
    till.must_be_as_installed()


def _comes_by_a_wave(centre: Centre, tills: list[Till]) -> None:
    centre.wave("0.2.0")
    for till in tills:
        till.wait_wanted("0.2.0")
        assert "hash equal" in till.rooted("update", "run")
        state = till.state()
        assert (state["stage"], till.version()) == ("done", "0.2.0")
        assert 0 < state["downtime_ms"] < BACK_WITHIN_MS
        till.sell()
        till.must_be_as_installed()
    wait_for(lambda: centre.waves()[0]["steps"][0]["taken"] == 2, "both tills to have told of it", patience_s=60)
    for _ in range(2):
        centre.cloud("wave", "next", "code", "--now")


def _goes_back_everywhere(centre: Centre, tills: list[Till]) -> None:
    centre.wave(CRASHES)
    for till in tills:
        till.wait_wanted(CRASHES)
        assert "hash equal" in till.rooted("update", "run", status=4)
        assert (till.state()["stage"], till.state()["code"], till.version()) == ("rolled_back", "restarts", "0.2.0")
        till.sell()
        till.must_be_as_installed()
        # The second one's way back halts the wave, by a heartbeat at once: then it is wanted there no more.
        till.rooted("update", "run", status=37 if till is tills[0] else None)
        assert (till.version(), till.state()["rollbacks"]) == ("0.2.0", 1), "not tried again"
    halted = wait_for(
        lambda: [each["wave"]["version"] for each in centre.waves() if each["wave"]["state"] == "halted"],
        "the wave to halt by itself",
        patience_s=60,
    )
    assert halted == [CRASHES]
    centre.cloud("wave", "withdraw", "code")


def _comes_by_a_stick(centre: Centre, till: Till, usb: Path) -> None:
    """Without a line: what was sold meanwhile waits, and is the same before and after."""
    till.wait_drained()
    usb.mkdir()
    words = ("stick", "make", usb, "--repo", centre.folder / "updates", "--days", "60", "--online", "online.key")
    run("update", *words, folder=centre.folder)
    centre.end()
    till.sell(QUEUE)
    said = till.rooted("update", "stick", "apply", usb)
    assert f"{QUEUE} queued before, {QUEUE} after, hash equal." in said
    assert (till.state()["stage"], till.version()) == ("done", "0.5.0")
    till.must_be_as_installed()
    till.sell(2)
    assert till.waiting() == QUEUE + 2
    till.command("queue", "carry-out", usb, "--config", till.layout.config)
    (carried,) = usb.glob("*.tillside-queue")
    for _ in range(2):
        centre.cloud("queue", "take", carried)


def _goes_back_by_hand(till: Till) -> None:
    said = till.rooted("upgrade", "rollback")
    assert f"{QUEUE + 2:,} queued before, {QUEUE + 2:,} after, hash equal" in said
    assert (till.state()["stage"], till.state()["code"], till.version()) == ("rolled_back", "by_hand", "0.2.0")
    till.sell()
    till.must_be_as_installed()


def _comes_by_hand(till: Till, archive: Path) -> None:
    """The line is away here too."""
    till.sell(5)
    assert "5 queued before, 5 after, hash equal" in till.rooted("upgrade", "apply", archive)
    assert till.version() == "0.5.0"
    till.must_be_as_installed()


def _is_removed(centre: Centre, till: Till) -> None:
    """With a queue it keeps everything; without one it leaves nothing."""
    centre.end()
    till.sell()
    till.manager.stop()
    till.rooted("setup", "uninstall", "--purge", status=4)
    centre.start()
    till.manager.start()
    till.wait_ready()
    till.wait_drained()
    till.manager.stop()
    till.rooted("setup", "uninstall", "--purge")
    assert not list(till.layout.root.rglob("journal.db*"))
    assert not till.layout.programs.exists()


def _in_the_cloud(centre: Centre) -> list[str]:
    """Uids of the sales that it counted."""
    with contextlib.closing(sqlite3.connect(centre.db)) as connection:
        return sorted(row[0] for row in connection.execute("SELECT uid FROM sales"))

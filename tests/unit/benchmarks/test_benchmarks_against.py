"""The comparison with others: ratios part by part, and what is said where somebody is missing."""

import shutil
from pathlib import Path

import pytest

from tillbench import aims, peers
from tillbench.against import OURS_PLAIN, POUCH, Against
from tillbench.peers import SYNC, Missing


def test_ratios_are_of_the_same_part() -> None:
    """A slow minute slows both."""
    found = Against(3, rates={OURS_PLAIN: [3_000, 300, 2_000], POUCH: [1_000, 100, 1_000]})
    assert found.times(OURS_PLAIN, POUCH) == 3.0
    assert aims.of_peers(found)[0]["reached"] is False


def test_without_pouchdb_there_is_no_aim() -> None:
    """Neither reached nor missed."""
    assert aims.of_peers(Against(3, rates={OURS_PLAIN: [3_000]})) == []


def test_without_node_pouchdb_is_left_out_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing is fetched."""
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    with pytest.raises(Missing, match="expected node and npm"):
        peers.install_pouch()


def test_an_install_that_fails_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As on a machine without a registry."""
    monkeypatch.setattr(peers, "BUILD", tmp_path)
    with pytest.raises(Missing, match="left out: `false` failed"):
        peers._run("queues", ["false"])


def test_a_sync_that_strace_saw_in_two_halves_counts_once() -> None:
    """It writes such a call on two lines."""
    text = "12 fdatasync(5 <unfinished ...>\n13 fsync(4) = 0\n12 <... fdatasync resumed>) = 0\n"
    assert len(SYNC.findall(text)) == 2

"""A till is upgraded back and forth between two versions that are the same program, and once to one that crashes."""

import json
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from till_agent.cache.schema import VERSION as CACHE
from till_agent.journal.schema import VERSION as JOURNAL
from till_installer.bundle.manifest import BundleFile, Manifest, Schemas, encode_manifest
from till_installer.layout import Layout, linux_layout
from till_installer.services.process import ProcessManager
from till_installer.upgrade import probe
from till_installer.upgrade.engine import Means, Upgrader
from till_installer.upgrade.health import Pace
from till_installer.upgrade.pointers import point

FIRST, SECOND, BAD = "1.0.0", "1.1.0", "1.2.0"
READY_TIMEOUT_S = 30.0
PACE = Pace(proof_s=1.0)
"""How long a version is watched is a choice, and no part of the time without a till."""
SITE = """
import importlib.metadata, os, sys
_version = importlib.metadata.version
importlib.metadata.version = lambda name: {version!r} if name == "tillside" else _version(name)
if {bad} and "agent" in sys.orig_argv and not any("rehearsal" in word for word in sys.orig_argv):
    os._exit(3)
"""


@dataclass
class Upgrades:
    """Milliseconds of each change."""

    downtimes_ms: list[float] = field(default_factory=list)
    stops_ms: list[float] = field(default_factory=list)
    counts_ms: list[float] = field(default_factory=list)
    rehearsals_ms: list[float] = field(default_factory=list)
    crash_ms: float = 0.0
    equal: int = 0


def measure(folder: Path, state: Path, rounds: int, say: Callable[[str], None]) -> Upgrades:
    """On the till of a state directory, which is moved."""
    layout = linux_layout(folder)
    for made in (layout.versions, layout.config_dir, layout.state_dir.parent):
        made.mkdir(parents=True)
    shutil.move(state, layout.state_dir)
    layout.config.write_text(f'[agent]\nstate_dir = "{layout.state_dir}"\n[bridge]\nport = 0\n', encoding="utf-8")
    for version in (FIRST, SECOND, BAD):
        _add(layout, version)
    point(layout.current, FIRST)
    manager = ProcessManager(folder / "run")
    words = ("-P", "-m", "till_installer", "agent", "run", "--config", str(layout.config))
    manager.install((str(layout.python(layout.current)), *words), config=layout.config)
    found = Upgrades()
    try:
        manager.start()
        _wait_ready(layout)
        for number in range(rounds):
            say(f"upgrade {number + 1} of {rounds}")
            _change(layout, manager, SECOND if number % 2 == 0 else FIRST, found)
        say("a version that crashes")
        _crash(layout, manager, found)
    finally:
        manager.stop()
    return found


def _change(layout: Layout, manager: ProcessManager, version: str, found: Upgrades) -> None:
    times: dict[str, float] = {}
    upgrader = Upgrader(layout, manager, Means(pace=PACE, at=_noting(times)))
    state = upgrader.apply(layout.version_dir(version), _manifest(version), again=True)
    if state.stage != "done":
        raise RuntimeError(f"expected an upgrade to {version}, not {state}")
    found.downtimes_ms.append(state.downtime_ms)
    found.stops_ms.append((times["stopped"] - times["stopping"]) * 1000)
    found.counts_ms.append((times["switching"] - times["stopped"]) * 1000)
    found.rehearsals_ms.append((times["rehearsed"] - times["rehearsing"]) * 1000)
    found.equal += state.queue_hash_equal


def _crash(layout: Layout, manager: ProcessManager, found: Upgrades) -> None:
    times: dict[str, float] = {}
    upgrader = Upgrader(layout, manager, Means(at=_noting(times)))
    state = upgrader.apply(layout.version_dir(BAD), _manifest(BAD))
    if state.stage != "rolled_back":
        raise RuntimeError(f"expected a version that crashes to be taken back, not {state}")
    found.crash_ms = (times["restarted"] - times["stopping"]) * 1000
    found.equal += state.queue_hash_equal


def _noting(times: dict[str, float]) -> Callable[[str], None]:
    """Notes when each point is reached first."""

    def at(name: str) -> None:
        times.setdefault(name, time.monotonic())

    return at


def _add(layout: Layout, version: str) -> None:
    """This very program under another number: a script in the place of its interpreter, and what that loads first."""
    folder = layout.version_dir(version)
    (folder / "bin").mkdir(parents=True)
    (folder / "site").mkdir()
    text = SITE.format(version=version, bad=version == BAD)
    (folder / "site/sitecustomize.py").write_text(text, encoding="utf-8")
    python = folder / "bin/python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH="{folder}/site" exec "{sys.executable}" "$@"\n', encoding="utf-8")
    python.chmod(0o755)
    (folder / "bundle.json").write_bytes(encode_manifest(_manifest(version)))
    complete = {"bundle": version, "python": "", "files": {}}
    (folder / "complete.json").write_text(json.dumps(complete), encoding="utf-8")


def _manifest(version: str) -> Manifest:
    return Manifest(
        format=1,
        version=version,
        platform="linux",
        machine="",
        pythons=("3.11",),
        schemas=Schemas(journal=JOURNAL, cache=CACHE),
        made_s=0,
        files=(BundleFile(path="none", sha256="0" * 64, size=0),),
    )


def _wait_ready(layout: Layout) -> None:
    until = time.monotonic() + READY_TIMEOUT_S
    while not probe.is_answering(layout.state_dir):
        if time.monotonic() > until:
            raise TimeoutError("the agent did not take sales")
        time.sleep(0.02)

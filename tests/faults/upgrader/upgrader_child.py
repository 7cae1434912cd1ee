"""An upgrader that dies at a point: `upgrader_child.py FOLDER POINT VERSION [no-rehearsal]`, as by a power cut."""

import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from kit.upgrades import Installation
from till_installer.upgrade import rehearsal


def main() -> None:
    """Until the point is reached; ends with 0 when it never is."""
    folder, point, version, *words = sys.argv[1:]
    if "no-rehearsal" in words:
        rehearsal.rehearse = lambda *_: None  # type: ignore[assignment,return-value]  # none is played
    if point == "in-rehearsal":
        rehearsal.act = lambda *_, **__: die()  # type: ignore[attr-defined]  # as it is used there
    till = Installation(Path(folder))

    def at(name: str) -> None:
        if name == point:
            die()

    upgrader = till.upgrader(at=at)
    if words[-1:] == ["rollback"]:
        upgrader.roll_back()
    else:
        upgrader.apply(*till.bundle(version))


def die() -> None:
    """At once."""
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()

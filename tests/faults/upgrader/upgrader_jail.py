"""Upgrades a till whose files are on a small disk, by a version that fills it: `upgrader_jail.py FOLDER OUT`.

Run inside `unshare -Urm`: a tmpfs is laid over what the till keeps, with what was there copied onto it.
"""

import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from kit.bridge import receipt
from kit.upgrades import Installation
from till_installer.upgrade import rehearsal

SIZE_KIB = 24_000


def main() -> None:
    """See the top; what came of it is written into OUT, on the large disk."""
    folder, out = Path(sys.argv[1]), Path(sys.argv[2])
    till = Installation(folder)
    library = till.layout.state_dir.parent
    seed = folder / "seed"
    shutil.copytree(library, seed)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE_KIB}k,mode=0755", "tmpfs", library], check=True)
    shutil.copytree(seed, library, dirs_exist_ok=True)
    till.layout.state_dir.chmod(0o700)
    rehearsal.rehearse = lambda *_: None  # type: ignore[assignment,return-value]  # none is played
    till.add("1.1.0", "fills")
    till.start()
    lines = []
    try:
        upgrader = till.upgrader(ballast_bytes=6_000_000, free=lambda _: 10**9)
        state = upgrader.apply(*till.bundle("1.1.0"))
        lines.append(f"{state.stage} {state.queued_before} {state.queued_after} {state.queue_hash_equal}")
        lines.append(till.version())
        pos = till.pos()
        lines.append(f"kept {pos.sell('after', receipt(10_000))['kept']}")
        pos.close()
    finally:
        till.end()
    out.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

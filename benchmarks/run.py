"""All figures of the product, each beside its floor or a peer in the same run, from real processes of the installation.

    python benchmarks/run.py [--quick] [--only PART,PART] [--resume] [--write] [--directory DIR]

Prints one JSON row a figure, and on standard error how far it is. What a part found is kept under build/bench: a run
that was stopped goes on with `--resume`, which leaves out parts that are there of this very commit. `--write` puts the
tables of all parts that are there into docs/explanation/performance.md, which says how to read them. Only loopback,
only processes of its own, and a folder that is removed at the end.
"""

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tillbench import page
from tillbench.catalogue import PARTS
from tillbench.parts import FULL, QUICK, ROOT, Bench, Kept, commit, kept_of, machine, run_part

PAGE = ROOT / "docs" / "explanation" / "performance.md"


def main() -> int:
    """See the top. 1 when a part failed; the others are measured all the same."""
    chosen = _arguments()
    size = QUICK if chosen.quick else FULL
    folder = Path(tempfile.mkdtemp(prefix="tillside-bench-", dir=chosen.directory))
    keep_bytecode(folder / "bytecode")
    started, failed = time.monotonic(), []

    def tell(words: str) -> None:
        print(f"{time.monotonic() - started:6.0f} s  {words}", file=sys.stderr, flush=True)

    signal.signal(signal.SIGTERM, _stopped)
    bench = Bench(folder, size, lambda words: tell(f"        {words}"))
    try:
        for number, name in enumerate(chosen.only, 1):
            kept = kept_of(name, size.name)
            if chosen.resume and kept is not None and kept.commit == commit():
                tell(f"[{number}/{len(chosen.only)}] {name}: there already")
                continue
            tell(f"[{number}/{len(chosen.only)}] {name}")
            if not _measure(name, bench, tell):
                failed.append(name)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    summary = summarise(size.name)
    if chosen.write:
        page.write(PAGE, page.render(all_rows(size.name), summary))
    say(summary | {"failed": failed})
    return 1 if failed else 0


def _stopped(*_: object) -> None:
    """End as by Ctrl-C: every process that a part started is ended with it."""
    raise KeyboardInterrupt


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small sizes, some minutes: shows that all of it runs")
    parser.add_argument("--only", default=",".join(PARTS), help=f"parts, by commas: {', '.join(PARTS)}")
    parser.add_argument("--resume", action="store_true", help="leave out parts that were measured of this commit")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/explanation/performance.md")
    parser.add_argument("--directory", type=Path, default=None, help="on the disk to be measured; not a tmpfs")
    chosen = parser.parse_args()
    chosen.only = [name.strip() for name in chosen.only.split(",") if name.strip()]
    unknown = [name for name in chosen.only if name not in PARTS]
    if unknown:
        parser.error(f"expected parts out of {', '.join(PARTS)}, not {', '.join(unknown)}")
    if not hasattr(os, "fdatasync"):
        parser.error("expected a system with fdatasync: the disk's floor is measured by it")
    return chosen


def _measure(name: str, bench: Bench, tell: Callable[[str], None]) -> bool:
    """Whether the part came to its end."""
    try:
        kept = run_part(name, PARTS[name], bench)
    except Exception:  # noqa: BLE001 - whatever a part dies of, the others are worth measuring; it is told, the run fails
        traceback.print_exc()
        tell(f"{name} failed")
        return False
    for row in kept.rows:
        say(row)
    tell(f"{name} took {kept.seconds:.0f} s")
    return True


def keep_bytecode(folder: Path) -> None:
    """Let every process that is started find compiled modules, as an installer leaves them, also where this process is
    told not to write any: compiling all of them anew takes longer than the rest of a start."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = str(folder)


def _all(size: str) -> list[Kept]:
    return [kept for kept in (kept_of(name, size) for name in PARTS) if kept is not None]


def all_rows(size: str) -> list[dict[str, Any]]:
    """Rows of the newest of each part."""
    return [row for kept in _all(size) for row in kept.rows]


def summarise(size: str) -> dict[str, Any]:
    """Aims and circumstances of the newest of each part."""
    found = _all(size)
    return {
        "figure": "summary",
        "size": size,
        "seconds": round(sum(kept.seconds for kept in found)),
        "machine": machine(),
        "aims": [aim for kept in found for aim in kept.aims],
        "parts": [
            {"part": kept.part, "commit": kept.commit, "seconds": kept.seconds}
            | {"load_before": kept.load_before, "load_after": kept.load_after}
            for kept in found
        ],
    }


def say(row: dict[str, Any]) -> None:
    """One line of JSON."""
    print(json.dumps(row, ensure_ascii=False), flush=True)


if __name__ == "__main__":
    sys.exit(main())

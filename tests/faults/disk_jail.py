"""Runs an agent on a small disk of its own: `disk_jail.py STATE OUT FREE_KIB COMMAND...`, inside `unshare -Urm`.

A tmpfs is laid over the state directory, with what was there copied onto it. Lines on the input are orders: `fill`
takes all the room there is, `free` gives it back; each is answered by a line. When the agent has ended, what the small
disk held is copied to OUT.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

BLOCK = bytes(64 * 1024)


def fill(state: Path) -> None:
    """Take all room, to the last page."""
    with (state / "filler").open("ab", buffering=0) as file:
        for size in (len(BLOCK), 4096, 1):
            with contextlib.suppress(OSError):
                while True:
                    file.write(BLOCK[:size])


def serve(state: Path) -> None:
    """Carry out orders until the input ends."""
    for line in sys.stdin:
        if line.strip() == "fill":
            fill(state)
        else:
            (state / "filler").unlink(missing_ok=True)
        print("done", flush=True)


def main() -> None:
    """See the top."""
    state, out, free_kib, *command = sys.argv[1:]
    seed = Path(f"{state}.seed")
    shutil.copytree(state, seed)
    used = sum(-(-path.stat().st_size // 4096) * 4 + 4 for path in seed.rglob("*") if path.is_file())
    options = f"size={used + int(free_kib)}k,mode=0700"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", state], check=True)
    shutil.copytree(seed, state, dirs_exist_ok=True)
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=sys.stderr) as agent:
        signal.signal(signal.SIGTERM, lambda *_: agent.send_signal(signal.SIGTERM))
        threading.Thread(target=serve, args=(Path(state),), daemon=True).start()
        status = agent.wait()
    shutil.copytree(state, out)
    os._exit(status)


if __name__ == "__main__":
    main()

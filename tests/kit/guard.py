"""What tests start ends with them, also where pytest is killed and no `finally` is reached any more.

One small process a test process knows whom to end: it reads our end of a pipe, which the system closes whatever becomes
of us. It is in a session of its own, so that whoever ends a whole suite by its group does not end it first.
"""

import contextlib
import os
import shutil
import subprocess
import sys
import threading

SCRIPT = """
groups=
while read -r word group; do
    left=
    for each in $groups; do test "$each" = "$group" || left="$left $each"; done
    groups=$left
    test "$word" = end || groups="$groups $group"
done
for each in $groups; do kill -s KILL -- "-$each"; done
"""


class _Guard:
    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0

    def tell(self, word: str, group: int) -> None:
        """A fork of ours says nothing: what it starts is its parent's, or its own affair."""
        shell = shutil.which("sh")
        if sys.platform == "win32" or shell is None:
            return
        with self._turn:
            if self._process is None:
                self._owner = os.getpid()
                # Without our variables: by those, tests look for what they have left running.
                self._process = subprocess.Popen(
                    [shell, "-c", SCRIPT],
                    stdin=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    env={"PATH": os.defpath},
                    cwd="/",
                    start_new_session=True,
                )
            if self._owner == os.getpid() and self._process.stdin is not None:
                with contextlib.suppress(BrokenPipeError):
                    self._process.stdin.write(f"{word} {group}\n".encode())
                    self._process.stdin.flush()


_GUARD = _Guard()


def guard(group: int) -> None:
    """End the process group when this process is gone: say so right after it was started."""
    _GUARD.tell("guard", group)


def release(group: int) -> None:
    """It is over: from now on its number may be anybody's."""
    _GUARD.tell("end", group)

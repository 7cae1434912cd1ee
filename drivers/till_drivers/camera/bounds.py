"""What the camera's process may take of the machine: a picture that is a trap, or a library that leaks, ends this
process and no other, and the agent starts it again.
"""

import contextlib
import sys
from pathlib import Path

MEMORY_LIMIT_BYTES = 768 * 1024 * 1024
"""Of its own data. At work with a full-HD camera it has some 150 MB, most of it libraries'."""
FIRST_TO_GO = "900"
"""When the machine itself runs out, the kernel takes this process before anything that sells (-1000 to 1000)."""


def bound_memory(limit_bytes: int = MEMORY_LIMIT_BYTES) -> None:
    """For this process, from now on. Where the system knows no such limits (Windows), nothing is done."""
    if sys.platform == "win32":
        return
    import resource

    with contextlib.suppress(OSError, ValueError):
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        wanted = limit_bytes if hard == resource.RLIM_INFINITY else min(limit_bytes, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (wanted, hard))
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(FIRST_TO_GO, encoding="ascii")

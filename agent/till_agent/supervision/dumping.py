"""Where every thread stands, for the log: the last word of a process that ends itself."""

import faulthandler
import logging
import sys
import threading
import traceback

log = logging.getLogger(__name__)

DUMP_S = 2.0
"""For the log to take it. A log that is itself what hangs gets a shorter word past it."""
FRAMES_LIMIT = 30


def dump(why: str) -> None:
    """Log `why` and the stack of every thread; returns after `DUMP_S` whatever the log does."""
    writing = threading.Thread(target=_write, args=(why, stacks()), name="last word", daemon=True)
    writing.start()
    writing.join(DUMP_S)
    if writing.is_alive():
        # Straight to the descriptor: no lock that somebody holds, no buffer.
        faulthandler.dump_traceback(file=2, all_threads=True)


def stacks() -> dict[str, str]:
    """Thread's name and its stack, the innermost call last. Lines of code, no values."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    return {
        f"{names.get(number, 'unknown')} ({number})": "".join(traceback.format_stack(frame)[-FRAMES_LIMIT:])
        for number, frame in sys._current_frames().items()  # noqa: SLF001 - documented, for exactly this
    }


def _write(why: str, found: dict[str, str]) -> None:
    log.critical(why)
    for name, stack in found.items():
        log.critical("thread %s", name.partition(" (")[0], extra={"stack": stack})
    for handler in logging.getLogger().handlers:
        handler.flush()

"""A job that is drawn in the print queue's thread, and one that nothing will be printed of."""

import logging
from collections.abc import Callable

from msgspec.structs import replace

from till_drivers.exceptions import DriverError
from till_drivers.spool_store import PrintState, SpoolJob

_log = logging.getLogger(__name__)


def drawn(job: SpoolJob, draw: Callable[[], bytes], limit_bytes: int) -> SpoolJob:
    """The job with its bytes; refused when they can't be made, or are too many."""
    try:
        data = draw()
    except DriverError as exc:
        return refused(job, str(exc))
    except Exception as exc:  # noqa: BLE001  # another's code in our thread: one bad slip must not end all printing
        _log.exception("a slip could not be drawn")
        return refused(job, f"could not be drawn: {type(exc).__name__}")
    if len(data) > limit_bytes:
        return refused(job, f"expected at most {limit_bytes} bytes, not {len(data)}")
    return replace(job, data=data)


def refused(job: SpoolJob, detail: str) -> SpoolJob:
    """The job as one that is not to be tried again."""
    return replace(job, state=PrintState.REFUSED, waits=False, detail=detail, data=b"")

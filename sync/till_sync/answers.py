"""What an answer that is no success means: the cloud's considered word, somebody's overload, or a stranger's page."""

import re
from typing import Any

import msgspec

from till_sync.exceptions import (
    BatchTooLarge,
    CloudBusy,
    CloudFailed,
    CloudRefused,
    CursorGone,
    IdentityRefused,
    NotOurCloud,
    SyncError,
    UpgradeNeeded,
)
from till_sync.problems import PROBLEM_MEDIA_TYPE, Problem
from till_sync.retry_after import read_retry_after
from till_sync.transport import Reply

PROBLEM_LIMIT_BYTES = 64 * 1024
"""Our problems take under 1 KB; a longer one is not ours."""

DETAIL_LIMIT = 200
"""Characters of a problem's detail that reach the log and the status page."""

_CODE = re.compile(r"[a-z][a-z0-9_]{0,63}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_BUSY = frozenset({408, 429, 500, 502, 503, 504})
_REFUSALS: dict[int, type[CloudRefused]] = {
    401: IdentityRefused,
    403: IdentityRefused,
    410: CursorGone,
    413: BatchTooLarge,
    426: UpgradeNeeded,
}
_MEMBERS = frozenset({"type", "title", "status", "detail", "code", "retryable"})


def refusal_of(reply: Reply, *, wall_ms: int) -> SyncError:
    """The error that a reply other than 200 stands for.

    Only a well-formed problem is the cloud's own refusal. Without one, 413 and overload may still come from an honest
    proxy before the cloud; all else (a portal's 200, 302, 401, 403, 511) is a stranger.
    """
    problem = problem_of(reply)
    extras = {} if problem is None else problem.extras
    retry_after = read_retry_after(reply.headers, extras, wall_ms=wall_ms)
    if problem is None:
        if reply.status == 413:
            return BatchTooLarge("413 without a problem: a proxy before the cloud takes less", status=413)
        if reply.status in _BUSY:
            busy = CloudFailed if reply.status == 500 else CloudBusy
            return busy(f"{reply.status} without a problem", retry_after=retry_after)
        return NotOurCloud(f"expected an answer of our protocol, not {reply.status} without a problem")
    message = f"{problem.status} {problem.code}: {problem.detail}"
    if reply.status in _BUSY or reply.status >= 500:
        busy = CloudFailed if reply.status == 500 else CloudBusy
        return _in_its_words(busy(message, code=problem.code, retry_after=retry_after), problem)
    kind = _REFUSALS.get(reply.status, CloudRefused)
    retryable = problem.retryable if kind is CloudRefused else None
    error = kind(
        message,
        status=reply.status,
        code=problem.code,
        retryable=retryable,
        retry_after=retry_after,
        extras=problem.extras,
    )
    return _in_its_words(error, problem)


def _in_its_words(error: SyncError, problem: Problem) -> SyncError:
    error.detail = problem.detail or error.detail
    return error


def problem_of(reply: Reply) -> Problem | None:
    """The problem in a reply; None when it holds none that is well-formed and of the reply's own status."""
    media_type = reply.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != PROBLEM_MEDIA_TYPE or len(reply.body) > PROBLEM_LIMIT_BYTES:
        return None
    try:
        members: dict[str, Any] = msgspec.json.decode(reply.body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    code, detail = members.get("code"), members.get("detail", "")
    if not isinstance(code, str) or not _CODE.fullmatch(code) or members.get("status") != reply.status:
        return None
    return Problem(
        status=reply.status,
        code=code,
        detail=_CONTROL.sub(" ", detail)[:DETAIL_LIMIT] if isinstance(detail, str) else "",
        retryable=members.get("retryable") is True,
        extras={name: value for name, value in members.items() if name not in _MEMBERS},
    )

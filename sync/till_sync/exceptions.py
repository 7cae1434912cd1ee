"""Errors of sync.

SyncError                     `code`, `retryable`, `retry_after`; the till goes on selling whatever it is
├── CloudUnreachable          no usable connection or answer: refused, timed out, cut
├── NotOurCloud               somebody answered, but not our cloud: a captive portal, a foreign certificate
├── CloudBusy                 the cloud, or what stands before it, can't now: 408, 429, 5xx
│   └── CloudFailed           500: something there broke over this request
├── AnswerMismatch            well-formed, but not the answer to what was asked
├── IncarnationChanged        the cloud's database is another one than before: say hello, compare, go on
├── SequenceGap               the cloud lacks operations that we thought it had
├── HistoryConflict           cloud and journal disagree about what happened: a person must look
├── SnapshotUnusable          a snapshot can't be had, or be made into a cache: pages do as well
├── OpTooLarge                one operation alone is more than the cloud takes
└── CloudRefused              the cloud's considered no (RFC 9457 problem)
    ├── IdentityRefused       401, 403: it does not take us for an enrolled till
    ├── UpgradeNeeded         426: it no longer speaks our protocol
    ├── CursorGone            410: start the pull anew
    ├── BatchTooLarge         413: send less at once
    └── PushBlocked           something before the cloud refuses one operation again and again
HoldRefused                   the cloud won't reserve the points
ConfirmationRefused           the cloud won't send or compare a one-time code
SaleRefused                   the cloud knows no such sale, or several
WalletCodeRefused             a text is no wallet code that this chain's cloud signed
IdentityError                 the identity file can't be used
└── IdentityMissing           there is none: the till is not enrolled
SealError                     a sealed text can't be opened
PackingError                  a packed body can't be unpacked
├── PackingBroken             it is no whole zstd frame
└── PackedTooLarge            it holds more than it may
"""

# ruff: noqa: N818 - these are conditions that a till lives with (no line, cloud busy), named as such

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from till_sync.asking import SaleChoice
from till_sync.retry_after import RetryAfter


class SyncError(Exception):
    """Base of what can go wrong between till and cloud.

    `code` is stable. `retryable`: the same exchange may succeed by itself later; otherwise it is only probed slowly,
    because a person has to do something. `retry_after` is when the cloud asked to be tried again. `detail` is the
    message without the status and code that it begins with where the cloud refused.
    """

    code = "sync_failed"
    retryable = True

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        retryable: bool | None = None,
        retry_after: RetryAfter | None = None,
    ) -> None:
        super().__init__(message)
        self.detail = message
        if code is not None:
            self.code = code
        if retryable is not None:
            self.retryable = retryable
        self.retry_after = retry_after


class CloudUnreachable(SyncError):
    """Raised when there was no connection, or no whole answer in time; what was asked may or may not have been done."""

    code = "cloud_unreachable"


class NotOurCloud(SyncError):
    """Raised when what answered does not speak our protocol; nothing it says acknowledges anything."""

    code = "not_our_cloud"


class SnapshotUnusable(SyncError):
    """Raised when a snapshot's file is not what it should be, or the disk has no room for it; `code` says which."""

    code = "snapshot_broken"


class CloudBusy(SyncError):
    """Raised when the answer is 408, 429 or 5xx: the same request may succeed later."""

    code = "cloud_busy"


class CloudFailed(CloudBusy):
    """Raised when the answer is 500: the cloud may be unwell, or may be well and fail over what was sent."""

    code = "cloud_failed"


class AnswerMismatch(SyncError):
    """Raised when an answer is well-formed but can't be the answer to this very request."""

    code = "answer_mismatch"


class IncarnationChanged(SyncError):
    """Raised when an answer comes from another incarnation of the cloud (restored, replaced) than we greeted."""

    code = "incarnation_changed"


class SequenceGap(SyncError):
    """Raised when the cloud expects an earlier operation, `expected_seq`, than the first one that was sent."""

    code = "seq_gap"

    def __init__(self, message: str, *, expected_seq: int) -> None:
        super().__init__(message)
        self.expected_seq = expected_seq


class HistoryConflict(SyncError):
    """Raised when cloud and journal disagree about the past: a copied or restored till, or a damaged journal.

    Codes: stale_epoch, salt_mismatch, chain_mismatch, fingerprint_mismatch, history_conflict, outbox_out_of_order.
    `Outbox.reconcile` raises it too, when the cloud holds what this journal never wrote.
    """

    code = "history_conflict"
    retryable = False


class OpTooLarge(SyncError):
    """Raised when an operation alone in its batch is refused for its size; the ones behind it have to wait."""

    code = "op_too_large"
    retryable = False


class CloudRefused(SyncError):
    """Raised when the cloud answers with a problem that no other class stands for; `extras` are its further members."""

    code = "cloud_refused"
    retryable = False

    def __init__(
        self,
        message: str,
        *,
        status: int,
        code: str | None = None,
        retryable: bool | None = None,
        retry_after: RetryAfter | None = None,
        extras: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        super().__init__(message, code=code, retryable=retryable, retry_after=retry_after)
        self.status = status
        self.extras = dict(extras)


class IdentityRefused(CloudRefused):
    """Raised when the answer is 401 or 403: the token is unknown, revoked, or another till's."""

    code = "identity_refused"


class UpgradeNeeded(CloudRefused):
    """Raised when the answer is 426: this version of the agent is too old for the cloud."""

    code = "upgrade_needed"


class CursorGone(CloudRefused):
    """Raised when the answer is 410: the cursor belongs to a state that the cloud no longer has."""

    code = "cursor_gone"


class BatchTooLarge(CloudRefused):
    """Raised when the answer is 413, by the cloud or by a proxy before it."""

    code = "batch_too_large"


class PushBlocked(CloudRefused):
    """Raised when a push of one operation keeps getting a stranger's answer, and a hello right after it the cloud's.

    A firewall takes what is in it for an attack. Nobody but who runs the firewall can say whether the operation is
    to get through, so it waits.
    """

    code = "push_blocked"


class HoldRefused(Exception):
    """Raised when the cloud refuses to reserve points; nothing is reserved.

    `code` is the cloud's; `available_points` is what it would have reserved at most, `tries_left` how often the PIN may
    still be tried; -1 when it did not say.
    """

    def __init__(self, code: str, detail: str, *, available_points: int = -1, tries_left: int = -1) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.available_points = available_points
        self.tries_left = tries_left


class ConfirmationRefused(Exception):
    """Raised when the cloud sends no one-time code, or knows nothing of the one that was given back.

    `code` is the cloud's: codes_not_sent, code_not_sent, too_many_codes, member_mismatch, confirmation_used, ...
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


class SaleRefused(Exception):
    """Raised when the cloud names no sale: `code` is `sale_unknown`, or `sale_ambiguous` and `choices` are they."""

    def __init__(self, code: str, detail: str, *, choices: tuple[SaleChoice, ...] = ()) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.choices = choices


class WalletCodeRefused(Exception):
    """Raised when a text is no wallet code of this chain's cloud.

    `code`: `wallet_invalid`, `wallet_key_unknown` or `wallet_other_chain`. Nothing of the text is in it.
    """

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class IdentityError(Exception):
    """Raised when the identity file can't be read, written or understood."""


class IdentityMissing(IdentityError):
    """Raised when there is no identity file: the till is not enrolled yet."""


class SealError(Exception):
    """Raised when a sealed text can't be opened; `code`: `seal_unknown_key` or `seal_broken`. Nothing of it is told."""

    def __init__(self, message: str, *, code: str = "seal_unknown_key") -> None:
        super().__init__(message)
        self.code = code


class PackingError(Exception):
    """Base of what is wrong with a packed body."""


class PackingBroken(PackingError):
    """Raised when the bytes are not one whole zstd frame."""


class PackedTooLarge(PackingError):
    """Raised when more comes out of a frame than is taken; the rest was not unpacked."""

"""Every operation of the bridge in one table: routes, scopes, the served OpenAPI and the metrics are made from it."""

import re
from typing import Any, Final, Literal

from msgspec import Struct

from till_agent.api import (
    UID_PATTERN,
    Hold,
    HoldCreate,
    Identify,
    Member,
    QueuedOp,
    Quote,
    QuoteRequest,
    ReturnRequest,
    Reversed,
    Sale,
    SaleRequest,
    SaleView,
    SlipState,
    Status,
    SyncStatus,
)
from till_drivers.blocks import Block

OPEN: Final = "open"
ANY: Final = "any"
Scope = Literal["open", "any", "sale", "register", "admin"]
"""What a caller needs: nothing, any known client's token, or a token with that scope."""

ESCPOS = "application/vnd.tillside.escpos"
SLIP_FORMATS = {"text": "text/plain; charset=utf-8", "json": "application/json", "png": "image/png", "escpos": ESCPOS}
QUEUE_LIMIT = 1000
"""Ops in one answer of the queue's list; a month offline holds 100,000."""


class Ready(Struct, frozen=True, kw_only=True):
    """Whether the agent takes sales, and if not, the stable code of what is missing."""

    ready: bool
    reason: str = ""


class Live(Struct, frozen=True, kw_only=True):
    """The process answers."""

    live: bool = True


class Queue(Struct, frozen=True, kw_only=True):
    """The newest ops, newest first, and how many wait for the cloud."""

    waiting: int
    ops: tuple[QueuedOp, ...]


class QueuedOpBody(Struct, frozen=True, kw_only=True):
    """One op with its stored body: till_sync's op types, as the cloud gets them."""

    op: QueuedOp
    body: Any


class SlipBlocks(Struct, frozen=True, kw_only=True):
    """A slip before any printer is known."""

    blocks: tuple[Block, ...]


class Parameter(Struct, frozen=True, kw_only=True):
    """A parameter of path or query, as text that must match `pattern`."""

    name: str
    pattern: re.Pattern[str]
    description: str
    choices: tuple[str, ...] = ()
    integer: bool = False
    minimum: int = 1
    maximum: int = 1


class Operation(Struct, frozen=True, kw_only=True):
    """One method on one path. `problems` are the codes that are peculiar to it, by status."""

    id: str
    method: Literal["GET", "POST", "PUT", "DELETE"]
    path: str
    scope: Scope
    summary: str
    tag: str
    request: Any = None
    answer: Any = None
    media_types: tuple[str, ...] = ("application/json",)
    status: int = 200
    replays: bool = False
    path_parameters: tuple[Parameter, ...] = ()
    query_parameters: tuple[Parameter, ...] = ()
    problems: dict[int, str] = {}


UID = Parameter(name="uid", pattern=re.compile(UID_PATTERN), description="The client's own id of the document.")
HOLD = Parameter(
    name="hold", pattern=re.compile(r"^[A-Za-z0-9_-]{1,80}$"), description="Id of a hold, as it was answered."
)
SEQ = Parameter(
    name="seq",
    pattern=re.compile(r"^[1-9][0-9]{0,14}$"),
    description="Place of the op in the queue.",
    integer=True,
    maximum=10**15 - 1,
)
FORMAT = Parameter(
    name="format",
    pattern=re.compile(f"^({'|'.join(SLIP_FORMATS)})$"),
    choices=tuple(SLIP_FORMATS),
    description="What to answer with; stronger than Accept.",
)
COLUMNS = Parameter(
    name="columns",
    pattern=re.compile(r"^(1[6-9]|[2-8][0-9]|9[0-6])$"),
    integer=True,
    minimum=16,
    maximum=96,
    description="Letters on a line, 16 to 96; the printer's own when left out.",
)
LANGUAGE = Parameter(
    name="language",
    pattern=re.compile(r"^(ru|kk|ky|uk|en)$"),
    choices=("ru", "kk", "ky", "uk", "en"),
    description="Language of the slip; the till's own when left out.",
)
LIMIT = Parameter(
    name="limit",
    pattern=re.compile(r"^[1-9][0-9]{0,2}$|^1000$"),
    integer=True,
    maximum=QUEUE_LIMIT,
    description=f"Ops to answer with, at most {QUEUE_LIMIT}; 100 when left out.",
)

_UNKNOWN_SALE = {404: "sale_unknown"}
_WHO = {
    404: "reference_unknown",
    409: "identifier_ambiguous",
    422: "identifier_invalid, identifier_choice, bank_card",
}
_RECEIPT = _WHO | {
    422: "identifier_invalid, identifier_choice, bank_card, receipt_invalid, receipt_empty, receipt_too_large, "
    "line_number_repeated, minimum_price_too_high",
}

OPERATIONS = (
    Operation(
        id="quote",
        method="POST",
        path="/v1/quotes",
        scope="sale",
        tag="sale",
        request=QuoteRequest,
        answer=Quote,
        summary="What a receipt would give; changes nothing.",
        problems=_RECEIPT,
    ),
    Operation(
        id="identify",
        method="POST",
        path="/v1/identify",
        scope="sale",
        tag="sale",
        request=Identify,
        answer=Member,
        summary="Whose card, phone or code this is, and what they have.",
        query_parameters=(LANGUAGE,),
        problems=_WHO,
    ),
    Operation(
        id="sell",
        method="PUT",
        path="/v1/sales/{uid}",
        scope="sale",
        tag="sale",
        request=SaleRequest,
        answer=Sale,
        summary="Commit a sale: durable on this till before the answer leaves. The same uid and body give it again.",
        path_parameters=(UID,),
        replays=True,
        problems=_RECEIPT
        | {
            404: "hold_unknown",
            409: "uid_conflict, hold_expired, hold_used, hold_mismatch, redemption_needs_hold, redemption_exceeds, "
            "member_blocked",
        },
    ),
    Operation(
        id="sale",
        method="GET",
        path="/v1/sales/{uid}",
        scope="sale",
        tag="sale",
        answer=SaleView,
        summary="A sale as it stands, and what the cloud said to it.",
        path_parameters=(UID,),
        problems=_UNKNOWN_SALE,
    ),
    Operation(
        id="void",
        method="POST",
        path="/v1/sales/{uid}/void",
        scope="sale",
        tag="sale",
        answer=Reversed,
        summary="Cancel a whole sale. Again for the same sale gives the first answer.",
        path_parameters=(UID,),
        replays=True,
        query_parameters=(LANGUAGE,),
        problems={404: "sale_unknown", 409: "sale_has_returns"},
    ),
    Operation(
        id="return",
        method="PUT",
        path="/v1/returns/{uid}",
        scope="sale",
        tag="sale",
        request=ReturnRequest,
        answer=Reversed,
        summary="Take goods back, whole or in part.",
        path_parameters=(UID,),
        replays=True,
        query_parameters=(LANGUAGE,),
        problems={
            404: "sale_unknown",
            409: "uid_conflict, sale_voided, return_quantity_exceeds, return_amount_exceeds, return_nothing_left",
            422: "return_invalid, return_line_unknown, return_nothing_asked",
        },
    ),
    Operation(
        id="hold",
        method="POST",
        path="/v1/holds",
        scope="sale",
        tag="sale",
        request=HoldCreate,
        answer=Hold,
        summary="Reserve points at the cloud for one receipt; expires by itself.",
        problems=_WHO
        | {
            409: "insufficient_points, hold_refused, sale_exists, member_unknown, member_blocked, member_provisional, "
            "redemption_disabled",
            503: "cloud_unreachable",
        },
    ),
    Operation(
        id="release",
        method="DELETE",
        path="/v1/holds/{hold}",
        scope="sale",
        tag="sale",
        status=204,
        summary="Give reserved points back.",
        path_parameters=(HOLD,),
        problems={404: "hold_unknown", 409: "hold_used"},
    ),
    Operation(
        id="slip",
        method="GET",
        path="/v1/sales/{uid}/slip",
        scope="sale",
        tag="slip",
        answer=SlipBlocks,
        media_types=tuple(SLIP_FORMATS.values()),
        summary="The slip of a sale: text, PNG, printer bytes or blocks.",
        path_parameters=(UID,),
        query_parameters=(FORMAT, COLUMNS, LANGUAGE),
        problems=_UNKNOWN_SALE,
    ),
    Operation(
        id="print",
        method="POST",
        path="/v1/sales/{uid}/slip/print",
        scope="sale",
        tag="slip",
        answer=SlipState,
        status=202,
        summary="Print the slip again, marked as a copy.",
        path_parameters=(UID,),
        query_parameters=(LANGUAGE,),
        problems={404: "sale_unknown", 409: "printer_missing"},
    ),
    Operation(
        id="events",
        method="GET",
        path="/v1/events",
        scope="sale",
        tag="events",
        media_types=("text/event-stream",),
        summary="Scans, device states, sync and alerts as they happen; resumable by Last-Event-ID.",
        problems={503: "too_many_listeners"},
    ),
    Operation(
        id="status",
        method="GET",
        path="/v1/status",
        scope=ANY,
        tag="health",
        answer=Status,
        summary="Everything store IT needs at a glance; nothing personal.",
    ),
    Operation(
        id="queue",
        method="GET",
        path="/v1/queue",
        scope="admin",
        tag="sync",
        answer=Queue,
        summary="The newest ops of this till and what the cloud said to them.",
        query_parameters=(LIMIT,),
    ),
    Operation(
        id="queued",
        method="GET",
        path="/v1/queue/{seq}",
        scope="admin",
        tag="sync",
        answer=QueuedOpBody,
        summary="One op with its body.",
        path_parameters=(SEQ,),
        problems={404: "op_unknown"},
    ),
    Operation(
        id="sync",
        method="GET",
        path="/v1/sync",
        scope="admin",
        tag="sync",
        answer=SyncStatus,
        summary="How the exchange with the cloud stands.",
    ),
    Operation(
        id="sync_now",
        method="POST",
        path="/v1/sync",
        scope="admin",
        tag="sync",
        answer=SyncStatus,
        status=202,
        summary="Start an exchange now; answers with how it stands.",
    ),
    Operation(
        id="livez",
        method="GET",
        path="/livez",
        scope=OPEN,
        tag="health",
        answer=Live,
        summary="The process answers.",
    ),
    Operation(
        id="readyz",
        method="GET",
        path="/readyz",
        scope=OPEN,
        tag="health",
        answer=Ready,
        summary="Whether sales are taken.",
        problems={503: "the answer itself, with ready false"},
    ),
    Operation(
        id="metrics",
        method="GET",
        path="/metrics",
        scope=ANY,
        tag="health",
        media_types=("text/plain; version=0.0.4; charset=utf-8",),
        summary="Figures for Prometheus.",
    ),
    Operation(
        id="openapi",
        method="GET",
        path="/openapi.json",
        scope=OPEN,
        tag="health",
        summary="This description.",
    ),
)

OPEN_PATHS = frozenset(operation.path for operation in OPERATIONS if operation.scope == OPEN)

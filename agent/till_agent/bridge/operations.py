"""Every operation of the bridge in one table: routes, scopes, the served OpenAPI and the metrics are made from it."""

from collections.abc import Mapping
from itertools import chain

from till_agent.api import (
    Coupon,
    Hold,
    HoldCreate,
    Identify,
    Member,
    Quote,
    QuoteRequest,
    ReturnRequest,
    Reversed,
    Sale,
    SaleRequest,
    SaleView,
    Status,
    SyncStatus,
)
from till_agent.bridge.page_operations import PAGES
from till_agent.bridge.pairing_shapes import PAIRINGS
from till_agent.bridge.report_operations import REPORTS
from till_agent.bridge.settings_shapes import SETTINGS
from till_agent.bridge.shapes import (
    ALONE,
    ANY,
    CODE,
    EPOCH,
    HOLD,
    LANGUAGE,
    LIMIT,
    OPEN,
    PRINT_SLIP,
    REFERENCE,
    SEQ,
    STORE_LANGUAGE,
    UID,
    WHICH,
    Live,
    Operation,
    Queue,
    QueuedOpBody,
    Ready,
)
from till_agent.bridge.slip_operations import SLIPS
from till_agent.bridge.trial_shapes import TRIALS
from till_agent.member_api import CardAttach, CardAttached, CodeAnswer, CodeRequest, MemberCreate, MemberCreated


def _also(*tables: Mapping[int, str]) -> dict[int, str]:
    """Problems of several kinds, by status: a `|` of dicts would forget the first of one status."""
    found: dict[int, str] = {}
    for status, codes in chain.from_iterable(table.items() for table in tables):
        found[status] = ", ".join(filter(None, (found.get(status), codes)))
    return found


_WHO = {
    404: "reference_unknown",
    409: "identifier_ambiguous, wallet_key_unknown, wallet_expired, wallet_stale, wallet_used, wallet_static, "
    "voucher_elsewhere, voucher_expired, voucher_used",
    422: "identifier_invalid, identifier_choice, bank_card, wallet_invalid, wallet_other_chain, voucher_invalid",
}
_LOOK_UP = {503: "too_busy"}
_RECEIPT = _also(
    _WHO,
    {422: "receipt_invalid, receipt_empty, receipt_too_large, line_number_repeated, minimum_price_too_high"},
    {422: "codes_too_many"},
)

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
        problems=_RECEIPT | _LOOK_UP,
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
        query_parameters=(LANGUAGE, ALONE),
        problems=_WHO | _LOOK_UP,
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
        problems=_also(
            _RECEIPT,
            {
                404: "hold_unknown",
                422: "local_time_invalid, discount_line_unknown, discount_invalid, discount_too_large",
                409: "uid_conflict, hold_expired, hold_used, hold_mismatch, redemption_needs_hold, redemption_exceeds, "
                "member_blocked",
            },
        ),
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
        problems={404: "sale_unknown"},
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
        query_parameters=(LANGUAGE, PRINT_SLIP),
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
        summary="Take goods back, whole or in part. The cloud is asked about a sale of another till.",
        path_parameters=(UID,),
        replays=True,
        query_parameters=(LANGUAGE,),
        problems={
            404: "sale_unknown",
            409: "uid_conflict, sale_elsewhere, sale_ambiguous, sale_voided, return_quantity_exceeds, "
            "return_amount_exceeds, return_nothing_left",
            422: "return_invalid, return_line_unknown, return_nothing_asked",
        },
    ),
    Operation(
        id="coupon",
        method="GET",
        path="/v1/coupons/{code}",
        scope="sale",
        tag="sale",
        answer=Coupon,
        summary="Whether a coupon's code is good here and now, for this member; asks the cloud about codes that count.",
        path_parameters=(CODE,),
        query_parameters=(REFERENCE, LANGUAGE),
        problems=_also(_WHO, _LOOK_UP),
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
        problems=_also(
            _WHO,
            {
                409: "insufficient_points, points_lent, offline_limit, hold_refused, sale_exists, member_unknown, "
                "member_not_here, member_blocked, member_provisional, redemption_disabled, proof_required, "
                "proof_invalid, pin_wrong, pin_locked, pin_not_set",
                503: "cloud_unreachable, too_busy",
            },
        ),
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
        id="register",
        method="POST",
        path="/v1/members",
        scope="register",
        tag="members",
        request=MemberCreate,
        answer=MemberCreated,
        summary="Register a person, step by step under one uid; durable on this till when it answers `registered`.",
        replays=True,
        problems={
            409: "uid_conflict, registration_disabled, card_taken",
            422: "identifier_invalid, bank_card, birth_date_invalid",
            503: "registration_unavailable, code_unchecked, too_busy",
        },
    ),
    Operation(
        id="attach",
        method="POST",
        path="/v1/members/{reference}/cards",
        scope="register",
        tag="members",
        request=CardAttach,
        answer=CardAttached,
        summary="Give a member a card.",
        path_parameters=(REFERENCE,),
        replays=True,
        problems={404: "reference_unknown", 409: "uid_conflict, card_taken", 422: "identifier_invalid, bank_card"}
        | _LOOK_UP,
    ),
    Operation(
        id="confirm",
        method="POST",
        path="/v1/confirmations",
        scope="sale",
        tag="members",
        request=CodeRequest,
        answer=CodeAnswer,
        summary="Have a one-time code sent to a member who wants to spend much, then hand in what they say.",
        problems=_also(
            _WHO,
            {
                409: "member_unknown, member_not_here, phone_mismatch, codes_not_sent, uid_conflict",
                429: "too_many_codes",
                503: "cloud_unreachable, code_not_sent, too_busy",
            },
        ),
    ),
    *SLIPS,
    *TRIALS,
    *SETTINGS,
    *REPORTS,
    *PAGES,
    *PAIRINGS,
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
        query_parameters=(STORE_LANGUAGE,),
    ),
    Operation(
        id="queue",
        method="GET",
        path="/v1/queue",
        scope="admin",
        tag="sync",
        answer=Queue,
        summary="The ops of this till and what the cloud said to them.",
        query_parameters=(WHICH, LIMIT),
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
        query_parameters=(EPOCH,),
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
        also={202: "Not through within 10 s; it goes on."},
        summary="Exchange with the cloud now; answers with how it went.",
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

"""The calls of the bridge: method, path, patience. Made by `make reference`; a test keeps them."""

from typing import Final, Literal

from msgspec import Struct

QUICK_MS = 2_000
"""Waits for nobody, or for the cloud within its budget of 800 ms."""
USUAL_MS = 5_000
SLOW_MS = 15_000
"""An exchange with the cloud gives up after 10 s."""


class Spec(Struct, frozen=True):
    """`again`: may be repeated when nobody knows whether it was done, but with something in the field `careful`.

    `also`: statuses from 400 on that are answers too.
    """

    method: Literal["GET", "PUT", "POST", "DELETE"]
    path: str
    again: bool
    timeout_ms: int
    careful: str = ""
    also: tuple[int, ...] = ()


SPECS: Final[dict[str, Spec]] = {
    "quote": Spec("POST", "/v1/quotes", again=True, timeout_ms=QUICK_MS),
    "identify": Spec("POST", "/v1/identify", again=True, timeout_ms=QUICK_MS),
    "sell": Spec("PUT", "/v1/sales/{uid}", again=True, timeout_ms=USUAL_MS),
    "sale": Spec("GET", "/v1/sales/{uid}", again=True, timeout_ms=USUAL_MS),
    "void": Spec("POST", "/v1/sales/{uid}/void", again=True, timeout_ms=USUAL_MS),
    "return": Spec("PUT", "/v1/returns/{uid}", again=True, timeout_ms=USUAL_MS),
    "coupon": Spec("GET", "/v1/coupons/{code}", again=True, timeout_ms=QUICK_MS),
    "hold": Spec("POST", "/v1/holds", again=True, timeout_ms=QUICK_MS, careful="pin"),
    "release": Spec("DELETE", "/v1/holds/{hold}", again=True, timeout_ms=USUAL_MS),
    "register": Spec("POST", "/v1/members", again=True, timeout_ms=USUAL_MS, careful="code"),
    "members": Spec("GET", "/v1/members", again=True, timeout_ms=USUAL_MS),
    "attach": Spec("POST", "/v1/members/{reference}/cards", again=True, timeout_ms=USUAL_MS),
    "confirm": Spec("POST", "/v1/confirmations", again=True, timeout_ms=USUAL_MS, careful="code"),
    "slip": Spec("GET", "/v1/sales/{uid}/slip", again=True, timeout_ms=USUAL_MS),
    "print": Spec("POST", "/v1/sales/{uid}/slip/print", again=False, timeout_ms=USUAL_MS),
    "void_slip": Spec("GET", "/v1/sales/{uid}/void/slip", again=True, timeout_ms=USUAL_MS),
    "print_void": Spec("POST", "/v1/sales/{uid}/void/slip/print", again=False, timeout_ms=USUAL_MS),
    "return_slip": Spec("GET", "/v1/returns/{uid}/slip", again=True, timeout_ms=USUAL_MS),
    "print_return": Spec("POST", "/v1/returns/{uid}/slip/print", again=False, timeout_ms=USUAL_MS),
    "try_printer": Spec("POST", "/v1/printers/{printer}/test", again=False, timeout_ms=USUAL_MS),
    "print_note": Spec("POST", "/v1/printers/{printer}/note", again=False, timeout_ms=USUAL_MS),
    "tried": Spec("GET", "/v1/prints/{job}", again=True, timeout_ms=USUAL_MS),
    "reload": Spec("POST", "/v1/admin/reload", again=False, timeout_ms=USUAL_MS),
    "reports": Spec("GET", "/v1/frontol/reports", again=True, timeout_ms=USUAL_MS),
    "findings": Spec("GET", "/v1/frontol/findings", again=True, timeout_ms=USUAL_MS),
    "accept_finding": Spec("POST", "/v1/frontol/findings/{finding}/accept", again=False, timeout_ms=USUAL_MS),
    "dismiss_finding": Spec("POST", "/v1/frontol/findings/{finding}/dismiss", again=False, timeout_ms=USUAL_MS),
    "page": Spec("GET", "/v1/page", again=True, timeout_ms=USUAL_MS),
    "sales": Spec("GET", "/v1/sales", again=True, timeout_ms=USUAL_MS),
    "sale_lines": Spec("GET", "/v1/sales/{uid}/lines", again=True, timeout_ms=USUAL_MS),
    "flags": Spec("GET", "/v1/flags", again=True, timeout_ms=USUAL_MS),
    "logs": Spec("GET", "/v1/logs", again=True, timeout_ms=USUAL_MS),
    "pairing_code": Spec("POST", "/v1/pairing/codes", again=False, timeout_ms=USUAL_MS),
    "pair": Spec("POST", "/v1/pairing", again=False, timeout_ms=USUAL_MS),
    "pairings": Spec("GET", "/v1/pairings", again=True, timeout_ms=USUAL_MS),
    "forget_pairing": Spec("DELETE", "/v1/pairings/{client}", again=True, timeout_ms=USUAL_MS),
    "read_tokens": Spec("POST", "/v1/tokens/read", again=False, timeout_ms=USUAL_MS),
    "events": Spec("GET", "/v1/events", again=True, timeout_ms=USUAL_MS),
    "status": Spec("GET", "/v1/status", again=True, timeout_ms=USUAL_MS),
    "queue": Spec("GET", "/v1/queue", again=True, timeout_ms=USUAL_MS),
    "queued": Spec("GET", "/v1/queue/{seq}", again=True, timeout_ms=USUAL_MS),
    "sync": Spec("GET", "/v1/sync", again=True, timeout_ms=USUAL_MS),
    "sync_now": Spec("POST", "/v1/sync", again=True, timeout_ms=SLOW_MS),
    "livez": Spec("GET", "/livez", again=True, timeout_ms=QUICK_MS),
    "readyz": Spec("GET", "/readyz", again=True, timeout_ms=QUICK_MS, also=(503,)),
    "metrics": Spec("GET", "/metrics", again=True, timeout_ms=USUAL_MS),
    "openapi": Spec("GET", "/openapi.json", again=True, timeout_ms=USUAL_MS),
}

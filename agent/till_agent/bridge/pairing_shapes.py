"""How a browser of this machine is made known looks on the bridge, and what changes of tokens do."""

import re

from msgspec import Struct

from till_agent.bridge.shapes import OPEN, Operation, Parameter
from till_agent.page_api import PageName, Paired, PairingCode, PairingCodeRequest, PairingRequest


class Pairing(Struct, frozen=True, kw_only=True):
    """A browser that is known: as what, since when, and when it last called since the agent started (0: not yet)."""

    client: str
    page: PageName
    since_ms: int
    seen_ms: int = 0


class Pairings(Struct, frozen=True, kw_only=True):
    """Every browser that is known, the oldest first."""

    pairings: tuple[Pairing, ...]


class TokensRead(Struct, frozen=True, kw_only=True):
    """Whose tokens count now, and how many that were replaced go on beside them."""

    clients: tuple[str, ...]
    earlier: int


BROWSER = Parameter(
    name="client", pattern=re.compile(r"^(panel|status)-[a-z2-7]{6}$"), description="Name of a browser that is known."
)

PAIRINGS = (
    Operation(
        id="pairing_code",
        method="POST",
        path="/v1/pairing/codes",
        scope="admin",
        tag="pages",
        request=PairingCodeRequest,
        answer=PairingCode,
        summary="A one-time code by which a browser of this machine is made known.",
        problems={409: "page_off"},
    ),
    Operation(
        id="pair",
        method="POST",
        path="/v1/pairing",
        scope=OPEN,
        tag="pages",
        request=PairingRequest,
        answer=Paired,
        summary="Trade a one-time code for a token; for pages of the bridge itself alone.",
        problems={
            403: "pairing_code_wrong",
            409: "pairings_full",
            429: "locked_out",
            503: "pairing_unavailable",
        },
    ),
    Operation(
        id="pairings",
        method="GET",
        path="/v1/pairings",
        scope="admin",
        tag="pages",
        answer=Pairings,
        summary="The browsers that are known.",
    ),
    Operation(
        id="forget_pairing",
        method="DELETE",
        path="/v1/pairings/{client}",
        scope="admin",
        tag="pages",
        status=204,
        summary="Forget a browser: its token is refused from now on.",
        path_parameters=(BROWSER,),
        problems={404: "pairing_unknown", 503: "pairing_unavailable"},
    ),
    Operation(
        id="read_tokens",
        method="POST",
        path="/v1/tokens/read",
        scope="admin",
        tag="pages",
        answer=TokensRead,
        summary="Read the files of the clients' tokens again, after one was changed.",
        problems={503: "tokens_unreadable"},
    ),
)
"""Operations of the table in `operations`."""

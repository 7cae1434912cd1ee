"""What test slips look like on the bridge."""

import re
from typing import Annotated, Literal

from msgspec import Meta, Struct

from till_agent.bridge.shapes import LANGUAGE, STORE_LANGUAGE, Operation, Parameter
from till_drivers.blocks import Cut, Pair, Rule, Text

NOTE_BLOCKS_LIMIT = 120
"""A certificate of readiness takes some 40."""


class TrialPrint(Struct, frozen=True, kw_only=True):
    """A test slip: `job` is asked about with `GET /v1/prints/{job}`; `code` is the text of its QR code.

    `state` is as of any slip; `refused` without a job: the printer takes none now, `detail` says why.
    """

    printer: str
    state: Literal["queued", "printing", "printed", "accepted", "refused", "unknown"]
    detail: str = ""
    job: str = ""
    code: str = ""


class NotePrint(Struct, frozen=True, kw_only=True):
    """A slip for the store itself, such as the certificate of `tillside ready`."""

    blocks: Annotated[tuple[Text | Pair | Rule | Cut, ...], Meta(min_length=1, max_length=NOTE_BLOCKS_LIMIT)]


PRINTER = Parameter(
    name="printer",
    pattern=re.compile(r"^[a-z0-9][a-z0-9-]{0,31}$"),
    description="Name of a printer in the configuration.",
)
JOB = Parameter(
    name="job", pattern=re.compile(r"^trial:[0-9a-f]{12}$"), description="Job of a test slip, as it was answered."
)

TRIALS = (
    Operation(
        id="try_printer",
        method="POST",
        path="/v1/printers/{printer}/test",
        scope="admin",
        tag="slip",
        answer=TrialPrint,
        status=202,
        summary="Print a test slip: letters of every language, the code page, the width, a QR code to read back.",
        path_parameters=(PRINTER,),
        query_parameters=(LANGUAGE,),
        problems={409: "no_printer"},
    ),
    Operation(
        id="print_note",
        method="POST",
        path="/v1/printers/{printer}/note",
        scope="admin",
        tag="slip",
        request=NotePrint,
        answer=TrialPrint,
        status=202,
        summary="Print a slip for the store itself; nothing of it is kept once it is printed.",
        path_parameters=(PRINTER,),
        problems={409: "no_printer"},
    ),
    Operation(
        id="tried",
        method="GET",
        path="/v1/prints/{job}",
        scope="admin",
        tag="slip",
        answer=TrialPrint,
        summary="What became of a test slip.",
        path_parameters=(JOB,),
        query_parameters=(STORE_LANGUAGE,),
        problems={404: "print_unknown"},
    ),
)
"""Operations of the table in `operations`."""

"""Operations of slips: of a sale, of its void, and of a return alike."""

from till_agent.api import SlipState
from till_agent.bridge.shapes import COLUMNS, FORMAT, LANGUAGE, SLIP_FORMATS, UID, Operation, SlipBlocks

SLIP_KINDS = {"slip": "sale", "return_slip": "return", "void_slip": "void"}
"""Operations that answer a slip, and the kind of document that it is of."""
COPY_KINDS = {"print": "sale", "print_return": "return", "print_void": "void"}
"""Operations that print a copy of one."""


def _slip(operation: str, path: str, what: str) -> Operation:
    return Operation(
        id=operation,
        method="GET",
        path=path,
        scope="sale",
        tag="slip",
        answer=SlipBlocks,
        media_types=tuple(SLIP_FORMATS.values()),
        summary=f"The slip of a {what}: text, PNG, printer bytes, blocks, or Frontol's blocks.",
        path_parameters=(UID,),
        query_parameters=(FORMAT, COLUMNS, LANGUAGE),
        problems={404: "sale_unknown", 406: "not_acceptable"},
    )


def _copy(operation: str, path: str, summary: str) -> Operation:
    return Operation(
        id=operation,
        method="POST",
        path=path,
        scope="sale",
        tag="slip",
        answer=SlipState,
        status=202,
        summary=summary,
        path_parameters=(UID,),
        query_parameters=(LANGUAGE,),
        problems={404: "sale_unknown", 409: "no_printer"},
    )


SLIPS = (
    _slip("slip", "/v1/sales/{uid}/slip", "sale"),
    _copy("print", "/v1/sales/{uid}/slip/print", "Print the slip again, marked as a copy."),
    _slip("void_slip", "/v1/sales/{uid}/void/slip", "sale's void"),
    _copy("print_void", "/v1/sales/{uid}/void/slip/print", "Print the slip of a sale's void again, marked as a copy."),
    _slip("return_slip", "/v1/returns/{uid}/slip", "return"),
    _copy("print_return", "/v1/returns/{uid}/slip/print", "Print the slip of a return again, marked as a copy."),
)

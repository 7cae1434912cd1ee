"""Handlers of slips: the same slip as text, blocks, picture or printer bytes, and a reprint."""

from functools import partial

import msgspec

from till_agent.bridge.answers import Answer
from till_agent.bridge.context import Bridge
from till_agent.bridge.endpoint import Call, Handler
from till_agent.bridge.shapes import SLIP_FORMATS, SlipBlocks
from till_agent.bridge.slip_operations import COPY_KINDS, SLIP_KINDS
from till_drivers.slips.frontol import to_frontol
from till_sync.problems import ProblemError

ACCEPT_LIMIT_BYTES = 1000
"""A browser's Accept takes about 150."""

_encode = msgspec.json.Encoder().encode
_BY_MEDIA = {media.partition(";")[0]: name for name, media in SLIP_FORMATS.items()} | {"*/*": "text", "text/*": "text"}


def handlers(bridge: Bridge) -> dict[str, Handler]:
    """Handlers by operation id."""

    async def slip(call: Call, kind: str) -> Answer:
        form = call.parameters.get("format") or accepted_format(dict(call.scope["headers"]).get(b"accept", b""))
        uid = call.parameters["uid"]
        columns = call.parameters.get("columns")
        language = call.parameters.get("language", bridge.language)
        width = int(columns) if columns else None
        slips = bridge.core.slips
        if form == "text":
            body = (await slips.text(uid, language=language, columns=width, kind=kind)).encode()
        elif form == "png":
            body = await slips.png(uid, language=language, columns=width, kind=kind)
        elif form == "escpos":
            body = await slips.escpos(uid, language=language, columns=width, kind=kind)
        elif form == "frontol":
            body = _encode(to_frontol(await slips.blocks(uid, language=language, columns=width, kind=kind)))
        else:
            body = _encode(SlipBlocks(blocks=await slips.blocks(uid, language=language, columns=width, kind=kind)))
        return Answer(body, media_type=SLIP_FORMATS[form].encode())

    async def print_copy(call: Call, kind: str) -> Answer:
        language = call.parameters.get("language", bridge.language)
        uid = call.parameters["uid"]
        return Answer(_encode(await bridge.core.slips.print_copy(uid, language=language, kind=kind)), 202)

    made: dict[str, Handler] = {name: partial(slip, kind=kind) for name, kind in SLIP_KINDS.items()}
    return made | {name: partial(print_copy, kind=kind) for name, kind in COPY_KINDS.items()}


def accepted_format(accept: bytes) -> str:
    """The first format that an Accept header names with a weight above 0; text when it names none of ours nor others.

    ProblemError 406 `not_acceptable` when it names only what there is not.
    """
    if not accept:
        return "text"
    wanted: list[tuple[float, str]] = []
    for part in accept[:ACCEPT_LIMIT_BYTES].decode("latin-1").lower().split(","):
        media, *parameters = (piece.strip() for piece in part.split(";"))
        if media in _BY_MEDIA:
            wanted.append((_weight(parameters), _BY_MEDIA[media]))
    best = max(wanted, key=lambda pair: pair[0], default=(0.0, ""))
    if best[0] <= 0:
        raise ProblemError(406, "not_acceptable", f"expected an Accept with one of {', '.join(SLIP_FORMATS.values())}")
    return best[1]


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0

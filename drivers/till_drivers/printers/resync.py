"""Getting a printer back into step after a job broke off in the middle of a command.

A printer that was promised a picture of 18 KB takes the next 18 KB for it, the next slip included. Zero bytes end that:
within a picture they are white, outside of one printers pass over them.
"""

RASTER = b"\x1dv0"
OTHER_COMMAND_BYTES = 512
"""No command of ours but a picture is longer: a QR code holds some hundred bytes."""
FILLER_LIMIT = 40_000
"""Bytes of the largest picture slice at the widest paper, with room."""


def filler(data: bytes) -> bytes:
    """Zero bytes enough to end whatever command of `data` a printer may be in."""
    longest = OTHER_COMMAND_BYTES
    at = data.find(RASTER)
    while at >= 0:
        head = data[at + 4 : at + 8]
        longest = max(longest, int.from_bytes(head[:2], "little") * int.from_bytes(head[2:], "little"))
        at = data.find(RASTER, at + 1)
    return bytes(min(longest, len(data), FILLER_LIMIT))

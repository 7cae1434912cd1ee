"""What a test of a device found, for people and for programs, and the exit status that it stands for."""

from collections.abc import Callable
from typing import Literal

from msgspec import Struct

Teller = Callable[[str], None]
"""Shows a line while a test goes on."""

GOOD, BAD, IN_DOUBT = 0, 1, 3
MASK_KEEPS = 2
"""Letters that are left at both ends of what is masked: enough to compare with the card in the hand."""


class ScanTried(Struct, frozen=True, kw_only=True):
    """`outcome`: `read`; `refused` (a bank card); `nothing` came in time. `text` is masked unless it is goods."""

    device: str
    driver: str
    outcome: Literal["read", "refused", "nothing"]
    status: int
    length: int = 0
    symbology: str = ""
    aim: str = ""
    gs1: dict[str, str] | None = None
    kind: str = ""
    text: str = ""
    state: str = ""
    detail: str = ""
    fix: str = ""


class PrintTried(Struct, frozen=True, kw_only=True):
    """`outcome` as of any slip, or `none`: not begun. `read_back` is what the camera read, `same` whether it is it."""

    device: str
    driver: str
    outcome: Literal["printed", "accepted", "refused", "unknown", "waits", "none"]
    status: int
    detail: str = ""
    fix: str = ""
    code: str = ""
    camera: str = ""
    read_back: str = ""
    same: bool | None = None


def masked(text: str) -> str:
    """`text` with its middle hidden, as long as it is."""
    if len(text) <= 3 * MASK_KEEPS:
        return "*" * len(text)
    return text[:MASK_KEEPS] + "*" * (len(text) - 2 * MASK_KEEPS) + text[-MASK_KEEPS:]


def scan_lines(tried: ScanTried) -> list[str]:
    """What to show of a scan."""
    if tried.outcome == "nothing":
        lines = [f"Nothing was read. The scanner is: {tried.state}" + (f", {tried.detail}" if tried.detail else "")]
        return [*lines, f"  {tried.fix}"] if tried.fix else lines
    if tried.outcome == "refused":
        return ["read       a bank card: refused, its number is shown and kept nowhere"]
    symbology = tried.symbology or "the scanner does not say"
    lines = [
        f"read       {tried.length} characters",
        f"symbology  {symbology}" + (f" (AIM ]{tried.aim})" if tried.aim else ""),
        f"kind       {tried.kind}",
        f"text       {''.join(each if each.isprintable() else '·' for each in tried.text)}",
    ]
    lines += [f"GS1 {key:<6} {value}" for key, value in (tried.gs1 or {}).items()]
    return lines


_WORDS = {
    "printed": "Printed: the printer says that all of it is on paper.",
    "accepted": "Sent: all bytes went, but this printer's line tells nothing back. Look at the paper.",
    "refused": "Not printed: not one byte reached the printer.",
    "unknown": "In doubt: it may be on paper or not. Look at the printer.",
    "waits": "Not printed yet: it waits in the print queue and comes out when the printer is ready.",
    "none": "Not printed: the printer takes no slip now.",
}


def print_lines(tried: PrintTried) -> list[str]:
    """What to show of a print."""
    lines = [_WORDS[tried.outcome]]
    if tried.detail:
        lines.append(f"  {tried.device}: {tried.detail}")
    if tried.fix:
        lines.append(f"  {tried.fix}")
    if tried.same:
        lines.append(f"Read back by {tried.camera}: the same code, {tried.code}.")
    elif tried.read_back:
        lines.append(f"Read back by {tried.camera}: another code, {tried.read_back}, not {tried.code}.")
    elif tried.camera:
        lines.append(f"Not read back: {tried.camera} has seen no code.")
    return lines

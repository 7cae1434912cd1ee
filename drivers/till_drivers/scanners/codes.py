"""From a scanner's raw code to what `Scan` tells of it: text, symbology, GS1 element strings."""

from msgspec import Struct

from till_drivers.exceptions import ProtocolError
from till_drivers.scanners import aim as aims
from till_drivers.scanners.gs1 import GS, parse_element_strings
from till_loyalty.digits import is_gtin


class Code(Struct, frozen=True, kw_only=True):
    """A complete code as the device sent it. `aim`: the symbology identifier `cm`, if it came beside the bytes."""

    raw: bytes
    aim: str = ""


class Reading(Struct, frozen=True, kw_only=True):
    """What a code says; the fields of `till_drivers.ports.Scan` by the same names."""

    text: str
    aim: str = ""
    symbology: str = ""
    gs1: dict[str, str] | None = None


def read_code(text: str, *, aim: str = "", gs1: bool = False) -> Reading:
    """Symbology and element strings of a code.

    Element strings are looked for when the symbology identifier says that the code is GS1's, or `gs1` (a setting) says
    so of every code; EAN and UPC have none in any case. A code that is none after all keeps its text.
    """
    labelled = aims.split_aim(text, aim)
    is_gs1 = aims.is_gs1(labelled.aim)
    is_trade_item = labelled.symbology == aims.EAN or is_gtin(labelled.text)
    elements = None
    if is_gs1 or (gs1 and not is_trade_item):
        try:
            elements = parse_element_strings(labelled.text)
        except ProtocolError:
            elements = None
    # A reader that puts the first FNC1 into words says no more by it than its prefix does.
    shown = labelled.text.removeprefix(GS) if is_gs1 else labelled.text
    return Reading(text=shown, aim=labelled.aim, symbology=labelled.symbology, gs1=elements)

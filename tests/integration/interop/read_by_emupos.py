"""Slips from standard input as emupos reads them, to standard output; run as a program with emupos on its path.

emupos' settings module needs packages of its daemon; the printer asks it for the shape of a profile only.
"""

import json
import sys
import types
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Cell:
    width: int
    height: int


@dataclass
class PrinterProfile:
    """As emupos' own, with the code pages of Epson's printers that have Cyrillic."""

    width_dots: int
    type: str = "printer"
    name: str = "test"
    dpi: int = 203
    font_a: Cell = field(default_factory=lambda: Cell(12, 24))
    font_b: Cell = field(default_factory=lambda: Cell(9, 17))
    code_pages: dict[int, str] = field(
        default_factory=lambda: {0: "PC437", 17: "PC866", 44: "PC1125", 46: "WPC1251", 53: "KZ1048"}
    )
    default_code_page: int = 0


settings: Any = types.ModuleType("emupos.config")
settings.PrinterProfile = PrinterProfile
settings.Level = str
settings.PrinterId = object
sys.modules["emupos.config"] = settings


def read(data: bytes, width_dots: int) -> dict[str, Any]:
    """One job; a cut ends it, as its daemon does."""
    from emupos.printer.escpos.model import PrintModel
    from emupos.printer.escpos.tokenizer import Command, Tokenizer

    model = PrintModel("test", PrinterProfile(width_dots=width_dots))
    tokenizer = Tokenizer()
    events: list[Any] = []
    cuts = 0
    for token in tokenizer.feed(data):
        if isinstance(token, Command) and token.name == "GS V":
            cuts += 1
        else:
            events += model.process(token)
    rest = tokenizer.close()
    done = model.finish("cut")
    unknown = [event.data for event in events if "unknown" in str(event.type).lower()]
    return {
        "text": done.text if done else "",
        "png": done.png.hex() if done else "",
        "unknown": unknown,
        "cuts": cuts,
        "rest": rest.raw.hex() if rest else "",
    }


if __name__ == "__main__":
    jobs = json.load(sys.stdin)
    json.dump([read(bytes.fromhex(job["data"]), job["width_dots"]) for job in jobs], sys.stdout)

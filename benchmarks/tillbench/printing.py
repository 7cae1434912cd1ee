"""A slip from blocks to bytes: processor time of lines that are drawn, and bytes of slips typed and drawn.

Beside ours, in the same run, the plain way: each line drawn by Pillow from its font and sent by python-escpos.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

from till_drivers.blocks import Block, Cut, Pair, QrCode, Rule, Text
from till_drivers.preview import to_png
from till_drivers.printers import CODE_PAGES, Profile, render
from till_drivers.printers.escpos_builder import new_dummy
from till_drivers.printers.letters import font
from till_drivers.printers.profile import LINE_DOTS, SLICE_ROWS
from tillbench.figures import Series

LINES = 40
"""What the aim names: a long slip, each line of which has a letter that the printer lacks."""
DRAWN = [Text(text=f"Ұпай {number} есептелді, өткен қалдық {number * 7},50 ₸") for number in range(LINES)]
SERIAL_BYTES_A_SECOND = 11_520
"""115,200 bits a second, ten bits a byte."""


def slip(title: str, rows: tuple[tuple[str, str], ...], end: str, *, qr: bool = True) -> list[Block]:
    """A slip as shops have them: 17 lines, a QR code, a cut."""
    return [
        Text(text=title, align="center", bold=True),
        Text(text="22.11.2026 13:40"),
        Rule(),
        *(Pair(left=left, right=right, separator=".") for left, right in rows),
        Rule(),
        *([QrCode(data="https://example.org/m/0123456789")] if qr else []),
        Text(text=end, align="center"),
        Cut(),
    ]


RUSSIAN = slip(
    "Магазин у дома",
    tuple((f"Строка чека {number}", f"{number * 10},50 бонуса") for number in range(1, 13)),
    "Спасибо за покупку!",
)
KAZAKH = slip(
    "Үй жанындағы дүкен",
    tuple(
        (f"Түбіртек жолы {number}", f"{number * 10},50 ұпай") if number % 2 else (f"Сома {number}", f"{number},50")
        for number in range(1, 13)
    ),
    "Сатып алғаныңызға рақмет!",
)


@dataclass
class Printing:
    """CPU microseconds of LINES drawn lines, ours and the plain way, and of slips; bytes of slips by name."""

    lines: Series
    plain: Series
    text: Series
    png: Series
    first_ms: float
    bytes_of: dict[str, int]


def measure(rounds: int) -> Printing:
    """Rounds of each, one after the other."""
    wide = Profile()
    new_dummy(wide)  # what is imported is imported
    font(20)
    first_ms = _took(lambda: render(DRAWN, wide)) / 1000
    found = Printing(
        Series("40 drawn lines"), Series("the plain way"), Series("a slip as text"), Series("a preview"), first_ms, {}
    )
    for _ in range(rounds):
        found.lines.add([_took(lambda: render(DRAWN, wide)) for _ in range(5)])
        found.plain.add([_took(lambda: _plain_way(wide))])
        found.text.add([_took(lambda: render(RUSSIAN, wide)) for _ in range(5)])
        found.png.add([_took(lambda: to_png(KAZAKH, wide))])
    found.bytes_of = _bytes()
    return found


def _took(work: Callable[[], object]) -> float:
    started = time.process_time_ns()
    work()
    return (time.process_time_ns() - started) / 1000


def _plain_way(profile: Profile) -> bytes:
    """A picture of all lines by Pillow, sent by python-escpos."""
    from PIL import Image, ImageDraw

    picture = Image.new("L", (profile.width_dots, LINES * LINE_DOTS), 255)
    pen = ImageDraw.Draw(picture)
    for number, line in enumerate(DRAWN):
        pen.text((0, number * LINE_DOTS), line.text, font=font(20), fill=0)
    dummy = new_dummy(profile)
    dummy.image(picture.convert("1", dither=Image.Dither.NONE), fragment_height=SLICE_ROWS)
    output: bytes = dummy.output
    return output


def _bytes() -> dict[str, int]:
    """Bytes of the same slips on printers that have their letters, some of them, or none."""
    found = {}
    for paper, width_dots, columns in (("80 mm", 576, 48), ("58 mm", 384, 32)):
        for name, blocks, code_page in (
            ("Russian, cp866: typed", RUSSIAN, "cp866"),
            ("Kazakh, kz1048: typed", KAZAKH, "kz1048"),
            ("Kazakh, cp866: what it lacks is drawn", KAZAKH, "cp866"),
            ("Kazakh, cp437: all is drawn", KAZAKH, "cp437"),
        ):
            profile = Profile(
                width_dots=width_dots, columns=columns, code_page=code_page, code_page_number=CODE_PAGES[code_page]
            )
            found[f"{name}, {paper}"] = len(render(blocks, profile))
    code = [QrCode(data="https://example.org/m/0123456789")]
    found["QR code, by the printer"] = len(render(code, Profile()))
    found["QR code, as a picture"] = len(render(code, Profile(native_qr=False)))
    return found


def seconds_on_a_line(size: int) -> float:
    """How long so many bytes take at 115,200 bits a second."""
    return size / SERIAL_BYTES_A_SECOND


def times_of(found: Printing) -> float:
    """How many times as fast as the plain way, round by round."""
    pairs = zip(found.plain.round_medians(), found.lines.round_medians(), strict=True)
    return median([plain / ours for plain, ours in pairs])

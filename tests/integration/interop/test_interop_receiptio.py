"""receiptio (npm), a client of other makers, prints on our simulated printer: we read what it was told."""

import asyncio
import os
import subprocess

import pytest

from integration.interop.interop_kit import HERE, receiptio
from till_drivers.simulators.paper import Slip
from till_drivers.simulators.picture import draw_slip
from till_drivers.simulators.printer import PrinterSimulator

LINES = {
    "Russian": ("Съешь ещё этих булок", "12,50 руб."),
    "Kazakh": ("Қош келдіңіз, ұпай өсті", "12,50"),
    "Kyrgyz": ("Кош келиңиз, упай өстү", "12,50 сом"),
    "Ukrainian": ("Ґречний їжак з'їв сир", "12,50 грн"),
    "Uzbek": ("Xush kelibsiz, ўн Ҳисоб", "12,50"),
    "Tajik": ("Хуш омадед, ҷаноби ӯ", "12,50 сомонӣ"),
}
ITS_PAGES = ("cp437", "cp852", "cp858", "cp866", "cp1252")
"""The code pages that receiptline, its renderer, mixes within a line; for letters beyond them it sends `?` itself."""
QR = "https://example.org/m/0123456789"
LIMIT_S = 60
pytestmark = pytest.mark.timeout(180)


def _sent(text: str) -> str:
    """`text` as receiptline can say it."""
    return "".join(letter if any(letter.encode(page, "ignore") for page in ITS_PAGES) else "?" for letter in text)


async def _print(document: str, options: str) -> tuple[str, Slip, int]:
    """receiptio's verdict, the paper, and what our interpreter did not know."""
    simulator = PrinterSimulator()
    port = await simulator.start_tcp()
    try:
        async with asyncio.timeout(LIMIT_S):
            client = await asyncio.create_subprocess_exec(
                "node",
                str(HERE / "receiptio_client.js"),
                str(port),
                f"-d 127.0.0.1 {options}",
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=os.environ | {"NODE_PATH": str(receiptio())},
            )
            said, complaint = await client.communicate(document.encode())
        assert client.returncode == 0, complaint.decode()[-1000:]
        return said.decode().strip(), simulator.slips[-1], simulator.unknown_commands
    finally:
        await simulator.stop()


def _document() -> str:
    """All six languages in columns, a heading of double size, a QR code and a barcode."""
    rows = [f"{left} | {right}" for left, right in LINES.values()]
    return "\n".join(
        ["^^^ЧЕК", "", *rows, "^ИТОГО | ^75,00", "", f"{{code:{QR};option:qrcode,4,m}}", "",
         "{code:4600682000013;option:ean,2,72}"]
    )  # fmt: skip


@pytest.mark.parametrize(("columns", "options"), [(48, "-c 48 -l ru"), (48, "-c 48 -l ru -p escpos")])
def test_its_slip_says_on_our_paper_what_it_was_told(columns: int, options: str) -> None:
    """It asks the printer who it is and how, prints, waits for the proof, and calls it a success."""
    receiptio()
    said, slip, unknown = asyncio.run(_print(_document(), options))
    assert said == "success"
    lines = [line for line in slip.text().splitlines() if line]
    assert lines[0].strip() == "ЧЕК"
    for line, (left, right) in zip(lines[1:], LINES.values(), strict=False):
        assert line.startswith(_sent(left))
        assert line.endswith(_sent(right))
        assert len(line) == columns
    assert lines[7].split() == ["ИТОГО", "75,00"]
    assert _sent(LINES["Russian"][0]) == LINES["Russian"][0]
    if "escpos" in options:
        assert unknown == 0


def test_its_codes_are_read_from_our_picture() -> None:
    """Its QR code comes as a stored picture (`GS 8 L`, `GS ( L`), its barcode as `GS k`."""
    zxingcpp = pytest.importorskip("zxingcpp")
    receiptio()
    _, slip, _ = asyncio.run(_print(_document(), "-c 48 -l ru"))
    image = draw_slip(slip)
    assert {found.text for found in zxingcpp.read_barcodes(image.convert("L"))} == {QR, "4600682000013"}

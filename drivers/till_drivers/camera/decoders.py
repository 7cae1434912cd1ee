"""The libraries that read codes, behind one interface. Imported by the camera's process only; each is heavy.

What they take for a code's content differs in details, so all that they say is brought into one form here: the bytes,
the text, and the AIM identifier that a scanner would send.
"""

from collections.abc import Sequence
from typing import Any, Protocol

from till_drivers.camera.lines import CODE_LIMIT_BYTES
from till_drivers.camera.sightings import Found

FORMATS = (
    "qr",
    "microqr",
    "pdf417",
    "aztec",
    "datamatrix",
    "code128",
    "code39",
    "itf",
    "codabar",
    "ean13",
    "ean8",
    "upca",
)
"""All that a till's settings may name. Whatever else the libraries know is rarer than their misreadings of it."""

_ZXING = {
    "qr": "QRCode",
    "microqr": "MicroQRCode",
    "pdf417": "PDF417",
    "aztec": "Aztec",
    "datamatrix": "DataMatrix",
    "code128": "Code128",
    "code39": "Code39",
    "itf": "ITF",
    "codabar": "Codabar",
    "ean13": "EAN13",
    "ean8": "EAN8",
    "upca": "UPCA|UPCE",
}
_MATRIX = frozenset("QLdz")
_WITHOUT_ECI = {
    "L1": "L2",
    "Q2": "Q1",
    "Q4": "Q3",
    "Q6": "Q5",
    "d4": "d1",
    "d5": "d2",
    "d6": "d3",
    "z3": "z0",
    "z4": "z1",
    "z5": "z2",
}
"""Modifiers that announce character sets as escapes in the text, to those that don't: ours is decoded already."""
_AZTEC_RUNE = "zC"
"""A number below 256 in an eleventh of an Aztec's surface: what noise looks like first."""


class Decoder(Protocol):
    """Reads the codes in a picture."""

    def decode(self, gray: Any, formats: Sequence[str], budget_ms: int) -> list[Found]:
        """Codes of `formats` (empty: all) in an array of height x width bytes; takes about `budget_ms` at most."""
        ...


class ZxingDecoder:
    """zxing-cpp: all symbologies."""

    name = "zxing"

    def __init__(self, encoding: str = "utf-8") -> None:
        import zxingcpp

        self._library = zxingcpp
        self._encoding = encoding
        self._formats: dict[tuple[str, ...], Any] = {}

    def decode(self, gray: Any, formats: Sequence[str], budget_ms: int) -> list[Found]:  # noqa: ARG002  # one call that can't be cut short; `Ladder` plans with its time
        """See `Decoder`."""
        read = self._library.read_barcodes(
            gray, formats=self._wanted(tuple(formats)), text_mode=self._library.TextMode.Plain
        )
        found = [self._found(each) for each in read]
        return [each for each in found if each is not None]

    def _wanted(self, formats: tuple[str, ...]) -> Any:
        if formats not in self._formats:
            names = "|".join(_ZXING[each] for each in formats or FORMATS)
            self._formats[formats] = self._library.barcode_formats_from_str(names)
        return self._formats[formats]

    def _found(self, barcode: Any) -> Found | None:
        aim: str = barcode.symbology_identifier.removeprefix("]")
        raw = bytes(barcode.bytes)
        if not raw or len(raw) > CODE_LIMIT_BYTES or aim == _AZTEC_RUNE:
            return None
        try:
            text = barcode.text if aim in _WITHOUT_ECI else raw.decode(self._encoding)
        except UnicodeDecodeError:
            text = barcode.text
        aim = _WITHOUT_ECI.get(aim, aim)
        return Found(raw=raw, text=text, aim=aim, is_matrix=aim[:1] in _MATRIX, by=self.name)


class ZbarDecoder:
    """zbar, by pyzbar: only bars. Its QR codes come as guesses of their character set, and zxing-cpp reads more."""

    name = "zbar"

    def __init__(self) -> None:
        # ctypes looks for the shared library here; ImportError when the system has none.
        from pyzbar import pyzbar  # type: ignore[import-untyped] # Reason: it ships no type information.

        self._library = pyzbar
        kinds = pyzbar.ZBarSymbol
        self._by_format = {
            "code128": kinds.CODE128,
            "code39": kinds.CODE39,
            "codabar": kinds.CODABAR,
            "ean13": kinds.EAN13,
            "ean8": kinds.EAN8,
            "upca": kinds.EAN13,
        }

    def decode(self, gray: Any, formats: Sequence[str], budget_ms: int) -> list[Found]:  # noqa: ARG002  # as above
        """See `Decoder`. Not Interleaved 2 of 5, which zbar reads into any stripes."""
        wanted = sorted({self._by_format[each].value for each in formats or FORMATS if each in self._by_format})
        if not wanted:
            return []
        kinds = self._library.ZBarSymbol
        found = []
        for each in self._library.decode(gray, symbols=[kinds(number) for number in wanted]):
            aim = {"EAN13": "E0", "EAN8": "E4", "CODE128": "C0", "CODE39": "A0", "CODABAR": "F0"}.get(each.type, "")
            raw = bytes(each.data)
            # FNC1 in first place is what makes it GS1's; inside one it shows as GS.
            aim = "C1" if aim == "C0" and b"\x1d" in raw else aim
            if aim and raw and raw.isascii() and len(raw) <= CODE_LIMIT_BYTES:
                found.append(Found(raw=raw, text=raw.decode("ascii"), aim=aim, is_matrix=False, by=self.name))
        return found


class OpencvDecoder:
    """OpenCV's detector: EAN-13, EAN-8 and UPC at any angle."""

    name = "opencv"

    def __init__(self) -> None:
        import cv2

        self._detector = cv2.barcode.BarcodeDetector()

    def decode(self, gray: Any, formats: Sequence[str], budget_ms: int) -> list[Found]:  # noqa: ARG002  # as above
        """See `Decoder`."""
        wanted = set(formats or FORMATS)
        _, texts, kinds, _ = self._detector.detectAndDecodeWithType(gray)
        found = []
        for text, kind in zip(texts, kinds, strict=False):
            digits = f"0{text}" if kind == "UPC_A" else text
            asked = {"EAN_13": {"ean13", "upca"}, "UPC_A": {"ean13", "upca"}, "EAN_8": {"ean8"}}.get(kind, set())
            if digits.isdigit() and asked & wanted and len(digits) == (8 if kind == "EAN_8" else 13):
                aim = "E4" if kind == "EAN_8" else "E0"
                found.append(Found(raw=digits.encode(), text=digits, aim=aim, is_matrix=False, by=self.name))
        return found

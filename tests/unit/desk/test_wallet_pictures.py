"""The passes of Apple's and Google's samples, and our own codes, drawn by other people's encoders, read, and taken."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from fakes.till import anna
from till_loyalty.identifiers import tag
from unit.desk.wallet_cases import KEY, WalletTill

np = pytest.importorskip("numpy")
segno = pytest.importorskip("segno")
zint = pytest.importorskip("zint")
zxingcpp = pytest.importorskip("zxingcpp")

SHARED = Path(os.environ.get("TILLSIDE_SHARED", Path(__file__).resolve().parents[4] / "shared"))
WALLET = SHARED / "data" / "wallet"
SYMBOLOGIES = ("QRCODE", "PDF417", "AZTEC", "CODE128", "EANX")
SMALL_QR_MODULES = 53
"""Version 9."""


def sample(name: str) -> Any:
    path = WALLET / name
    if not path.is_file():
        pytest.skip(f"{path} is not here")
    return json.loads(path.read_text(encoding="utf-8"))


def drawn(symbology: str, text: str) -> Any:
    """Grey, with a white margin."""
    symbol = zint.Symbol()
    symbol.symbology = getattr(zint.Symbology, symbology)
    symbol.scale = 2
    symbol.show_hrt = False
    symbol.encode(text)
    symbol.buffer()
    return np.pad(np.asarray(symbol.bitmap, dtype=np.uint8)[:, :, 0], 40, constant_values=255)


def read(picture: Any) -> str:
    (found,) = zxingcpp.read_barcodes(picture)
    return str(found.text)


@pytest.mark.parametrize("symbology", SYMBOLOGIES)
def test_the_numbers_of_apples_and_googles_samples_are_members(symbology: str) -> None:
    """In each symbology that passes have: as drawn, read back, and taken by the desk."""
    apple = sample("apple_storecard_pass.json")["barcodes"][0]["message"]
    google = sample("google_loyalty_jwt_claims.json")["payload"]["loyaltyObjects"][0]["barcode"]["value"]
    till = WalletTill()
    for number in (apple, google):
        till.know(anna(member_id="m-pass", tags=(tag(KEY, "card", number),)))
        assert till.identify(read(drawn(symbology, number))) == "m-pass"


@pytest.mark.parametrize("symbology", ["QRCODE", "PDF417", "AZTEC"])
def test_codes_of_our_own_survive_a_picture(symbology: str) -> None:
    till = WalletTill()
    assert till.identify(read(drawn(symbology, till.token()))) == "m-anna"
    assert till.identify(read(drawn(symbology, till.phone()))) == "m-anna"


def test_a_token_is_a_small_qr_code() -> None:
    """With the ids that the cloud makes; read back from another encoder's picture too."""
    till = WalletTill()
    text = till.token(member_id="m-" + "0123456789ab" * 2, counter=1_800_000_000)
    code = segno.make_qr(text, error="m")
    assert code.symbol_size(border=0)[0] <= SMALL_QR_MODULES
    rows = [[0 if dark else 255 for dark in row] for row in code.matrix_iter(scale=4, border=4)]
    assert read(np.array(rows, dtype=np.uint8)) == text

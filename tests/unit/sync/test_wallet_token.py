"""Signed wallet codes: only what this chain's cloud signed is read, and whatever else is, has its own code."""

import base64

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from till_sync import vouchers, wallet
from till_sync.exceptions import WalletCodeRefused
from till_sync.keys import public_of, sign
from till_sync.wallet import Token
from till_sync.wallet_use import WalletUse

PRIVATE, OTHER = "07" * 32, "08" * 32
PUBLIC = public_of(PRIVATE)
CHAIN, OTHER_CHAIN = wallet.chain_mark(b"k" * 32), wallet.chain_mark(b"q" * 32)
TOKEN = Token(
    chain=CHAIN,
    key=wallet.key_mark(PUBLIC),
    member_id="m-" + "a" * 24,
    expires_at_s=1_800_000_000,
    counter=1_799_000_000,
)
TEXT = wallet.encode(TOKEN, PRIVATE)


def refusal(text: str, *, public_key: str = PUBLIC, chain: int = CHAIN) -> str:
    """The code that a text is refused by."""
    with pytest.raises(WalletCodeRefused) as caught:
        wallet.decode(text, public_key=public_key, chain=chain)
    return caught.value.code


def test_what_the_cloud_signed_is_read_by_its_public_key() -> None:
    assert wallet.decode(TEXT, public_key=PUBLIC, chain=CHAIN) == TOKEN


def test_a_code_fits_a_small_qr_code() -> None:
    """Version 9 at level M takes 180 bytes."""
    assert len(TEXT) <= 160


def test_each_fault_has_its_code() -> None:
    other = msgspec.structs.replace(TOKEN, key=wallet.key_mark(public_of(OTHER)))
    assert refusal(TEXT, chain=OTHER_CHAIN) == "wallet_other_chain"
    assert refusal(wallet.encode(other, OTHER)) == "wallet_key_unknown"
    assert refusal(TEXT, public_key="") == "wallet_key_unknown"
    assert refusal(wallet.encode(TOKEN, OTHER)) == "wallet_invalid"
    assert refusal("TSW1.") == "wallet_invalid"
    assert refusal(TEXT + "A" * 400) == "wallet_invalid"


def test_a_changed_code_is_refused_whatever_was_changed() -> None:
    """Every character of it: payload and signature. The last one of either has bits that mean nothing."""
    head, payload, signature = TEXT.split(".")
    for at in range(len(payload) - 1):
        wrong = payload[:at] + ("A" if payload[at] != "A" else "B") + payload[at + 1 :]
        assert refusal(f"{head}.{wrong}.{signature}").startswith("wallet_")
    for at in range(len(signature) - 1):
        wrong = signature[:at] + ("A" if signature[at] != "A" else "B") + signature[at + 1 :]
        assert refusal(f"{head}.{payload}.{wrong}") == "wallet_invalid"


def test_a_voucher_is_no_wallet_code_nor_the_other_way_round() -> None:
    """The same key signs both: the prefix is signed with them."""
    payload = msgspec.msgpack.encode(TOKEN)
    signature = sign(PRIVATE, vouchers.PREFIX.encode() + payload)
    text = [base64.urlsafe_b64encode(part).decode().rstrip("=") for part in (payload, signature)]
    assert refusal(f"TSW1.{text[0]}.{text[1]}") == "wallet_invalid"
    assert vouchers.decode(TEXT.replace("TSW1", "TSV1"), PUBLIC) is None


def test_a_refusal_tells_nothing_of_the_text() -> None:
    with pytest.raises(WalletCodeRefused) as caught:
        wallet.decode(TEXT, public_key=public_of(OTHER), chain=CHAIN)
    assert TEXT[5:40] not in f"{caught.value!r} {caught.value.__cause__!r}"


@settings(max_examples=150, deadline=None)
@given(
    st.text(max_size=450)
    | st.binary(max_size=120).map(
        lambda raw: "TSW1." + base64.urlsafe_b64encode(raw).decode().rstrip("=") + "." + "A" * 86
    )
)
def test_no_text_makes_it_raise_anything_else(text: str) -> None:
    assert refusal(text).startswith("wallet_")


def test_the_newest_of_each_kind_is_what_was_used() -> None:
    used = WalletUse(token=5).newest(WalletUse(rotating=9)).newest(WalletUse(token=3, rotating=7))
    assert used == WalletUse(token=5, rotating=9)
    assert WalletUse(token=6).is_after(used)
    assert WalletUse(rotating=10).is_after(used)
    for old in (WalletUse(token=5), WalletUse(token=4), WalletUse(rotating=9), WalletUse()):
        assert not old.is_after(used)

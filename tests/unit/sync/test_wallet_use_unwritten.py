"""What no wallet code was used for says nothing of wallets: neither an op's body nor a member's row grows by it."""

import msgspec

from till_sync.ops import SaleBody
from till_sync.wallet_use import NO_USE, WalletUse
from till_sync.wire import MemberFacts


def test_nothing_is_written_of_no_use() -> None:
    assert b"wallet" not in msgspec.json.encode(MemberFacts(purchases=1, wallet=NO_USE))
    assert b"wallet" not in msgspec.json.encode(msgspec.json.decode(b'{"purchases":1}', type=MemberFacts))
    (field,) = [each for each in msgspec.structs.fields(SaleBody) if each.name == "wallet"]
    assert field.default is NO_USE


def test_the_newest_of_none_is_none() -> None:
    assert WalletUse().newest(WalletUse()) is NO_USE
    assert WalletUse(token=2).newest(WalletUse(rotating=3)) == WalletUse(token=2, rotating=3)

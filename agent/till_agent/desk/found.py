"""Whose sale it is, as the desk found it."""

from msgspec import Struct

from till_agent.ports import CachedMember
from till_sync.ops import Subject
from till_sync.vouchers import Voucher
from till_sync.wallet_use import NO_USE, WalletUse


class Found(Struct, frozen=True, kw_only=True):
    """Whose sale it is. `cached` is None for somebody this till does not know; its row has no `member_id` yet for
    somebody who registered here and whom the cloud has not told of. `keys` are all names own ops may have used for
    them; the masked number is of what was scanned or keyed just now."""

    subject: Subject
    cached: CachedMember | None
    keys: tuple[str, ...]
    card_masked: str = ""
    phone_masked: str = ""
    voucher: Voucher | None = None
    """The voucher by which they were named; `reference` then is its text."""
    reference: str = ""
    wallet: WalletUse = NO_USE
    """The wallet code by which they were named; none in the usual case."""

"""Which wallet codes of a member were used: what a sale's op, a member's row and a cache say of them."""

from typing import Annotated

from msgspec import Meta, Struct

WHOLE_LIMIT = 2**53
"""As `till_sync.wire.WHOLE_LIMIT`, which imports this."""

Count = Annotated[int, Meta(ge=0, le=WHOLE_LIMIT)]


class WalletUse(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a sale used of a member's wallet codes, or the newest that were ever used: none up to there is good again.

    `token` is the counter of a signed code, `rotating` the second at which the period of one by the clock began; 0:
    none.
    """

    token: Count = 0
    rotating: Count = 0

    def __bool__(self) -> bool:
        return bool(self.token or self.rotating)

    def newest(self, other: "WalletUse") -> "WalletUse":
        """Of both, the later of each."""
        if not (self or other):
            return NO_USE
        return WalletUse(token=max(self.token, other.token), rotating=max(self.rotating, other.rotating))

    def is_after(self, used: "WalletUse") -> bool:
        """Whether these are not used yet."""
        newer_token = not self.token or self.token > used.token
        newer_rotating = not self.rotating or self.rotating > used.rotating
        return bool(self) and newer_token and newer_rotating


NO_USE = WalletUse()
"""None used. Always this very one: msgspec leaves a default out of what it writes only when it is the same object."""

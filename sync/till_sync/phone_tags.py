"""Which tags of phones a chain has: told by the cloud in its greeting, kept by the till for a start with no line."""

from typing import Annotated

from msgspec import Meta, Struct

MOST_COST = 2**17
"""Of scrypt's N that a till takes: 128 MB for a look-up. More is no setting but a mistake."""
Cost = Annotated[int, Meta(ge=0, le=MOST_COST)]


class PhoneTags(Struct, frozen=True, kw_only=True):
    """`cost` is scrypt's N of slow tags (`till_loyalty.identifiers.slow_tag`), 0 while the chain has none. From then on
    members are looked up by both. `only`: every member has theirs, so what is recorded of an unknown phone is that.
    """

    cost: int = 0
    only: bool = False


NO_SLOW_TAGS = PhoneTags()

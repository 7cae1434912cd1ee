"""Whether digits alone are as many as a phone of a country can have: a look that takes a microsecond.

Every scanned card is looked at as a phone too, and reading one as a phone of a country takes a tenth of a millisecond.
"""

import functools

from msgspec import Struct

from till_loyalty.digits import is_digits


class _Numbering(Struct, frozen=True):
    """Of a country: what its numbers may begin with, and how many digits they have without that."""

    code: str
    trunk: str
    exits: tuple[str, ...]
    lengths: frozenset[int]
    shortest: int
    longest: int
    """Digits in all, with and without what a number may begin with."""


def may_be_phone(text: str, country: str) -> bool:
    """False only when no phone of `country` (ISO code) is written so; for all but bare digits always True."""
    numbering = _numbering(country) if is_digits(text) else None
    if numbering is None or text.startswith(numbering.exits):
        return True
    if not numbering.shortest <= len(text) <= numbering.longest:
        return False
    left = {text}
    for prefix in (numbering.code, numbering.trunk):
        left |= {each.removeprefix(prefix) for each in left}
    return not numbering.lengths.isdisjoint(map(len, left))


@functools.cache
def _numbering(country: str) -> _Numbering | None:
    """None where what may stand before a number can't be told by looking at its beginning."""
    from phonenumbers.phonemetadata import PhoneMetadata

    found = PhoneMetadata.metadata_for_region(country, None)
    if found is None or found.general_desc is None:
        return None
    trunk, leaving = found.national_prefix_for_parsing or "", found.international_prefix or ""
    if not ((trunk.isdigit() or not trunk) and leaving.isdigit()):
        return None
    code, lengths = str(found.country_code), frozenset(found.general_desc.possible_length)
    return _Numbering(
        code=code,
        trunk=trunk,
        exits=(leaving,),
        lengths=lengths,
        shortest=min(lengths),
        longest=max(lengths) + len(code) + len(trunk),
    )

"""What a query of the member search means: beginnings of words of a masked name, and last digits of masked numbers."""

import re
import unicodedata

from msgspec import Struct

from till_sync.wire import MemberRow

WORDS_LIMIT = 8
"""A name, a number, and what else a person types; more say nothing of a masked name."""

_WORDS = re.compile(r"[^\W_]+")
_DIGITS = re.compile(r"\D+")
_HIDDEN = "*"


class Wanted(Struct, frozen=True):
    """Folded beginnings of words, and last digits of a phone or a card; a member has to fit all of them."""

    words: tuple[str, ...]
    digits: str = ""

    @property
    def is_nothing(self) -> bool:
        """There is nothing to look for."""
        return not self.words and not self.digits

    def fits(self, name_masked: str, phone_masked: str, card_masked: str) -> bool:
        """Whether somebody shown so may be meant."""
        if self.digits and not any(_ends(tail_of(each), self.digits) for each in (phone_masked, card_masked)):
            return False
        names = words_of(name_masked)
        return all(any(name.startswith(word) for name in names) for word in self.words)

    def fits_row(self, row: MemberRow) -> bool:
        """The same of a member's row."""
        return row.status != "removed" and self.fits(row.name_masked, row.phone_masked, row.card_masked)


def wanted(query: str) -> Wanted:
    """Read a query: all its digits are one number, in whatever groups they come; everything else is words."""
    digits: list[str] = []
    words: list[str] = []
    for word in words_of(query):
        (digits if word.isdecimal() else words).append(word)
    return Wanted(tuple(dict.fromkeys(words))[:WORDS_LIMIT], "".join(digits))


def words_of(text: str) -> list[str]:
    """The words of a text, as they are compared: without case, and with one letter for what people type either way."""
    folded = unicodedata.normalize("NFKC", text).casefold().replace("ё", "е")
    return _WORDS.findall(folded)


def tail_of(masked: str) -> str:
    """The digits that a masked number ends with: `+7 *** ***-45-67` -> `4567`."""
    return _DIGITS.sub("", masked.rpartition(_HIDDEN)[2])


def _ends(tail: str, digits: str) -> bool:
    """Of a longer number that was keyed, only what the mask shows can be compared."""
    return bool(tail) and (tail.endswith(digits) or digits.endswith(tail))

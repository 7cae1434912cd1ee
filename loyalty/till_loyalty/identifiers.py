"""What names a member: card numbers and phones, normalised, checked and turned into tags.

Codes of IdentifierError: `identifier_empty`, `identifier_too_long`, `identifier_unknown` (neither card nor phone),
`identifier_ambiguous` (both), `phone_invalid`, `card_invalid` (not digits), `card_unknown_range`, `card_check_digit`,
`bank_card`. No message ever carries a number: messages reach logs, and a bank card's number must reach nothing.
"""

import hashlib
import hmac
import re
from collections.abc import Iterator, Sequence
from typing import Literal

from msgspec import Struct

from till_loyalty.digits import is_digits, is_ean13, is_gtin, is_luhn
from till_loyalty.exceptions import IdentifierError, invariant
from till_loyalty.masks import mask_card, mask_name, mask_phone
from till_loyalty.phone_lengths import may_be_phone
from till_loyalty.programme import CardRange, Identifiers

__all__ = [
    "Identifier",
    "Kind",
    "classify",
    "is_rotating_only",
    "is_trade_number",
    "mask_card",
    "mask_name",
    "mask_phone",
    "normalise_phone",
    "parse_card",
    "slow_tag",
    "tag",
]

Kind = Literal["card", "phone"]

TEXT_LIMIT = 100
"""Longest card or phone with its separators; magnetic track 2 has 40 characters at most, track 1 has 79."""
TAG_HEX_DIGITS = 32
"""128 bits: two of a thousand million identifiers collide with a chance below 1 in 10**20."""
FAST_PHONE, SLOW_PHONE = "phone:", "phone2:"
"""What tags of phones begin with: one that all phones of a country can be tried on in minutes, and one made slow."""
_SCRYPT_BLOCK, _SCRYPT_ROOM = 8, 2**20
BANK_CARD_LENGTHS = range(13, 20)
GTIN14_LENGTH = 14
_CARDS_OF_14 = ("30", "36", "38", "39")
"""Diners Club: the only bank cards as long as a GTIN-14."""
LONGEST_PHONE_DIGITS = 15
"""E.164."""
RANGES_TOLD = 3
"""Of a programme's ranges of cards, in a message; more make it unreadable."""

# Hyphens, dashes and spaces as people and receipt printers write them, no-break ones included.
_SEPARATORS = dict.fromkeys(map(ord, "-\u2010\u2011\u2012\u2013\u2014\u2212 \t\u00a0\u2007\u2009\u202f"))
_PHONE_SHAPE = re.compile(
    r"(?:tel:)?\s*\+?[\d\s()./\-\u2010-\u2014\u2212]+(?:(?:ext|x|доб|#)\.?\s*\d{1,7})?", re.IGNORECASE
)


class Identifier(Struct, frozen=True):
    """A card's digits or a phone in E.164. Its repr is masked, so that it may be logged by accident."""

    kind: Kind
    value: str

    def __repr__(self) -> str:
        shown = mask_phone(self.value) if self.kind == "phone" else mask_card(self.value)
        return f"Identifier(kind={self.kind!r}, value={shown!r})"


def tag(key: bytes, kind: Kind, value: str) -> str:
    """`kind:` and 32 hex digits of a keyed hash: what journals, caches and logs hold instead of the number."""
    invariant(bool(key), "expected the chain's identifier key, not an empty one")
    digest = hmac.digest(key, f"{kind}:{value}".encode(), "sha256").hex()
    return f"{kind}:{digest[:TAG_HEX_DIGITS]}"


def slow_tag(fast: str, cost: int) -> str:
    """`phone2:` and 32 hex digits of scrypt over a phone's tag; `cost` is scrypt's N, which takes its KB of memory.

    Of the tag, not of the number: who has only tags can make it. 54 ms of one core with N = 2**14, outside Python's
    lock. ValueError when the tag is not a phone's, or the cost no power of two above 1.
    """
    if not fast.startswith(FAST_PHONE):
        raise ValueError("expected the tag of a phone")
    room = 128 * _SCRYPT_BLOCK * (cost + 3) + _SCRYPT_ROOM
    salt = f"tillside {SLOW_PHONE}{cost}".encode()
    made = hashlib.scrypt(
        fast.encode(), salt=salt, n=cost, r=_SCRYPT_BLOCK, p=1, maxmem=room, dklen=TAG_HEX_DIGITS // 2
    )
    return SLOW_PHONE + made.hex()


def normalise_phone(text: str, countries: Sequence[str]) -> str:
    """E.164 of a phone as people write it; IdentifierError `phone_invalid` when no country takes it.

    Numbers without a plus are read by `countries` (ISO codes) in their order: the first in which the number exists
    wins. 8XXXXXXXXXX is +7 in Russia and Kazakhstan. An extension is dropped.
    """
    import phonenumbers

    stripped = _checked_text(text)
    # libphonenumber finds a number inside any text, a web address for one; only what is written as a phone is one here.
    if not _PHONE_SHAPE.fullmatch(stripped):
        raise IdentifierError("expected a phone number, not other text", code="phone_invalid")
    for country in countries:
        if not may_be_phone(stripped, country):
            continue
        try:
            number = phonenumbers.parse(stripped, country)
        except phonenumbers.NumberParseException:
            continue
        if phonenumbers.is_valid_number(number):
            return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))
    raise IdentifierError(
        f"expected a phone number of {', '.join(countries)} or one with a plus, not this one", code="phone_invalid"
    )


def parse_card(text: str, identifiers: Identifiers) -> str:
    """Digits of a member card, from keyed, scanned or swiped (track 1 or 2) text.

    Ranges are tried in the programme's order; a range's `strip_prefix` may be there or not. IdentifierError
    `bank_card` for what looks like one and is in no member range, `card_check_digit` when a range would take it but
    for a digit, else `card_unknown_range` or `card_invalid`.
    """
    stripped = _checked_text(text)
    number = _number_of_track(stripped)
    wrong_digit = False
    for card_range, digits in _readings(number, identifiers.cards):
        if not digits.startswith(card_range.prefix) or len(digits) not in card_range.lengths:
            continue
        if _check_holds(card_range.check, digits):
            return digits
        wrong_digit = True
    if _looks_like_bank_card(number) and not is_trade_number(stripped):
        raise IdentifierError("expected a member card, not a bank card; it was not kept", code="bank_card")
    digits = number.translate(_SEPARATORS)
    if not is_digits(digits):
        raise IdentifierError("expected a card number of digits, not other text", code="card_invalid")
    if wrong_digit:
        raise IdentifierError("expected a right check digit: the card was misread or miskeyed", code="card_check_digit")
    wanted = _described(identifiers.cards)
    raise IdentifierError(
        f"expected a card of the programme ({wanted}), not another number of {len(digits)} digits",
        code="card_unknown_range",
    )


def is_trade_number(text: str) -> bool:
    """Whether digits are goods' by their length and check digit, and no bank card's.

    One EAN-13 in ten has the check digit of a bank card as well, and no bank issues cards of 13 digits any more. Of 14
    digits there are some.
    """
    return is_gtin(text) and not (len(text) == GTIN14_LENGTH and text.startswith(_CARDS_OF_14))


def is_rotating_only(card: str, identifiers: Identifiers) -> bool:
    """Whether the first range that takes these digits takes them from a code that changes by the clock only."""
    for each in identifiers.cards:
        if card.startswith(each.prefix) and len(card) in each.lengths and _check_holds(each.check, card):
            return each.rotating_only
    return False


def classify(text: str, identifiers: Identifiers) -> Identifier:
    """Whichever of a card and a phone the text is.

    IdentifierError: `identifier_ambiguous` when it could be both (ask the cashier which), `bank_card`,
    `card_check_digit`, or `identifier_unknown` when it is neither.
    """
    try:
        card, card_code = parse_card(text, identifiers), ""
    except IdentifierError as error:
        card, card_code = "", error.code
    # A plus is never part of a card number, and what looks like a bank card is not tried as anything else.
    phone = "" if card_code == "bank_card" else _phone_or_nothing(text, identifiers)
    if card and phone:
        raise IdentifierError(
            "expected a text that is either a card or a phone, not one that could be both", code="identifier_ambiguous"
        )
    if card:
        return Identifier("card", card)
    if phone:
        return Identifier("phone", phone)
    if card_code == "bank_card":
        raise IdentifierError("expected a member card or a phone, not a bank card; it was not kept", code=card_code)
    if card_code == "card_check_digit":
        raise IdentifierError("expected a right check digit: the card was misread or miskeyed", code=card_code)
    if card_code in {"identifier_empty", "identifier_too_long"}:
        _checked_text(text)
    raise IdentifierError("expected a member card or a phone number, not this text", code="identifier_unknown")


def _described(ranges: Sequence[CardRange]) -> str:
    """The ranges in words, for who has to find out why a card is not taken."""
    told = [
        f"{' or '.join(str(length) for length in each.lengths)} digits"
        + (f" that begin with {each.prefix}" if each.prefix else "")
        for each in ranges[:RANGES_TOLD]
    ]
    more = len(ranges) - RANGES_TOLD
    return ", or ".join(told) + (f", or {more} more" if more > 0 else "") if told else "it has none"


def _checked_text(text: str) -> str:
    stripped = text.strip()
    if not stripped:
        raise IdentifierError("expected a card or phone number, not nothing", code="identifier_empty")
    if len(stripped) > TEXT_LIMIT:
        raise IdentifierError(
            f"expected a card or phone number, not {len(stripped)} characters", code="identifier_too_long"
        )
    return stripped


def _number_of_track(text: str) -> str:
    """The card number of a magnetic track (`;number=...?`, `%Bnumber^...`); other text as it is."""
    if text.startswith(";"):
        return text[1:].split("=", 1)[0].rstrip("?")
    if text.startswith("%") and "^" in text:
        return text[2:].split("^", 1)[0]
    return text


def _readings(number: str, ranges: Sequence[CardRange]) -> Iterator[tuple[CardRange, str]]:
    """Each range with the digits it would see: without its prefix first, then as they are."""
    whole = number.translate(_SEPARATORS)
    for card_range in ranges:
        stripped = card_range.strip_prefix
        if stripped and number.startswith(stripped):
            rest = number.removeprefix(stripped).translate(_SEPARATORS)
            if is_digits(rest):
                yield card_range, rest
        if is_digits(whole):
            yield card_range, whole


def _looks_like_bank_card(number: str) -> bool:
    """13 to 19 digits with a Luhn check, whatever stands between them; letters or a plus make it something else."""
    if any(character.isalpha() or character == "+" for character in number):
        return False
    digits = "".join(character for character in number if is_digits(character))
    return len(digits) in BANK_CARD_LENGTHS and is_luhn(digits)


def _check_holds(check: Literal["none", "ean13", "luhn"], digits: str) -> bool:
    if check == "ean13":
        return is_ean13(digits)
    return check == "none" or is_luhn(digits)


def _phone_or_nothing(text: str, identifiers: Identifiers) -> str:
    if len(text) > LONGEST_PHONE_DIGITS and sum(map(str.isdigit, text)) > LONGEST_PHONE_DIGITS and "+" not in text:
        return ""
    digits = text.strip()
    if is_digits(digits) and not [each for each in identifiers.phone_countries if may_be_phone(digits, each)]:
        return ""
    try:
        return normalise_phone(text, identifiers.phone_countries)
    except IdentifierError:
        return ""

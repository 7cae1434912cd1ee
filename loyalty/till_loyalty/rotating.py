"""Codes that change by the clock (TOTP, RFC 6238): a member's card number, when the code was made, and its proof.

Google Wallet makes them on the phone, without a line, from a key in the member's wallet object. The key of a card is
derived from a secret of the chain, so that whoever has the secret checks the code of any card and keeps no list.
"""

import hashlib
import hmac
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from msgspec import Struct

from till_loyalty.programme import RotatingCode

CARD, SECONDS, MILLIS, VALUE = "{card}", "{totp_timestamp_seconds}", "{totp_timestamp_millis}", "{totp_value_0}"
"""The first is ours: the card's number stands there in the member's object. Google fills in the others."""

TEXT_LIMIT = 300
"""A pattern has 100 characters at most, and what stands for its placeholders 54."""
KEY_BYTES = 20
"""As long as the SHA-1 of RFC 6238."""

_PLACEHOLDER = re.compile(r"\{[^{}]*\}")
_MOST_MILLIS = 14
_SHAPES = {
    CARD: "(?P<card>[0-9]{4,32})",
    SECONDS: "(?P<seconds>[0-9]{9,11})",
    MILLIS: f"(?P<millis>[0-9]{{12,{_MOST_MILLIS}}})",
}


class Shown(Struct, frozen=True):
    """What a code says; nothing of it is proved. `at_ms`: when the phone made it, by its clock (UTC milliseconds)."""

    card: str
    at_ms: int
    value: str

    def __repr__(self) -> str:
        """Without the card and the proof: reprs end up in logs."""
        return f"Shown(at_ms={self.at_ms})"


def read(text: str, rules: RotatingCode) -> Shown | None:
    """What a text of the programme's pattern says; None for any other text."""
    if len(text) > TEXT_LIMIT:
        return None
    found = _shape(rules.pattern, rules.digits).fullmatch(text)
    if found is None:
        return None
    parts = found.groupdict()
    millis = parts.get("millis") or ""
    at_ms = int(millis) if millis else int(parts.get("seconds") or 0) * 1000
    return Shown(card=found["card"], at_ms=at_ms, value=found["value"])


def proved(shown: Shown, secrets: Sequence[bytes], rules: RotatingCode) -> int | None:
    """The second at which the shown code's period began, if the key of its card made it; None if no key did.

    `secrets` are the chain's; a code by any of them is good. Every one is compared, in constant time.
    """
    step = shown.at_ms // (rules.period_seconds * 1000)
    good = False
    for secret in secrets:
        value = totp(card_key(secret, shown.card), step, rules.digits)
        good = hmac.compare_digest(value, shown.value) or good
    return step * rules.period_seconds if good else None


def is_fresh(began_s: int, now_ms: int, rules: RotatingCode) -> bool:
    """Whether a code of the period that began then may be shown now: the clocks of the phone and the cloud may differ
    by the window, either way."""
    window_ms = rules.window_seconds * 1000
    first_ms, last_ms = began_s * 1000 - window_ms, (began_s + rules.period_seconds) * 1000 + window_ms
    return first_ms <= now_ms < last_ms


def card_key(secret: bytes, card: str) -> bytes:
    """The key of one card: what its wallet object holds, and nothing of the secret can be worked out from."""
    return hmac.new(secret, f"tillside rotating 1:{card}".encode(), hashlib.sha256).digest()[:KEY_BYTES]


def totp(key: bytes, step: int, digits: int) -> str:
    """The value of a time step: HMAC-SHA-1 and its truncation (RFC 4226, RFC 6238), `digits` decimal digits."""
    digest = hmac.new(key, step.to_bytes(8, "big"), hashlib.sha1).digest()
    offset = digest[-1] & 0x0F
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFFFFFF
    return f"{number % 10**digits:0{digits}d}"


def pattern_problems(pattern: str) -> Iterator[str]:
    """What keeps codes of a pattern from being read without doubt."""
    placeholders = _PLACEHOLDER.findall(pattern)
    unknown = [each for each in placeholders if each not in (CARD, SECONDS, MILLIS, VALUE)]
    if unknown:
        yield f"expected only {CARD}, {SECONDS} or {MILLIS}, and {VALUE}, not {unknown[0]}"
    for each in (CARD, VALUE):
        if placeholders.count(each) != 1:
            yield f"expected {each} once"
    if placeholders.count(SECONDS) + placeholders.count(MILLIS) != 1:
        yield f"expected {SECONDS} or {MILLIS} once: by it a code of yesterday is known"
    between = _PLACEHOLDER.split(pattern)
    if any("{" in each or "}" in each for each in between):
        yield "expected braces around placeholders only"
    if any(not each or each[0].isdigit() or each[-1].isdigit() for each in between[1:-1]):
        yield "expected between two placeholders at least one character, and no digit beside them"
    if between[0][-1:].isdigit() or between[-1][:1].isdigit():
        yield "expected no digit right before or after a placeholder"


@lru_cache(maxsize=8)
def _shape(pattern: str, digits: int) -> re.Pattern[str]:
    shapes = _SHAPES | {VALUE: f"(?P<value>[0-9]{{{digits}}})"}
    kept = re.split(f"({_PLACEHOLDER.pattern})", pattern)
    return re.compile("".join([shapes.get(each) or re.escape(each) for each in kept]))

"""Makes texts safe to send: secrets that this till knows of, and what looks like one, are struck out. Pure.

The first line of defence is the list of what may go out (`allowed`); this is the second.
"""

import base64
import re
from collections.abc import Iterable
from urllib.parse import quote

from till_agent.logs import redact
from till_installer.support.vocabulary import spoken

LEAST_SECRET = 6
"""Shorter values are words such as `pos`; to strike those out would leave nothing to read."""
STRUCK = "[secret]"
TEXT_LIMIT = 600

_URL_PASSWORD = re.compile(r"([a-z][a-z0-9+.-]{1,15}://)[^/\s@\"']{1,200}@", re.IGNORECASE)
_QUERY = re.compile(r"([a-z][a-z0-9+.-]{1,15}://[^\s?\"']{1,500})\?[^\s\"']{1,2000}", re.IGNORECASE)
_NAMED = re.compile(
    r"(?i)([\"']?\b[\w-]*(?:pass(?:word|wd)?|secret|api[_-]?key|apikey|token|pin|key|authorization|code)[\"']?\s*[=:]\s*)"
    r"(\"[^\"]*\"|'[^']*'|[^\s,;}\]]+)"
)
_MAIL = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+", re.UNICODE)
_TAG = re.compile(r"\b(card|phone|voucher|member)(:)[0-9a-f]{8,64}\b")
_MEMBER = re.compile(r"\bm-[A-Za-z0-9._-]{2,64}")
_LONG_HEX = re.compile(r"\b[0-9a-fA-F]{24,}\b")
_HASH = re.compile(r"[0-9a-f]{16}")
_LONG_TOKEN = re.compile(
    r"(?<![\w/.-])(?=[A-Za-z0-9_+/-]*\d)(?=[A-Za-z0-9_+/-]*[A-Za-z])[A-Za-z0-9_+/-]{32,}={0,2}(?![\w/.-])"
)
_ENROLMENT = re.compile(r"\b(?:[A-Z0-9]{4,6}-){2,7}[A-Z0-9]{4,6}\b")


def forms_of(secret: str) -> set[str]:
    """A secret in every form that a program would write it in by habit."""
    raw = secret.encode()
    forms = {secret, raw.hex(), raw.hex().upper(), quote(secret, safe=""), secret[::-1]}
    for shift in range(3):
        # Within a longer text base64 begins at any of three places; what is left is sure to be of the secret alone.
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            text = encode(b"\0" * shift + raw).decode().rstrip("=")
            forms.add(text[(0, 2, 3)[shift] : len(text) - 1])
    return {form for form in forms if len(form) >= LEAST_SECRET}


class Cleaner:
    """Strikes out the secrets that it was given, in all their forms, and whatever looks like one.

    `names`: of till, store and devices, which may be anything and do go out.
    """

    def __init__(self, secrets: Iterable[str], names: Iterable[str] = ()) -> None:
        self._names = frozenset(names)
        forms: set[str] = set()
        for each in secrets:
            if len(each) >= LEAST_SECRET:
                forms |= forms_of(each)
        # The longest first: one may be the beginning of another.
        ordered = sorted(forms, key=lambda form: (-len(form), form))
        self._known = re.compile("|".join(map(re.escape, ordered))) if ordered else None

    def text(self, text: str) -> str:
        """One line or a few; control characters are shown, not obeyed."""
        if self._known is not None:
            text = self._known.sub(STRUCK, text)
        text = _URL_PASSWORD.sub(rf"\1{STRUCK}@", text)
        text = _QUERY.sub(rf"\1?{STRUCK}", text)
        text = _NAMED.sub(rf"\1{STRUCK}", text)
        text = _MAIL.sub("[mail]", text)
        text = _TAG.sub(r"\1\2[tag]", text)
        text = _MEMBER.sub("m-[member]", text)
        text = _ENROLMENT.sub(STRUCK, text)
        text = _LONG_HEX.sub("[hex]", text)
        text = _LONG_TOKEN.sub(STRUCK, text)
        text = redact(text)
        return "".join(letter if letter.isprintable() or letter == "\n" else "·" for letter in text)

    def is_code(self, text: str) -> bool:
        """Whether it is a name that this till goes by (`names`), or a word of our own programs."""
        return text in self._names or spoken(self.text(text)) == text

    def is_hash(self, text: str) -> bool:
        """Whether it is the beginning of a hash as we show them, and none of the secrets."""
        return bool(_HASH.fullmatch(text)) and (self._known is None or not self._known.search(text))

    def free(self, text: str) -> str:
        """Of a sentence only words of our own programs, of a bounded length. Cleaned first: a secret that is cut in two
        is known by neither half."""
        cleaned = spoken(self.text(text))
        return cleaned if len(cleaned) <= TEXT_LIMIT else cleaned[:TEXT_LIMIT] + "..."

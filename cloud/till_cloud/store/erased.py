"""Marks of identifiers whose members were erased: they say that there was somebody, and not who."""

import hashlib
import hmac

MARK = "erased:"
"""Before the keyed mark of an identifier; no till ever makes such a tag by itself."""
MARK_DIGITS = 32


def mark_of(key: bytes, tag: str) -> str:
    """What is kept of an erased member's identifier: without the chain's key nobody knows whose it was."""
    return MARK + hmac.new(key, f"{MARK}{tag}".encode(), hashlib.sha256).hexdigest()[:MARK_DIGITS]

"""Wallet codes: signed ones for the chain's app, and what goes into Google's wallet objects. Decision: 0021."""

import secrets
import sqlite3

from till_cloud.exceptions import AdminError
from till_cloud.registry import Registry
from till_cloud.showing import member
from till_cloud.store import meta
from till_cloud.store import wallet as rows
from till_loyalty import rotating
from till_loyalty.exceptions import IdentifierError
from till_loyalty.identifiers import parse_card
from till_sync import wallet
from till_sync.keys import public_of
from till_sync.wallet import Token

LONGEST_HOURS = 24 * 31
"""A picture of a code is good for as long as the code, until it is used: an app makes short ones."""
HOUR_S = 3_600
KEYS_KEPT = 2
"""The newest secret and the one before: wallet objects are renewed one by one."""


def token(connection: sqlite3.Connection, reference: str, *, hours: int, now_ms: int) -> tuple[Token, str]:
    """A new code of a member (member id or tag), good for so many hours, and its text; earlier ones stay good until
    one after them is used. AdminError: no such member, or one who is blocked."""
    if not 1 <= hours <= LONGEST_HOURS:
        raise AdminError(f"expected 1 to {LONGEST_HOURS} hours, not {hours}")
    who = member(connection, reference=reference)
    if who.status not in ("active", "provisional"):
        raise AdminError(f"expected a member who may show a code, not a {who.status} one")
    key, now_s = meta.voucher_key(connection), now_ms // 1000
    made = Token(
        chain=wallet.chain_mark(meta.identifier_key(connection)),
        key=wallet.key_mark(public_of(key)),
        member_id=who.member_id,
        expires_at_s=now_s + hours * HOUR_S,
        counter=rows.count(connection, who.member_id, now_s),
    )
    return made, wallet.encode(made, key)


def google(connection: sqlite3.Connection, card: str) -> dict[str, object]:
    """`rotatingBarcode` of a Google Wallet object for a member's card. AdminError: no member has this card, or the
    active programme has no codes that change."""
    active = Registry().active(connection)
    rules = None if active is None else active.programme.identifiers.rotating
    if active is None or rules is None:
        raise AdminError("expected an active programme with [identifiers.rotating]")
    member(connection, card=card)
    try:
        digits = parse_card(card, active.programme.identifiers)
    except IdentifierError as error:
        raise AdminError(str(error)) from error
    secret = bytes.fromhex(meta.wallet_keys(connection)[0])
    return {
        "type": "QR_CODE",
        "renderEncoding": "UTF_8",
        "valuePattern": rules.pattern.replace(rotating.CARD, digits),
        "alternateText": "",
        "totpDetails": {
            "periodMillis": str(rules.period_seconds * 1000),
            "algorithm": "TOTP_SHA1",
            "parameters": [{"key": rotating.card_key(secret, digits).hex().upper(), "valueLength": rules.digits}],
        },
    }


def new_key(connection: sqlite3.Connection) -> int:
    """A new secret for codes that change, after a till was stolen; codes by the one before stay good until the next.
    How many are good."""
    kept = (secrets.token_hex(meta.WALLET_KEY_BYTES), *meta.wallet_keys(connection))[:KEYS_KEPT]
    meta.set_wallet_keys(connection, kept)
    return len(kept)


def drop_former_keys(connection: sqlite3.Connection) -> None:
    """Codes by former secrets are good no more."""
    meta.set_wallet_keys(connection, meta.wallet_keys(connection)[:1])

"""A till that members show wallet codes to."""

from collections.abc import Callable, Coroutine
from typing import Any

from msgspec.structs import replace

from fakes.till import ANNA_CARD, CLOUD_PRIVATE_KEY, KEY, PROGRAMME, FakeTill, anna, receipt
from till_agent.api import Identify, QuoteRequest, SaleRequest
from till_agent.exceptions import DeskProblem
from till_loyalty import rotating
from till_loyalty.programme import CardRange, Programme, RotatingCode
from till_sync import wallet
from till_sync.keys import public_of
from till_sync.ops import SaleBody, decode_body
from till_sync.wallet import Token
from till_sync.wallet_use import WalletUse
from till_sync.wire import MemberFacts

Call = Coroutine[Any, Any, Any]

SECRET = "5a" * 32
RULES = RotatingCode()
ROTATING = replace(PROGRAMME, identifiers=replace(PROGRAMME.identifiers, rotating=RULES))


def rotating_only() -> Programme:
    """A programme whose cards are taken from phones only."""
    cards = (CardRange(prefix="29", lengths=(13,), check="ean13", rotating_only=True),)
    return replace(ROTATING, identifiers=replace(ROTATING.identifiers, cards=cards))


def token_of(till: FakeTill, counter: int = 10, *, private: str = CLOUD_PRIVATE_KEY, **changes: Any) -> str:
    """A code of Anna's, good for an hour by that till's clock."""
    fields: dict[str, Any] = {
        "chain": wallet.chain_mark(KEY),
        "key": wallet.key_mark(public_of(private)),
        "member_id": "m-anna",
        "expires_at_s": till.clock.wall // 1000 + 3600,
        "counter": counter,
    }
    return wallet.encode(Token(**(fields | changes)), private)


def phone_of(till: FakeTill, card: str = ANNA_CARD, *, late_s: int = 0, secret: str = SECRET) -> str:
    """The code of a card by that till's clock."""
    at_s = till.clock.wall // 1000 - late_s
    value = rotating.totp(rotating.card_key(bytes.fromhex(secret), card), at_s // 30, 8)
    return f"{card}-{at_s}-{value}"


class WalletTill(FakeTill):
    """Knows Anna, and the chain's keys."""

    def __init__(self, programme: Programme = ROTATING) -> None:
        super().__init__(programme=programme)
        self.wallet_keys = (SECRET,)
        self.know(anna())

    def token(self, counter: int = 10, **changes: Any) -> str:
        """A code of Anna's that the cloud signed now."""
        return token_of(self, counter, **changes)

    def phone(self, card: str = ANNA_CARD, *, late_s: int = 0, secret: str = SECRET) -> str:
        """What a phone shows now, or showed some seconds ago."""
        return phone_of(self, card, late_s=late_s, secret=secret)

    def identify(self, text: str) -> str:
        """The reference, or the code of the problem."""
        try:
            return self.run(self.desk.identify(Identify(scan=text))).reference
        except DeskProblem as exc:
            return exc.code

    def quote(self, text: str) -> str:
        """Whose it would be, or the code of the problem."""
        try:
            quote = self.run(self.desk.quote(QuoteRequest(receipt=receipt(10_000), member=Identify(code=text))))
        except DeskProblem as exc:
            return exc.code
        return quote.member.reference if quote.member else ""

    def sell(self, text: str, uid: str = "s1") -> str:
        """The op of the sale, or the code of the problem. A text that is a reference goes as one."""
        who = Identify(reference=text) if text.startswith(("m-", "card:")) else Identify(scan=text)
        try:
            answered = self.run(self.desk.sell(uid, SaleRequest(receipt=receipt(10_000), member=who)))
        except DeskProblem as exc:
            return exc.code
        return f"sold again {uid}" if answered.replayed else f"sold {uid}"

    def used(self) -> list[WalletUse]:
        """What the sales' ops say that they used."""
        bodies = [decode_body(row.body) for row in self.journal.entries if row.kind == "sale"]
        return [body.wallet for body in bodies if isinstance(body, SaleBody)]

    def hear(self, token: int = 0, rotating: int = 0) -> None:
        """A page tells what sales of other tills used."""
        facts = MemberFacts(wallet=WalletUse(token=token, rotating=rotating))
        self.know(anna(facts=facts), included=(1, len(self.journal.entries)))

    def later(self, seconds: int) -> None:
        """Time goes by."""
        self.clock.wall += seconds * 1000
        self.clock.mono += seconds * 1000


def provoked(till: FakeTill, text: str, programme: Programme = ROTATING) -> Call:
    """Identify by that text, at a till that has the chain's secret."""
    till.cache.sell_by(programme)
    till.wallet_keys = (SECRET,)
    return till.desk.identify(Identify(scan=text))


def wallet_used(till: FakeTill) -> Call:
    till.know(anna(facts=MemberFacts(wallet=WalletUse(token=10))))
    return provoked(till, token_of(till, 10))


PROVOKERS: dict[str, Callable[[FakeTill], Call]] = {
    "wallet_invalid": lambda till: provoked(till, phone_of(till, secret="6b" * 32)),
    "wallet_other_chain": lambda till: provoked(till, token_of(till, chain=wallet.chain_mark(b"q" * 32))),
    "wallet_key_unknown": lambda till: provoked(till, token_of(till, private="08" * 32)),
    "wallet_expired": lambda till: provoked(till, token_of(till, expires_at_s=1)),
    "wallet_stale": lambda till: provoked(till, phone_of(till, late_s=600)),
    "wallet_static": lambda till: provoked(till, ANNA_CARD, rotating_only()),
    "wallet_used": wallet_used,
}
"""How cash software makes each problem of wallet codes happen."""

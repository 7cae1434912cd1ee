"""Cash software that keeps its own book: what it tried to sell, and the very bytes that it was answered."""

import random

import httpx

from kit.bridge import Body, receipt
from kit.chain import ANNA, CLARA, DINA, STRANGER_CARD
from kit.proof import DoubledError, LostError
from kit.world import Till

BUYERS = ({"card": ANNA.card}, {"phone": CLARA.phone}, {"card": DINA.card}, {"card": STRANGER_CARD}, None)


class Cashier:
    """Sells at one till. Sends the same uid and body again for as long as it has no answer, as cash software does."""

    def __init__(self, till: Till, rng: random.Random) -> None:
        self.till = till
        self.rng = rng
        self.tried: dict[str, Body] = {}
        self.answers: dict[str, bytes] = {}

    def ring_up(self) -> str:
        """A new receipt, as far as the quote; its uid."""
        uid = f"{self.till.name}-{len(self.tried) + 1}"
        amounts = [self.rng.randint(1, 50_000) for _ in range(self.rng.randint(1, 5))]
        buyer = self.rng.choice(BUYERS)
        body = receipt(*amounts, **({} if buyer is None else {"member": buyer}))
        self.till.pos.quote(body)
        self.tried[uid] = body
        return uid

    def send(self, uid: str) -> httpx.Response | None:
        """Try to sell; None when the connection broke before the whole answer was there."""
        try:
            answer = self.till.pos.send("PUT", f"/v1/sales/{uid}", self.tried[uid])
        except httpx.TransportError:
            return None
        assert answer.status_code == 200, answer.text
        first = self.answers.setdefault(uid, answer.content)
        if answer.content != first:
            raise DoubledError(f"{uid} was answered {first!r}, and then {answer.content!r}")
        return answer

    def make_sure(self, uid: str) -> bool:
        """Sell it again until there is an answer; whether the till knew of it. LostError for one that it forgot."""
        acknowledged = uid in self.answers
        answer = self.send(uid)
        assert answer is not None, "the agent is up, and does not answer"
        known = "idempotent-replay" in answer.headers
        if acknowledged and not known:
            raise LostError(f"{uid} was acknowledged, and the till sold it anew")
        return known

    def sell(self, count: int = 1) -> None:
        """Sales that must be answered."""
        for _ in range(count):
            assert self.send(self.ring_up()) is not None

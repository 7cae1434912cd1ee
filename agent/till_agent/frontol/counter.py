"""What all calls share: the agent, the receipts under way, words, and who a client is."""

import re

from msgspec import Struct

from till_agent.api import Identify, Message
from till_agent.exceptions import DeskProblem
from till_agent.frontol.answers import Body, windows
from till_agent.frontol.drafts import Draft, Drafts
from till_agent.frontol.exceptions import Refused
from till_agent.frontol.ports import FrontolAgent, FrontolDesk
from till_agent.frontol.shapes import Who
from till_agent.texts import Words
from till_loyalty.programme import Programme

DEFAULT_EXPONENT = 2
"""Digits of money before a programme says so; every currency of the product has two."""
PIN = re.compile(r"[0-9]{4,8}")


class Counter(Struct, frozen=True, kw_only=True):
    """`prints`: Frontol is given slips to print (`slips.print`). `life_ms`: of a draft."""

    agent: FrontolAgent
    drafts: Drafts
    life_ms: int
    prints: bool = True

    @property
    def desk(self) -> FrontolDesk:
        """DeskProblem before the enrolment."""
        return self.agent.core.desk

    def now_ms(self) -> int:
        """For the life of drafts."""
        return self.agent.clock.mono_ms()

    def words(self, programme: Programme | None) -> Words:
        """In the till's language."""
        return Words(self.agent.language, programme) if programme is not None else Words(self.agent.language)

    def named(self, who: Who, draft: Draft | None) -> Identify | None:
        """Who buys, as it was told. A wallet code or voucher may be over by now: within a receipt it is known as it was
        answered."""
        if draft is not None and draft.reference and draft.who.same(who):
            return Identify(reference=draft.reference)
        return whose(who)

    async def member(self, who: Who, draft: Draft | None) -> Identify | None:
        """The same as the desk can take it; may ask the cloud, so it is not for a sale."""
        asked = self.named(who, draft)
        if asked is None or asked.code is None:
            return asked
        try:
            await self.desk.identify(asked)
        except DeskProblem as exc:
            if exc.code != "identifier_ambiguous":
                raise
            # It may be a phone too; but Frontol was given it as a card.
            return Identify(card=who.card)
        return asked

    def sentence(self, code: str, status: int = 422, **numbers: int | str) -> str:
        """What the cashier is told about a problem."""
        return self.agent.cashier(code, status, numbers)

    def refusal(self, code: str, status: int = 422) -> Refused:
        """A business error whose sentence is a problem's."""
        return Refused(code, self.sentence(code, status))


def exponent_of(programme: Programme | None) -> int:
    """Digits of money after the point."""
    return programme.currency_exponent if programme is not None else DEFAULT_EXPONENT


def whose(who: Who) -> Identify | None:
    """How the desk is asked for a client; a card is what was scanned, whatever it turns out to be."""
    if who.phone:
        return Identify(phone=who.phone)
    return Identify(code=who.card) if who.card else None


def new_windows(messages: tuple[Message, ...], told: frozenset[str]) -> tuple[list[Body], frozenset[str]]:
    """What was not told about this receipt yet, and all that is told now: a window for each recalculation would teach
    cashiers to close windows unread."""
    fresh = [each for each in messages if each.text not in told]
    shown = windows(fresh)
    return shown, told | {each["text"] for each in shown}

"""What every call of the desk works with: the till's identity, the finder, balances, words, and the journal."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from till_agent.desk.allowing import Allowing
from till_agent.desk.aside import aside
from till_agent.desk.balances import Balances, Figures
from till_agent.desk.clock import store_clock
from till_agent.desk.cloud_time import CloudTime
from till_agent.desk.coupons import CouponDesk
from till_agent.desk.digests import Digests
from till_agent.desk.finding import Finder
from till_agent.desk.found import Found
from till_agent.desk.knowing import Knowing, Known
from till_agent.desk.meeting import Meeting
from till_agent.desk.parts import DeskParts, StoreIdentity
from till_agent.desk.problems import problem
from till_agent.desk.slow_tags import SlowTags
from till_agent.desk.views import View
from till_agent.desk.wallets import Wallets
from till_agent.exceptions import DeskProblem, JournalUnavailable
from till_agent.journal.exceptions import HoldNotOpen, UidForgotten
from till_agent.ports import CachedProgramme, Committed, Draft, Entry, JournalReader, PendingFacts
from till_agent.slips.compose import member_language
from till_agent.texts import Words, local_datetime, supported
from till_loyalty.programme import Identifiers, Programme
from till_sync.ops import SaleBody, decode_body

T = TypeVar("T")

BIG_RECEIPT_LINES = 300
"""Above it the rules take more than some 5 ms; they run in a thread then, so that the next scan is not kept waiting."""
BIG_BODY_BYTES = 100_000
"""The same for reading a stored sale."""


LOST_ANSWER_MS = 10 * 60_000
"""How long after a sale its repetition may still be what the cash software does because it heard nothing."""


class Bench:
    """Shared by the desk's parts; made once the till is enrolled. Used on the loop."""

    def __init__(self, parts: DeskParts, identity: StoreIdentity) -> None:
        self.parts = parts
        self.identity = identity
        self._words: tuple[Programme | None, dict[str, Words]] = (None, {})
        time = CloudTime(parts.cache, parts.clock)
        self.wallets = Wallets(
            parts.cache,
            parts.pending,
            parts.clock,
            time,
            identifier_key=identity.identifier_key,
            cloud_key=self._cloud_key,
            secrets=parts.wallet_keys,
        )
        self.finder = Finder(
            parts.cache,
            identity.identifier_key,
            parts.registrations,
            cloud_key=self._cloud_key,
            wallets=self.wallets,
            slow=SlowTags(parts.phone_tags, parts.clock.mono_ms),
        )
        budget_ms = parts.settings.cloud_budget_ms
        self.meeting = Meeting(
            parts.cache, parts.members, budget_ms, finder=self.finder, clock=parts.clock, line=parts.gateway
        )
        self.digests = Digests(identity.identifier_key, self.finder.tags_of, self._identifiers, self.finder.names)
        self.allowing = Allowing(parts.cache, parts.pending, parts.holds, time, parts.epoch)
        self.balances = Balances(parts.cache, parts.pending, parts.holds, parts.gateway, self.today, self.allowing)
        self.coupons = CouponDesk(parts.coupons, parts.pending, parts.clock, budget_ms)
        self.knowing = Knowing(parts.cache, parts.pending, self.coupons, identity.store)

    def _cloud_key(self) -> str:
        return self.parts.cloud_key() or self.identity.cloud_key

    def _identifiers(self) -> Identifiers:
        programme = self.programme
        return programme.programme.identifiers if programme else Identifiers()

    def today(self) -> str:
        """The store's date."""
        return local_datetime(self.parts.clock.wall_ms(), self.identity.time_zone).date().isoformat()

    @property
    def offline(self) -> bool:
        """Whether the cloud is out of reach, as far as the gateway knows."""
        return not self.parts.gateway.online

    @property
    def programme(self) -> CachedProgramme | None:
        """What to sell by; None before the first pull."""
        return self.parts.cache.programme()

    def words(self, *languages: str | None, programme: Programme | None = None) -> Words:
        """Words in the first supported language, else the till's."""
        language = supported(*languages, self.parts.settings.language)
        if programme is not None:
            return Words(language, programme)
        current = self.programme
        programme = current.programme if current else None
        # Those of the programme that is sold by are kept: each call wants them, a quote twice.
        if self._words[0] is not programme:
            self._words = (programme, {})
        kept = self._words[1]
        words = kept.get(language)
        if words is None:
            words = kept[language] = Words(language, programme)
        return words

    def stranger(self, found: Found, pointer: str, language: str | None = None) -> DeskProblem:
        """Why somebody who is no member here, or whom the cloud has not told of, can't spend."""
        if found.cached is not None:
            told = self.words(language).problem("member_provisional")
            detail = "expected a member whom the cloud has told of"
            return problem("member_unknown", detail, pointer=pointer, cashier=told)
        if self.meeting.is_nobody(found):
            return problem("member_unknown", "expected a member of the chain", pointer=pointer)
        detail = "expected a member whom this till holds, or a cloud that says who it is"
        return problem("member_not_here", detail, pointer=pointer)

    async def learn_codes(self, found: Found, codes: Sequence[str]) -> None:
        """Ask the cloud about coupon codes of limited use, within the budget."""
        programme = self.programme
        rules = programme.programme if programme else None
        await self.coupons.learn(rules, found.subject.member_id, codes, online=not self.offline)

    def known(
        self, found: Found | None, figures: Figures | None, local_time: str | None, codes: Sequence[str], spendable: int
    ) -> Known:
        """What the rules are given besides the receipt; DeskProblem `local_time_invalid`."""
        programme = self.programme
        return self.knowing.gather(
            programme.programme if programme else None,
            found,
            figures.pending if figures else PendingFacts(),
            store_clock(local_time, self.parts.clock.wall_ms(), self.identity.time_zone),
            codes,
            spendable=spendable,
            offline=self.offline,
        )

    def view(self, found: Found, words: Words) -> View:
        """How `found` is to be shown now."""
        return View(
            found=found,
            words=words,
            offline=self.offline,
            has_programme=self.programme is not None,
            is_nobody=self.meeting.is_nobody(found),
            now_ms=self.parts.clock.wall_ms(),
            time_zone=self.identity.time_zone,
        )

    async def commit(self, decide: Callable[[JournalReader], Draft | Entry]) -> Committed:
        """Write or find; DeskProblem `journal_unavailable` when the disk refuses."""
        # Whoever called in the same moment is heard first. The journal's thread then takes all their sales together,
        # in one transaction, and has the processor to itself: beside calls that are worked out it gets on by a
        # statement each few milliseconds, and makes them wait as well.
        await asyncio.sleep(0)
        try:
            return await self.parts.journal.commit(decide)
        except JournalUnavailable as exc:
            raise _unavailable(exc) from exc
        except UidForgotten as exc:
            raise problem("uid_conflict", str(exc)) from exc
        except HoldNotOpen as exc:
            # It was given back while the sale waited for its turn.
            raise problem("hold_expired", str(exc), pointer="/hold") from exc

    async def read(self, query: Callable[[JournalReader], T]) -> T:
        """Ask the journal; DeskProblem `journal_unavailable` when the disk refuses."""
        try:
            return await self.parts.journal.read(query)
        except JournalUnavailable as exc:
            raise _unavailable(exc) from exc

    def print_first_slip(self, committed: Committed, asked_language: str | None) -> None:
        """Hand over the slip of a document. Also of a replay, for as long as its first answer may have been lost before
        the slip was handed over: the slip desk takes each document's first slip once."""
        if not self.parts.settings.print_slips:
            return
        age_ms = self.parts.clock.wall_ms() - committed.entry.at_wall_ms
        if committed.replayed and not 0 <= age_ms <= LOST_ANSWER_MS:
            return
        language = supported(asked_language, member_language(committed.entry), self.parts.settings.language)
        self.parts.slips.enqueue(committed.entry, language=language)


def _unavailable(exc: JournalUnavailable) -> Exception:
    return problem("journal_unavailable", str(exc))


async def work(size: int, limit: int, function: Callable[..., T], *args: Any) -> T:
    """Run `function` here, or in a thread of its own when `size` is above `limit`."""
    if size <= limit:
        return function(*args)
    return await aside(function, *args)


def sale_body(entry: Entry) -> SaleBody:
    """The body of a sale's entry."""
    body = decode_body(entry.body)
    if not isinstance(body, SaleBody):
        raise TypeError(f"expected the body of a sale, not of a {entry.kind}")
    return body

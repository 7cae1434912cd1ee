"""`/client`: who somebody is. `/extra/client`: a new member, by describe, check and execute.

The one-time code is compared by the cloud, never told to a till: it stands in the form. The first check has it sent,
and answers that it was; the next one compares it. Decision: docs/decisions/0027-frontols-priority-api.md.
"""

import hashlib

import msgspec

from till_agent.api import Identify, Member
from till_agent.desk.problems import problem
from till_agent.exceptions import DeskProblem
from till_agent.frontol.answers import Body, client_part, good, member_window, money_of, windows
from till_agent.frontol.counter import Counter, exponent_of, whose
from till_agent.frontol.exceptions import Refused
from till_agent.frontol.forms import AGAIN, PHONE, WAY, filled, form
from till_agent.frontol.shapes import ClientCall, Who
from till_agent.member_api import MemberCreate, MemberCreated
from till_loyalty.programme import Programme

UID_DIGITS = 40
DAY_MS = 86_400_000
ATTEMPTS_LIMIT = 10
"""As `MemberCreate.attempt` has it."""
ATTEMPTS_KEPT = 32
"""People who are being registered at one till at once."""
_created = msgspec.json.Decoder(MemberCreated)


class Clients:
    """Looks members up, and registers them."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        # By uid: how many codes were asked for. After a restart the cloud says that the first one is spent.
        self._attempts: dict[str, int] = {}

    async def client(self, call: ClientCall) -> Body:
        """Who it is, what they have, and what they may spend now."""
        asked = await self._counter.member(call.who, None)
        if asked is None:
            raise self._missing()
        desk = self._counter.desk
        member = await desk.identify(asked, self._counter.agent.language)
        programme = desk.programme
        words = self._counter.words(programme)
        messages = (member_window(words, member), *member.messages) if member.known else member.messages
        spendable = money_of(member.spendable_points, programme) if programme is not None else 0
        return good(
            client=client_part(call.who, spendable, exponent_of(programme)),
            cashierInformation=windows(messages, everything=True),
        )

    async def register(self, call: ClientCall) -> Body:
        """One step of a registration."""
        steps = {"describe": self._describe, "check": self._check, "execute": self._execute}
        step = steps.get(call.action)
        if step is None:
            raise self._counter.refusal("action_unknown")
        programme = self._counter.desk.programme
        if programme is None:
            raise problem("registration_unavailable", "expected a programme, which names the consent's text")
        if not programme.registration.enabled:
            raise problem("registration_disabled", "expected a programme that takes members at the till")
        if not call.who:
            raise self._missing()
        return await step(call, programme)

    async def _describe(self, call: ClientCall, programme: Programme) -> Body:
        """The form. Somebody who is a member already needs none."""
        member = await self._known(call.who)
        if member is not None and member.known and member.status in ("active", "blocked"):
            words = self._counter.words(programme)
            raise Refused("member_known", words.message("member_known").text)
        return good(
            form=form(
                programme.registration,
                self._counter.words(programme),
                ask_phone=not call.who.phone,
                ask_card=not call.who.card,
                sends_codes=self._counter.desk.sends_codes,
            )
        )

    async def _check(self, call: ClientCall, programme: Programme) -> Body:
        """Whether all is there. Sends the code when it is asked for the first time."""
        created = await self._step(call, programme, commit=False)
        if created.needs:
            raise _refused(created)
        return good()

    async def _execute(self, call: ClientCall, programme: Programme) -> Body:
        """The registration itself, durable when this is answered."""
        created = await self._step(call, programme, commit=True)
        if created.needs:
            raise _refused(created)
        self._counter.agent.committed()
        return good(
            client=client_part(call.who, None, exponent_of(programme)),
            cashierInformation=windows(created.messages, everything=True),
        )

    async def _step(self, call: ClientCall, programme: Programme, *, commit: bool) -> MemberCreated:
        uid = await self._uid(call)
        attempt = self._attempts.get(uid, 1)
        if call.values.get(WAY) == AGAIN and not commit:
            attempt = self._next(uid, attempt)
        created = await self._ask(filled(call, uid, attempt, programme.registration), commit=commit)
        state = created.confirmation.state if created.confirmation is not None else ""
        if state in ("expired", "spent") and attempt < ATTEMPTS_LIMIT and not commit:
            request = filled(call, uid, self._next(uid, attempt), programme.registration)
            created = await self._ask(msgspec.structs.replace(request, code=""), commit=commit)
        return created

    async def _ask(self, request: MemberCreate, *, commit: bool) -> MemberCreated:
        try:
            answered = await self._counter.desk.register(request, commit=commit)
        except DeskProblem as exc:
            if exc.code != "uid_conflict":
                raise
            # Registered today already, with a name spelt otherwise perhaps: a member is a member.
            words = self._counter.words(self._counter.desk.programme)
            raise Refused("member_known", words.message("member_known").text) from exc
        return _created.decode(answered.body)

    async def _uid(self, call: ClientCall) -> str:
        """The same for all steps of a person's registration on one day, also after a restart of the agent; nobody can
        tell the phone from it."""
        phone = call.who.phone or call.values.get(PHONE, "")
        if not phone:
            return f"fr-{'0' * UID_DIGITS}"  # what is asked for is the phone, and nothing is kept
        member = await self._counter.desk.identify(Identify(phone=phone))
        day = self._counter.agent.clock.wall_ms() // DAY_MS
        digest = hashlib.sha256(f"{day}\n{self._name(member)}".encode()).hexdigest()
        return f"fr-{digest[:UID_DIGITS]}"

    @staticmethod
    def _name(member: Member) -> str:
        return member.reference

    def _next(self, uid: str, attempt: int) -> int:
        self._attempts.pop(uid, None)
        self._attempts[uid] = min(attempt + 1, ATTEMPTS_LIMIT)
        while len(self._attempts) > ATTEMPTS_KEPT:
            del self._attempts[next(iter(self._attempts))]
        return self._attempts[uid]

    async def _known(self, who: Who) -> Member | None:
        asked = whose(who)
        return await self._counter.desk.identify(asked) if asked is not None else None

    def _missing(self) -> Refused:
        words = self._counter.words(self._counter.desk.programme)
        return Refused("client_missing", words.frontol("client_missing"))


def _refused(created: MemberCreated) -> Refused:
    """What is still needed, as a business error: the cashier fills it in and goes on."""
    told = created.messages[-1] if created.messages else None
    code = told.code if told is not None else f"{created.needs[0]}_needed"
    return Refused({"code_too_many": "too_many_codes"}.get(code, code), told.text if told is not None else "")

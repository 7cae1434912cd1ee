"""Becoming a member at the till: what is still needed, then one durable op; and cards given to members.

With no line, or where no code is sent, the member is provisional: earns at once, spends once the phone is proven.
Numbers live for the length of a call: the journal gets tags and masked forms.
"""

import datetime as dt
from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from till_agent.api import Identify, Message
from till_agent.desk.answers import Answered, encode
from till_agent.desk.bench import Bench
from till_agent.desk.clock import store_clock
from till_agent.desk.codes import NOT_SENT, Asked, Codes, code_message
from till_agent.desk.digests import RequestDigest
from till_agent.desk.found import Found
from till_agent.desk.problems import problem
from till_agent.exceptions import CloudUnreachable, CodeRefused
from till_agent.member_api import CardAttach, CardAttached, CodeState, ConsentText, MemberCreate, MemberCreated
from till_agent.ports import Committed, Draft, Entry, JournalReader
from till_agent.registrations import Registrations
from till_agent.texts import Words
from till_loyalty.identifiers import mask_card, mask_name, mask_phone
from till_loyalty.programme import Programme
from till_sync.ops import AttachCardBody, RegisterBody, Subject, encode_body
from till_sync.sealing import SealedPerson, seal

REGISTER = "register"
ATTACH = "attach-card"
OLDEST_BIRTH = "1900-01-01"
NEED_MESSAGES = frozenset({"phone_needed", "consent_needed", "code_too_many"})
"""What is said of what is needed, and of a code that was not sent."""
STEP_FIELDS = {"code": "", "attempt": 1, "without_code": False, "language": None}
"""Of a request, but not of what is registered: they differ from step to step."""


class _Person(Struct, frozen=True, kw_only=True):
    """The numbers of a request, checked; `phone` is in clear and goes no further than the code's request."""

    tag: str
    phone: str
    card_tag: str
    card_masked: str


class _Proof(Struct, frozen=True, kw_only=True):
    """`confirmation`: the phone is proven. `needed`: the cashier has to do something first."""

    confirmation: str = ""
    needed: CodeState | None = None
    messages: tuple[Message, ...] = ()


class Registering:
    """Registers members and attaches cards."""

    def __init__(self, bench: Bench, codes: Codes) -> None:
        self._bench = bench
        self._codes = codes

    async def register(self, request: MemberCreate, *, commit: bool = True) -> Answered:
        """One step of a registration; the op is durable when the answer says `registered`. The same request again gets
        the same answer. `commit` False stops before that: `needs` of nothing is what could be registered. DeskProblem
        uid_conflict, registration_disabled, card_taken, code_unchecked and others."""
        bench = self._bench
        await bench.finder.learn(Identify(phone=request.phone))
        digest = bench.digests.registration(REGISTER, replace(request, **STEP_FIELDS))
        earlier = await bench.read(lambda reader: reader.find(REGISTER, request.uid))
        if earlier is not None:
            return Answered(body=digest.same(earlier).answer, replayed=True)
        programme = self._programme()
        words = bench.words(request.language)
        self._check_birth_date(request.birth_date)
        needs = self._needs(request, programme)
        if request.phone is None:
            return self._needed(request, programme, words, needs, _Proof())
        person = self._person(request)
        found = self._same_person(person)
        if found is not None and self._is_known(found, request, programme):
            return self._known(request, found, words)
        if needs:
            return self._needed(request, programme, words, needs, _Proof())
        proof = await self._prove(request, person, programme, words)
        if proof.needed is not None:
            return self._needed(request, programme, words, ("code",), proof)
        if not commit:
            return self._needed(request, programme, words, (), proof)
        body = self._body(request, person, programme, proof)
        answer = self._registered(body, found, words, proof)
        committed = await bench.commit(
            partial(_decide, kind=REGISTER, digest=digest, body=body, answer=answer, clock_ms=body.at_wall_ms)
        )
        return self._noted(committed)

    async def attach(self, reference: str, request: CardAttach) -> Answered:
        """Give a member a card. DeskProblem reference_unknown, card_taken, uid_conflict and those of a card number."""
        bench = self._bench
        await bench.finder.learn(Identify(reference=reference))
        digest = bench.digests.card(ATTACH, reference, replace(request, language=None))
        earlier = await bench.read(lambda reader: reader.find(ATTACH, request.uid))
        if earlier is not None:
            return Answered(body=digest.same(earlier).answer, replayed=True)
        found = bench.finder.by_reference(reference)
        tag, card = bench.finder.identifier("card", request.card, pointer="/card")
        owner = bench.finder.by_tag(tag)
        words = bench.words(request.language)
        member = bench.view(found, words).member(bench.balances.of(found))
        if owner is not None and (owner.subject.key == found.subject.key or tag in found.keys):
            answer = CardAttached(
                uid=request.uid, state="known", member=member, messages=(words.message("card_known"),)
            )
            return Answered(body=encode(answer), replayed=False)
        _check_free(owner)
        masked = mask_card(card.value)
        body = AttachCardBody(
            uid=request.uid,
            store=bench.identity.store,
            at_wall_ms=bench.parts.clock.wall_ms(),
            at_mono_ms=bench.parts.clock.mono_ms(),
            boot=bench.parts.clock.boot,
            subject=found.subject,
            card_tag=tag,
            card_masked=masked,
        )
        answer = CardAttached(
            uid=request.uid,
            state="attached",
            member=replace(member, card_masked=member.card_masked or masked),
            messages=(words.message("card_attached"),),
        )
        committed = await bench.commit(
            partial(_decide, kind=ATTACH, digest=digest, body=body, answer=answer, clock_ms=body.at_wall_ms)
        )
        return self._noted(committed)

    def _programme(self) -> Programme:
        current = self._bench.programme
        if current is None:
            raise problem("registration_unavailable", "expected a programme, which names the consent's text")
        if not current.programme.registration.enabled:
            raise problem("registration_disabled", "expected a programme that takes members at the till")
        return current.programme

    def _check_birth_date(self, text: str) -> None:
        if not text:
            return
        try:
            dt.date.fromisoformat(text)
        except ValueError:
            good = False
        else:
            good = OLDEST_BIRTH <= text <= self._bench.today()
        if not good:
            raise problem("birth_date_invalid", "expected the date of birth of a person alive", pointer="/birth_date")

    @staticmethod
    def _needs(request: MemberCreate, programme: Programme) -> tuple[str, ...]:
        given = request.consent
        agreed = given is not None and given.given and given.version == programme.registration.consent_version
        return (*(() if request.phone is not None else ("phone",)), *(() if agreed else ("consent",)))

    def _person(self, request: MemberCreate) -> _Person:
        finder = self._bench.finder
        tag, phone = finder.identifier("phone", request.phone or "", pointer="/phone")
        if request.card is None:
            return _Person(tag=tag, phone=phone.value, card_tag="", card_masked="")
        card_tag, card = finder.identifier("card", request.card, pointer="/card")
        return _Person(tag=tag, phone=phone.value, card_tag=card_tag, card_masked=mask_card(card.value))

    def _same_person(self, person: _Person) -> Found | None:
        """Who is known here by the phone; DeskProblem `card_taken` when the card is known to be somebody else's."""
        finder = self._bench.finder
        found = finder.by_tag(person.tag)
        carrier = finder.by_tag(person.card_tag) if person.card_tag else None
        mine = found is not None and carrier is not None and carrier.subject.key == found.subject.key
        if not mine and (found is None or person.card_tag not in found.keys):
            _check_free(carrier)
        return found

    def _is_known(self, found: Found, request: MemberCreate, programme: Programme) -> bool:
        """A member already, and nothing that this till can do now would make more of them."""
        row = found.cached.row if found.cached is not None else None
        if row is None:
            return False
        if row.status != "provisional":
            return True
        registered = bool(row.facts.member_since)
        provable = programme.registration.code and self._codes.online and not request.without_code
        return registered and not provable

    async def _prove(self, request: MemberCreate, person: _Person, programme: Programme, words: Words) -> _Proof:
        """The one-time code, where the programme asks for one and the cloud is there; else they are provisional."""
        unproven = _Proof(messages=(words.message("registered_unproven"),))
        if not programme.registration.code:
            return _Proof()
        if request.without_code or not self._codes.online:
            return unproven
        asked = Asked(
            purpose="register",
            uid=request.uid,
            attempt=request.attempt,
            tag=person.tag,
            phone=person.phone,
            code=request.code,
            language=request.member_language or words.language,
        )
        try:
            state = await self._codes.ask(asked)
        except CloudUnreachable as exc:
            if request.code:
                raise problem("code_unchecked", str(exc)) from exc
            return unproven
        except CodeRefused as exc:
            if exc.code not in NOT_SENT:
                return unproven
            state = CodeState(confirmation=self._codes.id_of(asked), state="not_sent")
            return _Proof(needed=state, messages=(words.message(_sentence(exc.code), level="warning"),))
        message = code_message(words, state, given=bool(request.code))
        if state.state == "confirmed":
            return _Proof(confirmation=state.confirmation, messages=(message,))
        return _Proof(needed=state, messages=(message,))

    def _body(self, request: MemberCreate, person: _Person, programme: Programme, proof: _Proof) -> RegisterBody:
        bench = self._bench
        wall_ms = bench.parts.clock.wall_ms()
        body = RegisterBody(
            uid=request.uid,
            store=bench.identity.store,
            at_wall_ms=wall_ms,
            at_mono_ms=bench.parts.clock.mono_ms(),
            boot=bench.parts.clock.boot,
            subject=Subject(tag=person.tag),
            clock=store_clock(None, wall_ms, bench.identity.time_zone),
            programme_id=programme.id,
            programme_version=programme.version,
            consent_version=programme.registration.consent_version,
            consent_wall_ms=wall_ms,
            card_tag=person.card_tag,
            phone_masked=mask_phone(person.phone),
            card_masked=person.card_masked,
            name=" ".join(request.name.split()),
            birth_date=request.birth_date,
            sex=request.sex,
            language=request.member_language or "",
            referrer=request.referrer.strip(),
            confirmation=proof.confirmation,
        )
        key = bench.parts.seal_key()
        return sealed(body, key) if key else body

    def _registered(self, body: RegisterBody, before: Found | None, words: Words, proof: _Proof) -> MemberCreated:
        """The answer, with the member as this till will show them from now on."""
        bench = self._bench
        found = bench.finder.as_registered(body, before)
        member = bench.view(found, words).member(bench.balances.of(found))
        return MemberCreated(
            uid=body.uid,
            state="registered",
            member=member,
            messages=(words.message("registered"), *proof.messages),
        )

    def _known(self, request: MemberCreate, found: Found, words: Words) -> Answered:
        bench = self._bench
        answer = MemberCreated(
            uid=request.uid,
            state="known",
            member=bench.view(found, words).member(bench.balances.of(found)),
            messages=(words.message("member_known"),),
        )
        return Answered(body=encode(answer), replayed=False)

    def _needed(
        self, request: MemberCreate, programme: Programme, words: Words, needs: tuple[str, ...], proof: _Proof
    ) -> Answered:
        said = [words.message(f"{need}_needed") for need in needs if need != "code"]
        answer = MemberCreated(
            uid=request.uid,
            state="needs",
            needs=needs,  # type: ignore[arg-type]  # only names of the answer's own list are put in here
            ask=programme.registration.ask,
            consent=_consent(programme, words.language) if "consent" in needs else None,
            confirmation=proof.needed,
            messages=(*said, *proof.messages),
        )
        return Answered(body=encode(answer), replayed=False)

    def _noted(self, committed: Committed) -> Answered:
        """Known here from now on."""
        registrations: Registrations = self._bench.parts.registrations
        registrations.load([committed.entry])
        return Answered(body=committed.entry.answer, replayed=committed.replayed)


def _decide(
    reader: JournalReader,
    *,
    kind: str,
    digest: RequestDigest,
    body: RegisterBody | AttachCardBody,
    answer: MemberCreated | CardAttached,
    clock_ms: int,
) -> Draft | Entry:
    """In the journal's turn: done before, or the row to write."""
    earlier = reader.find(kind, body.uid)
    if earlier is not None:
        return digest.same(earlier)
    return Draft(
        kind=kind,
        uid=body.uid,
        about_uid="",
        request_digest=digest.made,
        body=encode_body(body),
        answer=encode(replace(answer, op=str(reader.next_op_id))),
        subject=body.subject,
        effect_points=0,
        at_wall_ms=clock_ms,
    )


def sealed(body: RegisterBody, key: str) -> RegisterBody:
    """The same registration with its person in a box that only the cloud opens: what waits here says who nobody is."""
    person = SealedPerson(uid=body.uid, name=body.name, birth_date=body.birth_date, sex=body.sex)
    return replace(
        body,
        name="",
        birth_date="",
        sex="",
        sealed=seal(key, person),
        name_masked=mask_name(body.name),
        birthday=body.birth_date[-len("12-31") :],
    )


def _check_free(carrier: Found | None) -> None:
    """A card of somebody who registered is theirs; one that only sales knew goes to whom it is given."""
    row = carrier.cached.row if carrier is not None and carrier.cached is not None else None
    if row is not None and (row.status != "provisional" or row.facts.member_since):
        raise problem("card_taken", "expected a card that is nobody's, not another member's", pointer="/card")


def _consent(programme: Programme, language: str) -> ConsentText:
    """The text in the cashier's language, else in one that the chain has."""
    texts = programme.registration.consent
    text = texts.get(language) or texts.get("ru") or next(iter(texts.values()), "")
    return ConsentText(version=programme.registration.consent_version, text=text)


def _sentence(code: str) -> str:
    return "code_too_many" if code == "too_many_codes" else "code_not_sent"

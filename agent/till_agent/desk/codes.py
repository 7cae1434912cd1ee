"""One-time codes at the till: asked of the cloud within a budget of their own, and told to the cashier.

A confirmation's id is made from the client's uid, so nothing has to be remembered between its steps, and a repeated
request sends no second message.
"""

import hashlib
import hmac
from functools import partial
from typing import Literal

from msgspec import Struct

from till_agent.api import Identify, Message
from till_agent.desk.bench import Bench
from till_agent.desk.patience import ask
from till_agent.desk.problems import problem
from till_agent.exceptions import CloudUnreachable, CodeRefused
from till_agent.member_api import CodeAnswer, CodeRequest, CodeState
from till_agent.texts import Words
from till_sync.asking import ConfirmationAnswer, ConfirmationRequest

ID_DIGITS = 32
NOT_SENT = frozenset({"code_not_sent", "too_many_codes"})
"""Refusals about this one code, which may be tried again later; `codes_not_sent` says that the chain sends none."""

STATE_MESSAGES = frozenset({"code_sent", "code_confirmed", "code_expired", "code_spent", "code_not_sent"})
"""What is said of each state of a code."""


class Asked(Struct, frozen=True, kw_only=True):
    """A code that is to be sent or was given back, for one phone."""

    purpose: Literal["register", "spend"]
    uid: str
    attempt: int
    tag: str
    phone: str
    code: str
    member_id: str = ""
    language: str = ""


class Codes:
    """Sends and compares. `online` says whether to try at all; `sent`, whether one is to be had as far as is known."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        # The cloud said last time that it sends none; it is asked again each time.
        self._none_sent = False

    @property
    def online(self) -> bool:
        gateway = self._bench.parts.confirmations
        return gateway is not None and gateway.online

    @property
    def sent(self) -> bool:
        """A form that offers a code which never comes has somebody wait for it."""
        return self.online and not self._none_sent

    def id_of(self, asked: Asked) -> str:
        """The same for the same step of the same document and phone; nobody can tell the phone from it."""
        text = "\n".join((asked.purpose, asked.uid, asked.tag, str(asked.attempt))).encode()
        digest = hmac.new(self._bench.identity.identifier_key, text, hashlib.sha256).hexdigest()
        return f"c-{self._bench.identity.till[:40]}-{digest[:ID_DIGITS]}"

    async def ask(self, asked: Asked) -> CodeState:
        """Have a code sent, or hand one in. CloudUnreachable, CodeRefused."""
        gateway = self._bench.parts.confirmations
        if gateway is None:
            raise CloudUnreachable("this till has no cloud")
        budget_ms = self._bench.parts.settings.code_budget_ms
        name = self.id_of(asked)
        if asked.code:
            try:
                given = partial(gateway.give, name, asked.code, budget_ms=budget_ms)
                return _state(await ask(budget_ms, given, of="code"))
            except CodeRefused as exc:
                if exc.code != "confirmation_unknown":
                    raise
        # Asked for the first time, or a code was given that was never sent: then one is sent.
        request = ConfirmationRequest(
            confirmation=name,
            purpose=asked.purpose,
            tag=asked.tag,
            phone=asked.phone,
            member_id=asked.member_id,
            language=asked.language,
        )
        try:
            answer = await ask(budget_ms, lambda: gateway.start(request, budget_ms=budget_ms), of="code")
        except CodeRefused as exc:
            self._none_sent = exc.code == "codes_not_sent"
            raise
        self._none_sent = False
        return _state(answer)

    async def to_spend(self, request: CodeRequest) -> CodeAnswer:
        """The code for a large redemption. DeskProblem phone_mismatch, of a stranger, or why there is
        no code."""
        bench = self._bench
        found = await bench.meeting.find(request.member, pointer="/member", again=False)
        await bench.finder.learn(Identify(phone=request.phone))
        if found.cached is None or not found.subject.member_id:
            raise bench.stranger(found, "/member", request.language)
        tag, phone = bench.finder.identifier("phone", request.phone, pointer="/phone")
        if not {tag, *bench.finder.names(tag)} & {*found.cached.row.tags}:
            raise problem("phone_mismatch", "expected the member's own phone", pointer="/phone")
        words = bench.words(request.language)
        asked = Asked(
            purpose="spend",
            uid=request.uid,
            attempt=request.attempt,
            tag=tag,
            phone=phone.value,
            code=request.code,
            member_id=found.subject.member_id,
            language=found.cached.row.language or words.language,
        )
        try:
            state = await self.ask(asked)
        except CloudUnreachable as exc:
            raise problem("cloud_unreachable", str(exc)) from exc
        except CodeRefused as exc:
            raise _problem(exc) from exc
        return CodeAnswer(confirmation=state, messages=(code_message(words, state, given=bool(request.code)),))


def code_message(words: Words, state: CodeState, *, given: bool) -> Message:
    """What the cashier does next. `given`: a code was handed in, so `sent` means that it was wrong."""
    if state.state == "sent" and given:
        return words.message("code_wrong", level="warning", tries=state.tries_left)
    return words.message(f"code_{state.state}", level="info" if state.state in ("sent", "confirmed") else "warning")


def _state(answer: ConfirmationAnswer) -> CodeState:
    return CodeState(
        confirmation=answer.confirmation,
        state=answer.state,
        tries_left=answer.tries_left,
        expires_in_ms=max(0, answer.expires_at_ms - answer.server_time_ms),
    )


def _problem(exc: CodeRefused) -> Exception:
    if exc.code in ("codes_not_sent", "code_not_sent", "too_many_codes"):
        return problem(exc.code, exc.detail)
    if exc.code == "member_mismatch":
        return problem("phone_mismatch", exc.detail, pointer="/phone")
    if exc.code in ("confirmation_used", "confirmation_mismatch"):
        return problem("uid_conflict", exc.detail, pointer="/uid")
    return problem("code_not_sent", exc.detail)

"""Registrations and cards that this till took and its cache does not hold yet: so that whoever registers is known here
at once, with no line too.

In memory, rebuilt from the journal at the start; let go of once the cache includes the op. Used on the loop.
"""

from collections.abc import Iterable

from msgspec import Struct

from till_agent.ports import Entry
from till_loyalty.masks import mask_name
from till_sync.ops import AttachCardBody, OpId, RegisterBody, Subject, decode_body

KINDS = ("register", "attach-card")
KEPT_LIMIT = 20_000
"""More than a till registers in a month offline; past it the oldest are known again once the cache has them."""


class Registered(Struct, frozen=True, kw_only=True):
    """Somebody who registered here; `tags` are all their numbers. `confirmed`: they gave a one-time code back."""

    tags: tuple[str, ...]
    confirmed: bool
    name_masked: str = ""
    phone_masked: str = ""
    card_masked: str = ""
    language: str = ""
    birthday: str = ""
    member_since: str = ""


class Attached(Struct, frozen=True, kw_only=True):
    """A card that was given to a member here."""

    tag: str
    subject: Subject


class Registrations:
    """By tag: whose it became at this till."""

    def __init__(self) -> None:
        self._registered: dict[str, Registered] = {}
        self._attached: dict[str, Attached] = {}
        self._ops: dict[OpId, tuple[str, ...]] = {}

    def registered(self, tag: str) -> Registered | None:
        """Who registered here with this number."""
        return self._registered.get(tag)

    def attached(self, tag: str) -> Attached | None:
        """Whom this card was given to here."""
        return self._attached.get(tag)

    def people(self) -> tuple[Registered, ...]:
        """Everybody who registered here, the newest first, each once."""
        return tuple({person.tags: person for person in reversed(self._registered.values())}.values())

    def speak_of(self, included: tuple[int, int]) -> frozenset[str]:
        """Whom operations after `included` (epoch, seq) speak of, by member id or tag."""
        later = {tag for op_id, tags in self._ops.items() if (op_id.epoch, op_id.seq) > included for tag in tags}
        given = [self._attached[tag].subject.key for tag in later if tag in self._attached]
        return frozenset([*(later & self._registered.keys()), *given])

    def adopt(self, person: Registered) -> None:
        """Take somebody over from another book, beside any op."""
        for tag in person.tags:
            self._registered[tag] = person

    def note(self, op_id: OpId, body: RegisterBody | AttachCardBody) -> None:
        """An op is on the disk; one that was noted before changes nothing."""
        if op_id in self._ops:
            return
        if isinstance(body, AttachCardBody):
            self._attached[body.card_tag] = Attached(tag=body.card_tag, subject=body.subject)
            self._ops[op_id] = (body.card_tag,)
        else:
            self._ops[op_id] = self._note_person(body)
        while len(self._ops) > KEPT_LIMIT:
            self._drop(next(iter(self._ops)))

    def load(self, entries: Iterable[Entry]) -> None:
        """Take the journal's rows in, oldest first."""
        for entry in entries:
            body = decode_body(entry.body)
            if isinstance(body, RegisterBody | AttachCardBody):
                self.note(entry.op_id, body)

    def forget(self, included: tuple[int, int]) -> None:
        """The cache includes all own ops up to `included` (epoch, seq): its word counts."""
        for op_id in [each for each in self._ops if (each.epoch, each.seq) <= included]:
            self._drop(op_id)

    def _note_person(self, body: RegisterBody) -> tuple[str, ...]:
        tags = tuple(dict.fromkeys(tag for tag in (body.subject.tag, body.card_tag) if tag))
        before = self._registered.get(body.subject.tag)
        person = Registered(
            tags=tuple(dict.fromkeys((*(before.tags if before else ()), *tags))),
            confirmed=bool(body.confirmation) or (before is not None and before.confirmed),
            name_masked=(before.name_masked if before else "") or body.name_masked or mask_name(body.name),
            phone_masked=(before.phone_masked if before else "") or body.phone_masked,
            card_masked=(before.card_masked if before else "") or body.card_masked,
            language=(before.language if before else "") or body.language,
            birthday=(before.birthday if before else "") or body.birthday or body.birth_date[-len("12-31") :],
            member_since=(before.member_since if before else "") or body.clock.business_date,
        )
        for tag in person.tags:
            self._registered[tag] = person
        return tags

    def _drop(self, op_id: OpId) -> None:
        for tag in self._ops.pop(op_id):
            # A later op of the same number keeps it known.
            if not any(tag in tags for tags in self._ops.values()):
                self._registered.pop(tag, None)
                self._attached.pop(tag, None)

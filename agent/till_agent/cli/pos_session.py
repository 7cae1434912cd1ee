"""A till's shift in `tillside pos`: the agent, the receipt under way, what was sold, and what waits to be sent."""

import secrets
import threading
from collections import deque
from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from msgspec import Struct

from till_agent.api import Health, Language, Message, ScanEvent, SyncStatus
from till_agent.cli.pos_parsing import NotUnderstoodError, Units
from till_agent.cli.pos_receipt import OpenReceipt
from till_agent.cli.pos_screen import Screen
from till_agent.cli.pos_unsent import Document, Unsent
from till_agent.client import ClientError, Event, RefusedError, Till
from till_agent.member_api import MemberCreate

T = TypeVar("T")
SCANS_KEPT = 50
SOLD_KEPT = 1_000


class SoldHere(Struct, kw_only=True):
    """A receipt that was closed here; `state`: sold, unsent, refused, voided, returned."""

    uid: str
    number: str
    total_minor: int
    state: str
    lines: int


class Session:
    """Everything that commands work on. One command at a time; events come from a thread of their own."""

    def __init__(self, till: Till, screen: Screen, unsent: Unsent, *, language: Language | None = None) -> None:
        self.till = till
        self.screen = screen
        self.unsent = unsent
        self.language: Language | None = language
        self.lock = threading.RLock()
        self.news = threading.Condition(self.lock)
        self.scans: deque[ScanEvent] = deque(maxlen=SCANS_KEPT)
        self.name = "till"
        self.online: bool | None = None
        self.reached = False
        self.shift, self.cashier = "1", ""
        self.time_zone = ""
        self.sold: deque[SoldHere] = deque(maxlen=SOLD_KEPT)
        self.registration: MemberCreate | None = None
        # Another run of the simulator must not make the same uids.
        self._run = f"{datetime.now().astimezone():%m%d}-{secrets.token_hex(3)}"
        self._count = 0
        self._devices: dict[str, str] = {}
        self.open = self._new_receipt()

    @property
    def units(self) -> Units:
        """How amounts are written."""
        return self.screen.units

    @property
    def prompt(self) -> str:
        """Which till, how it stands, which receipt, and what is to be paid."""
        state = "no agent" if not self.reached else {True: "online", False: "offline", None: "?"}[self.online]
        waiting = len(self.unsent.waiting)
        state += f", {waiting} to send" if waiting else ""
        due = f" {self.units.money(self.open.payable_minor - self.open.paid_minor)}" if self.open.lines else ""
        return f"{self.name} ({state}) #{self.open.number}{due}> "

    def new_uid(self, kind: str) -> str:
        """Of a document that is no receipt."""
        self._count += 1
        return f"pos-{self._run}-{kind}{self._count}"

    def next_receipt(self) -> None:
        """Begin another one."""
        self.open = self._new_receipt()

    def ask(self, call: Callable[[], T]) -> T:
        """One call; whether there was an answer shows in the prompt."""
        try:
            found = call()
        except RefusedError:
            self.reached = True
            raise
        except ClientError:
            self.reached = False
            raise
        self.reached = True
        return found

    def look_around(self) -> None:
        """Who and how the agent is. ClientError when there is none."""
        status = self.ask(self.till.status)
        self.name, self.online = status.till or "till", status.sync.online
        facts = self.ask(self.till.page)
        self.time_zone = self.open.time_zone = facts.time_zone
        self.screen.units = Units(
            currency=facts.currency,
            currency_exponent=facts.currency_exponent,
            points_exponent=facts.points_exponent,
        )

    def send_unsent(self) -> None:
        """Send what waits, if the agent is there."""
        if self.unsent.waiting:
            self.unsent.send(self.till, self._was_sent)

    def hear(self, event: Event) -> str:
        """Take an event in; what to show of it, "" for nothing."""
        with self.news:
            self.reached = True
            data = event.data
            if isinstance(data, SyncStatus):
                self.online = data.online
            elif isinstance(data, ScanEvent):
                self.scans.append(data)
                self.take_scan(data)
                self.news.notify_all()
            if self.screen.as_json:
                if data is not None:
                    self.screen.json(event=event.name, data=data)
                return ""
            return self._told(event)

    def take_scan(self, scan: ScanEvent) -> None:
        """A card, phone or voucher that was scanned is the receipt's member from now on."""
        if scan.member is not None:
            self.open.named(self.open.who, scan.member, "scanned")

    def _told(self, event: Event) -> str:
        data = event.data
        if isinstance(data, ScanEvent):
            who = data.member
            if who is not None:
                name = who.name_masked or who.phone_masked or who.card_masked or who.reference
                return f"scanned: {name}, balance {self.units.points(who.balance_points)}"
            return f"scanned: {data.kind} {data.text}".rstrip()
        if isinstance(data, Message):
            return data.text
        if isinstance(data, Health):
            before, self._devices[data.device] = self._devices.get(data.device, "ready"), data.state
            # A printer is busy with each slip, and ready after it: nobody needs to read that.
            told = data.state not in ("busy", "ready") or before not in ("busy", "ready")
            return f"{data.role} {data.device}: {data.state} {data.detail}".rstrip() if told else ""
        return ""

    def _was_sent(self, document: Document, answer: Struct | ClientError) -> None:
        if isinstance(answer, ClientError):
            state, text = "refused", f"{document.kind} {document.uid} was refused: {answer.code}"
        else:
            state, text = "sold", f"{document.kind} {document.uid} was sent"
        for each in self.sold:
            if each.uid == document.uid and document.sale is not None:
                each.state = state
        if self.screen.as_json:
            told = {"error": answer.code} if isinstance(answer, ClientError) else {"answer": answer}
            self.screen.json(sent=document.uid, kind=document.kind, **told)
        self.screen.say(text, "red" if state == "refused" else "green")

    def _new_receipt(self) -> OpenReceipt:
        self._count += 1
        receipt = OpenReceipt(f"pos-{self._run}-{self._count}", str(self._count))
        receipt.time_zone = self.time_zone
        return receipt

    def find_sold(self, word: str) -> str:
        """The uid of a receipt: its number here, its uid, or the last one for "". NotUnderstoodError."""
        if not word:
            if not self.sold:
                raise NotUnderstoodError("expected the uid of a receipt: nothing was sold here yet")
            return self.sold[-1].uid
        return next((each.uid for each in self.sold if each.number == word), word)

"""Ringing up the day as cash software does: scan or phone, quote, sale, now and then a redemption, return or void."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx

from till_installer.demo.day import DayReceipt
from till_installer.demo.people import Person
from till_installer.demo.processes import DemoError

SCAN_TIMEOUT_S = 5.0
CALL_TIMEOUT_S = 10.0
PHONE_EVERY = 7
"""Each 7th member has left the card at home and tells the phone number."""
SAME_CARD_PAUSE_S = 1.6
"""The scanner driver takes a code read again within 1.5 s for one that was held too long, and rightly so."""
REDEEM_EVERY = 5
RETURN_EVERY = 40
VOID_EVERY = 90
SMALLEST_REDEMPTION_POINTS = 100
COFFEE = ["GROCERY", "COFFEE"]
COUPON = "COFFEE"
"""Everybody who buys coffee has cut the coupon out of the leaflet; the programme takes it once from each."""
BIRTHDAY_RULE = "birthday"


@dataclass
class Day:
    """What the player remembers of its own, to be held against journal and cloud afterwards. Times in milliseconds."""

    acknowledged: dict[str, str] = field(default_factory=dict)
    """uid -> op of every sale that the agent said yes to."""
    reversed: dict[str, str] = field(default_factory=dict)
    sold_offline: int = 0
    redeemed_receipts: int = 0
    redeemed_offline: int = 0
    redemptions_refused_offline: int = 0
    coupons_shown: int = 0
    coupons_used: int = 0
    discount_minor: int = 0
    birthdays: int = 0
    told: dict[str, tuple[str, list[str]]] = field(default_factory=dict)
    """What a cashier could read aloud of the first receipt of each kind: about whom, and the sentences."""
    served: set[str] = field(default_factory=set)
    """Cards of those who have bought something. Who comes back wants to spend; with the line cut it is they who can."""
    queue_peak: int = 0
    identify_ms: list[float] = field(default_factory=list)
    quote_ms: list[float] = field(default_factory=list)
    sale_ms: list[float] = field(default_factory=list)

    def tell(self, kind: str, about: str, words: list[str]) -> None:
        """Keep it if it is the first of its kind."""
        self.told.setdefault(kind, (about, words))


class Till:
    """Cash software in small: an HTTP client of the bridge with its event stream open for scans."""

    def __init__(self, port: int, token: str, scan: Callable[[str], None]) -> None:
        headers = {"Authorization": f"Bearer {token}", "X-Tillside-Client": "pos"}
        bridge = f"http://127.0.0.1:{port}"
        self._http = httpx.Client(base_url=bridge, headers=headers, timeout=CALL_TIMEOUT_S, trust_env=False)
        self._scan = scan
        self._scanned: str | None = None
        self._scanned_at: dict[str, float] = {}
        self._arrived = threading.Condition()
        self._listening = threading.Event()
        self._closing = False
        self._thread = threading.Thread(target=self._listen, name="demo-events", daemon=True)

    def open(self) -> None:
        """Open the event stream; scans are not missed from here on."""
        self._thread.start()
        if not self._listening.wait(SCAN_TIMEOUT_S):
            raise DemoError("the agent's event stream did not open")

    def close(self) -> None:
        self._closing = True
        self._http.close()

    def call(self, method: str, path: str, body: dict[str, object] | None = None) -> tuple[dict[str, Any], float]:
        """One call and its time in milliseconds; DemoError with the problem's words when refused."""
        content = None if body is None else json.dumps(body).encode()
        headers = {} if content is None else {"Content-Type": "application/json"}
        started = time.perf_counter()
        answer = self._http.request(method, path, content=content, headers=headers)
        took_ms = (time.perf_counter() - started) * 1000
        if answer.status_code >= 400:
            raise DemoError(f"{method} {path} was answered {answer.status_code}: {answer.text[:500]}")
        return answer.json(), took_ms

    def refusal_code(self, method: str, path: str, body: dict[str, object]) -> tuple[str, dict[str, Any]]:
        """Like `call`, but a refusal is an answer: its stable code, or "" and the answer."""
        answer = self._http.request(
            method, path, content=json.dumps(body).encode(), headers={"Content-Type": "application/json"}
        )
        facts: dict[str, Any] = answer.json()
        return (str(facts.get("code", "refused")), facts) if answer.status_code >= 400 else ("", facts)

    def scan_card(self, card: str) -> str:
        """Hold a card under the scanner and wait for the agent to tell what was read."""
        time.sleep(max(0.0, self._scanned_at.get(card, 0.0) + SAME_CARD_PAUSE_S - time.monotonic()))
        with self._arrived:
            self._scanned = None
            self._scan(card)
            if not self._arrived.wait_for(lambda: self._scanned is not None, SCAN_TIMEOUT_S):
                raise DemoError("a scan did not come through the pseudo-terminal within 5 s")
            self._scanned_at[card] = time.monotonic()
            return str(self._scanned)

    def _listen(self) -> None:
        try:
            with self._http.stream("GET", "/v1/events", timeout=None) as stream:
                self._listening.set()
                for event, data in _events(stream.iter_lines()):
                    if event == "scan":
                        with self._arrived:
                            self._scanned = str(json.loads(data)["text"])
                            self._arrived.notify_all()
        except httpx.HTTPError:
            # The agent has been stopped, or the day is over: a missing scan is told by its own time-out.
            return


def _events(lines: Iterator[str]) -> Iterator[tuple[str, str]]:
    event, data = "message", ""
    for line in lines:
        if line.startswith("event:"):
            event = line[6:].strip()
        elif line.startswith("data:"):
            data += line[5:].strip()
        elif not line and data:
            yield event, data
            event, data = "message", ""


def ring_up(till: Till, day: Day, index: int, receipt: DayReceipt, person: Person) -> None:
    """One receipt from scan to slip, with what every so often comes after it."""
    wish = {"phone": person.phone} if index % PHONE_EVERY == PHONE_EVERY - 1 else {"scan": till.scan_card(person.card)}
    member, took_ms = till.call("POST", "/v1/identify", dict(wish))
    day.identify_ms.append(took_ms)
    body: dict[str, object] = {"receipt": {"lines": receipt.lines}, "member": {"reference": member["reference"]}}
    codes = [COUPON] if any(_is_coffee(line) for line in receipt.lines) else []
    if codes:
        body["codes"] = codes
        day.coupons_shown += 1
    if index % REDEEM_EVERY == 0 or person.card in day.served:
        body["redeem_points"] = -1
    day.served.add(person.card)
    asked = {**body, "local_time": receipt.local_time, "explain": True}
    quote, took_ms = till.call("POST", "/v1/quotes", asked)
    day.quote_ms.append(took_ms)
    points = int(quote["calculation"]["redeemed_points"]) if "redeemed_points" in quote["calculation"] else 0
    hold = ""
    if body.pop("redeem_points", 0) and points < SMALLEST_REDEMPTION_POINTS:
        day.redemptions_refused_offline += bool(quote["offline"])
        points = 0
    if points >= SMALLEST_REDEMPTION_POINTS:
        code, held = till.refusal_code(
            "POST", "/v1/holds", {"sale_uid": receipt.uid, "member": body["member"], "points": points}
        )
        hold, points = ("", 0) if code else (str(held["hold"]), points)
        day.redeemed_receipts += bool(hold)
        day.redeemed_offline += bool(hold and quote["offline"])
    discounts = quote["calculation"].get("discounts", [])
    off = sum(int(each["amount_minor"]) for each in discounts)
    if discounts:
        body["discounts"] = discounts
    paid = receipt.total_minor - receipt.coupon_minor - points - off
    payments: list[dict[str, object]] = [{"kind": "card", "amount_minor": max(0, paid)}]
    if receipt.coupon_minor:
        payments.append({"kind": "manufacturer-coupon", "amount_minor": receipt.coupon_minor})
    body |= {"payments": payments, "local_time": receipt.local_time, "number": str(index + 1), "cashier": "demo"}
    if hold:
        body |= {"redeem_points": points, "hold": hold}
    sale, took_ms = till.call("PUT", f"/v1/sales/{receipt.uid}", body)
    day.sale_ms.append(took_ms)
    day.acknowledged[receipt.uid] = str(sale["op"])
    day.sold_offline += bool(sale["offline"])
    _remember(day, receipt, person, quote, sale)
    _afterwards(till, day, index, receipt)


def _is_coffee(line: dict[str, object]) -> bool:
    path = line.get("category")
    return isinstance(path, list) and path[:2] == COFFEE


def _remember(day: Day, receipt: DayReceipt, person: Person, quote: dict[str, Any], sale: dict[str, Any]) -> None:
    """Count what the programme did, and keep in words the first receipt of each kind."""
    calculation = sale["calculation"]
    day.coupons_used += bool(calculation.get("coupons"))
    day.discount_minor += int(calculation.get("discount_minor", 0))
    birthday = BIRTHDAY_RULE in {str(each["rule"]) for each in calculation.get("accruals", [])}
    day.birthdays += birthday
    words = [str(each["text"]) for each in quote["explain"] if not each["line"]]
    spent = bool(calculation.get("redeemed_points"))
    unasked = spent and bool(sale["offline"])
    for kind, shown in (
        ("A coupon", bool(calculation.get("coupons"))),
        ("A birthday", birthday),
        ("Points spent", spent and not unasked),
        ("Points spent offline", unasked),
    ):
        if shown:
            day.tell(kind, f"{person.name}, {receipt.local_time[11:16]}", words)


def _afterwards(till: Till, day: Day, index: int, receipt: DayReceipt) -> None:
    if index % VOID_EVERY == VOID_EVERY - 1:
        done, _ = till.call("POST", f"/v1/sales/{receipt.uid}/void", {})
        day.reversed[receipt.uid] = str(done["op"])
    elif index % RETURN_EVERY == RETURN_EVERY - 1:
        first = receipt.lines[0]
        body: dict[str, object] = {
            "sale_uid": receipt.uid,
            "lines": [{"number": first["number"], "quantity_thousandths": first["quantity_thousandths"]}],
        }
        done, _ = till.call("PUT", f"/v1/returns/r-{receipt.uid}", body)
        day.reversed[f"r-{receipt.uid}"] = str(done["op"])
        words = [str(each["text"]) for each in done["messages"]]
        if words:
            day.tell("A return", str(first.get("name", first["sku"])), words)

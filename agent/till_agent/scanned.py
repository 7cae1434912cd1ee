"""What was scanned: a member's card, phone, wallet code or voucher, goods, a bank card, or nothing we know."""

from collections.abc import Callable

from till_agent.api import Identify, Message
from till_agent.bank_cards import is_bank_card, is_trade_item
from till_agent.desk import Desk
from till_agent.devices import Kind, Resolved
from till_agent.exceptions import DeskProblem
from till_drivers.ports import Scan
from till_drivers.scanners.aim import EAN
from till_loyalty import identifiers
from till_loyalty.exceptions import IdentifierError
from till_loyalty.programme import Identifiers
from till_sync import vouchers


class Scanned:
    """Asks the programme's rules, then the desk. `rules` are those of now."""

    def __init__(self, desk: Desk, rules: Callable[[], Identifiers]) -> None:
        self._desk = desk
        self._rules = rules

    async def resolve(self, scan: Scan) -> Resolved:
        """What the scan is. The programme's ranges go first: a number in one is a member's, whatever it looks like."""
        text = scan.text
        if text.startswith(vouchers.PREFIX):
            return await self._identified("voucher", scan, Identify(scan=text))
        if self._desk.reads_wallet(text):
            return await self._identified("card", scan, Identify(scan=text))
        if scan.gs1 is not None and "01" in scan.gs1:
            return Resolved(kind="goods", text=text)
        rules = self._rules()
        if _is_in_a_range(text, rules):
            return await self._identified("card", scan, _identify(scan))
        if is_bank_card(scan, rules):
            return self._refused()
        is_goods = is_trade_item(scan)
        if is_goods and scan.symbology == EAN:
            # Read as goods, of which no digits are a phone.
            return Resolved(kind="goods", text=text)
        try:
            kind = identifiers.classify(text, rules).kind
        except IdentifierError:
            return Resolved(kind="goods" if is_goods else "unknown", text=text)
        return await self._identified(kind, scan, _identify(scan))

    async def _identified(self, kind: Kind, scan: Scan, who: Identify) -> Resolved:
        try:
            return Resolved(kind=kind, text=scan.text, member=await self._desk.identify(who))
        except DeskProblem as exc:
            if exc.code == "bank_card" or is_bank_card(scan, self._rules()):
                return self._refused()
            return Resolved(kind="unknown", text=scan.text, alert=self._alert(exc.code, exc.status))

    def _refused(self) -> Resolved:
        """A bank card's number goes nowhere, not even to the cash software."""
        return Resolved(kind="unknown", text="", alert=self._alert("bank_card", 422))

    def _alert(self, code: str, status: int) -> Message:
        return Message(code=code, text=self._desk.sentence(code, status=status), level="warning")


def _identify(scan: Scan) -> Identify:
    """A card read as EAN is a card only: the same digits may be somebody's phone."""
    return Identify(card=scan.text) if scan.symbology == EAN else Identify(scan=scan.text)


def _is_in_a_range(text: str, rules: Identifiers) -> bool:
    try:
        identifiers.parse_card(text, rules)
    except IdentifierError:
        return False
    return True

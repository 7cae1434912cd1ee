"""The whole Priority API over the real desk on fake ports: no sockets, a clock that stands, a line to cut."""

import asyncio
import hashlib
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from fakes.till import FakeTill, anna
from kit.frontol_documents import NORMAL_UID, Json, document
from till_agent.bridge.events import EventHub
from till_agent.bridge.limits import RateLimiter
from till_agent.bridge.tokens import Client
from till_agent.desk.problems import problem
from till_agent.exceptions import TextMissing
from till_agent.frontol.app import FrontolApp
from till_agent.ports import Entry
from till_agent.slips.compose import compose_entry
from till_agent.texts import Words
from till_drivers.blocks import Block
from till_sync.ops import ReturnBody, SaleBody, decode_body

KEY = "k" * 43
SALE = NORMAL_UID


class Access:
    """One key, as Tokens has it (its own tests are the bridge's)."""

    def __init__(self, scopes: frozenset[str]) -> None:
        self.client = Client("frontol", scopes)

    def find_frontol(self, authorization: bytes, body: bytes) -> Client | None:
        digest = hashlib.md5(KEY.encode() + body, usedforsecurity=False).hexdigest()
        return self.client if authorization == b"FrontolAuth " + digest.encode() else None


class FrontolTill(FakeTill):
    """A till that Frontol calls. `restart` is the agent's: drafts are gone, the disk is as it was."""

    def __init__(self, *, life_s: int = 7_200, prints: bool = True, scopes: str = "sale register", **more: Any) -> None:
        super().__init__(**more)
        self.know(anna())
        self.language = self.settings.language
        self.alerts: list[Any] = []
        self.commits = 0
        self.refusals: list[str] = []
        self._parts = {"life_s": life_s, "prints": prints}
        self._access = Access(frozenset(scopes.split()))
        self.app = self.start()

    def start(self) -> FrontolApp:
        self.events = EventHub(self.clock)
        return FrontolApp(
            self,
            self._access,
            limits=RateLimiter(1000, ("frontol",), self.clock),
            body_limit_bytes=2_000_000,
            read_timeout_ms=5_000,
            **self._parts,
        )

    def restart(self) -> None:
        self.desk = self.new_desk()
        self.app = self.start()

    @property
    def core(self) -> "Core":
        if self.identity is None:
            raise problem("till_not_enrolled", "expected an enrolled till")
        return Core(self)

    def committed(self) -> None:
        self.commits += 1

    def refused(self, reason: str) -> None:
        self.refusals.append(reason)

    def answered(self, operation: str, status: int, seconds: float) -> None:
        """Counted elsewhere."""

    def cashier(self, code: str, status: int, numbers: Mapping[str, int | str] | None = None) -> str:
        try:
            return self.desk.sentence(code, numbers or {}, status=status)
        except TextMissing:
            return Words(self.language).problem("", status=status)

    async def ask(self, path: str, raw: bytes, *, key: str = KEY, method: str = "POST") -> tuple[int, bytes]:
        """One call; status and body."""
        digest = hashlib.md5(key.encode() + raw, usedforsecurity=False).hexdigest()
        sent: list[Any] = []

        async def receive() -> Json:
            return {"type": "http.request", "body": raw, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "headers": [(b"authorization", f"FrontolAuth {digest}".encode()), (b"content-type", b"application/json")],
        }
        await self.app(scope, receive, send)
        return sent[0]["status"], sent[1]["body"]

    def raw(self, path: str, raw: bytes, **how: Any) -> tuple[int, bytes]:
        return asyncio.run(self.ask(path, raw, **how))

    def post(self, path: str, body: Any) -> Json:
        """The answer of HTTP 200, amounts exact."""
        status, answer = self.raw(f"/frontol{path}", json.dumps(body, ensure_ascii=False).encode())
        assert status == 200, answer
        found: Json = json.loads(answer, parse_float=Decimal)
        return found

    def document(self, action: str, *positions: Json, **fields: Any) -> Json:
        return self.post("/document", document(action, *positions, **fields))

    def good(self, action: str, *positions: Json, **fields: Any) -> Json:
        answer = self.document(action, *positions, **fields)
        assert answer["code"] == 0, answer
        return answer

    def extra(self, action: str, values: Json | None = None, **who: Any) -> Json:
        rows = [{"name": name, "value": value} for name, value in (values or {}).items()]
        return self.post("/extra/client", {"action": action, "client": who, "values": rows})

    def entry(self, kind: str, uid: str) -> Entry | None:
        return self.run(self.desk.find(kind, uid))

    def sale(self, uid: str = SALE) -> SaleBody:
        """The stored sale."""
        entry = self.entry("sale", uid)
        assert entry is not None
        body = decode_body(entry.body)
        assert isinstance(body, SaleBody)
        return body

    def back(self, uid: str) -> ReturnBody:
        """The stored return."""
        entry = self.entry("return", uid)
        assert entry is not None
        body = decode_body(entry.body)
        assert isinstance(body, ReturnBody)
        return body


class Slips:
    """As `till_agent.slips.office.SlipOffice`, whose threads and templates are not what is tested here."""

    def __init__(self, till: FrontolTill) -> None:
        self._till = till

    async def blocks(self, uid: str, *, language: str, columns: int | None, kind: str = "sale") -> tuple[Block, ...]:
        assert columns is None
        entry = await self._till.desk.entry(kind, uid)
        programme = self._till.desk.programme
        words = Words(language, programme) if programme is not None else Words(language)
        return tuple(compose_entry(entry, words, store_name="Аптека № 1", time_zone="Asia/Almaty"))


class Core:
    """An enrolled till."""

    def __init__(self, till: FrontolTill) -> None:
        self.desk = till.desk
        self.slips = Slips(till)


def cash(amount: Any) -> Json:
    return {"type": "cash", "mode": "fiscal", "amount": amount}


def bonus(amount: Any) -> Json:
    return {"type": "bonus", "mode": "nonFiscal", "amount": amount}

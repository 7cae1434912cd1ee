"""Frontol in small: sends documents as its Priority API does, signs the raw body, and reads the answers exactly."""

import hashlib
import http.client
import json
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from integration.bridge.agent_kit import LiveAgent, enrol_by_hand, fill_cache, settings_for
from kit import frontol_documents
from kit.frontol_documents import Json
from till_agent.bridge.tokens import read_token
from till_config.settings import BridgeSettings, ClientSettings, Settings
from till_config.settings_frontol import FrontolSettings

TIMEOUT_S = 20.0
FRONTOL = ClientSettings(name="frontol", scopes=("sale", "register"))
ADMIN = ClientSettings(name="admin", scopes=("sale", "register", "admin"))

document = partial(frontol_documents.document, dateTime="2026-11-22T12:00:00.000+0500")
"""Of these days: the agents here have clocks that go."""


def frontol_settings(state_dir: Path, *, receipt_life_s: int = 7_200, **parts: Any) -> Settings:
    """A till whose cash software is Frontol."""
    clients = (FRONTOL, ADMIN)
    bridge = BridgeSettings(port=0, rate_limit_per_second=10_000, clients=clients)
    frontol = FrontolSettings(access_client="frontol", receipt_life_s=receipt_life_s)
    return settings_for(state_dir, bridge=bridge, frontol=frontol, **parts)


def enrolled_till(folder: Path) -> Path:
    """A till that knows Anna and a programme of 5 %, with no cloud."""
    state_dir = folder / "state"
    enrol_by_hand(state_dir)
    fill_cache(state_dir)
    return state_dir


@dataclass
class Answer:
    """Status and exact JSON: amounts are Decimals as they stand in the text."""

    status: int
    raw: bytes
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def json(self) -> Any:
        return json.loads(self.raw, parse_float=Decimal)

    @property
    def code(self) -> int:
        return int(self.json["code"])

    @property
    def windows(self) -> list[str]:
        return [each["text"] for each in self.json.get("cashierInformation", [])]

    def column(self, name: str) -> list[Decimal]:
        return [Decimal(each[name]) for each in self.json["document"]["positions"]]


class FrontolClient:
    """Calls one agent with its access key; each call by a new connection, as Frontol's are."""

    def __init__(self, agent: LiveAgent, root: str = "/frontol") -> None:
        self._port = agent.port
        self._root = root
        key = read_token(agent.running.state_dir, "frontol")
        assert key is not None
        self.key = key

    def post(self, path: str, raw: bytes, headers: dict[str, str] | None = None, *, signed: bool = True) -> Answer:
        """Bytes as they are."""
        sent = {"Content-Type": "application/json"} | (headers or {})
        if signed:
            digest = hashlib.md5(self.key.encode() + raw, usedforsecurity=False).hexdigest()
            sent = {"Authorization": f"FrontolAuth {digest}"} | sent
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=TIMEOUT_S)
        try:
            connection.request("POST", self._root + path, raw, sent)
            reply = connection.getresponse()
            return Answer(reply.status, reply.read(), dict(reply.getheaders()))
        finally:
            connection.close()

    def call(self, path: str, body: Any) -> Answer:
        return self.post(path, json.dumps(body, ensure_ascii=False).encode())

    def document(self, action: str, *positions: Json, **fields: Any) -> Answer:
        return self.call("/document", document(action, *positions, **fields))

    def good(self, action: str, *positions: Json, **fields: Any) -> Answer:
        """An answer of code 0, or the test fails with what it says."""
        answer = self.document(action, *positions, **fields)
        assert (answer.status, answer.json["code"]) == (200, 0), answer.raw.decode()
        return answer

    def client(self, **who: Any) -> Answer:
        return self.call("/client", {"client": who})

    def extra(self, action: str, values: dict[str, str] | None = None, **who: Any) -> Answer:
        rows = [{"name": name, "value": value} for name, value in (values or {}).items()]
        return self.call("/extra/client", {"action": action, "client": who, "values": rows})


def entries(agent: LiveAgent) -> list[tuple[str, str]]:
    """Kind and uid of every row of the journal, oldest first."""

    def read() -> Any:
        core = agent.running.agent.open_core
        assert core is not None
        return core.journal.read(lambda reader: [(each.kind, each.uid) for each in reversed(reader.recent(1000))])

    found: list[tuple[str, str]] = agent.on_loop(read)
    return found

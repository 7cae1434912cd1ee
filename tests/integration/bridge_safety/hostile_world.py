"""A real agent with something to lose, what a hostile request did to it, and the requests as they go over the wire."""

import base64
import contextlib
import hashlib
import re
import socket
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.bridge.agent_kit import LiveAgent, live_agent, settings_for
from integration.bridge.bridge_kit import ORIGIN, WAIT_S, Reply, read_reply
from integration.bridge_safety.hostile import BODY, END, Row
from integration.bridge_safety.hostile_operations import DONE_UNSEEN
from integration.bridge_safety.safety_kit import by_page, code_for, enrolled
from till_agent.bridge import limits, lockout
from till_agent.bridge.token_files import revoke, rotate
from till_agent.bridge.tokens import read_token
from till_config.settings import BridgeSettings, ClientSettings
from till_config.settings_frontol import FrontolSettings

CLIENTS = (
    ClientSettings(name="pos", scopes=("sale", "register")),
    ClientSettings(name="kiosk", scopes=("register",)),
    ClientSettings(name="shelf", scopes=("sale",)),
    ClientSettings(name="frontol", scopes=("sale", "register")),
    ClientSettings(name="admin", scopes=("sale", "register", "admin")),
)
HASTY_BODY_MS = 100

Effects = dict[str, object]


class World:
    """The agent, and what was recorded of it before."""

    def __init__(self, live: LiveAgent) -> None:
        self.live = live
        self.state_dir = live.running.state_dir
        self._fill = self._recorded()

    def _recorded(self) -> dict[str, str]:
        live = self.live
        for uid in ("recorded", "voided", "returned"):
            assert live.call("PUT", f"/v1/sales/{uid}", BODY.encode()).status == 200
        assert live.call("POST", "/v1/sales/voided/void").status == 200
        assert live.call("PUT", "/v1/returns/back", b'{"sale_uid":"returned"}').status == 200
        code = code_for(live)
        assert by_page(live, code).status == 200
        revoked = self._token("pos")
        rotate(self.state_dir, "pos", overlap_ms=60_000, now_wall_ms=0)
        revoke(self.state_dir, "pos")
        assert live.call("POST", "/v1/tokens/read", client="admin").status == 200
        signed = hashlib.md5(self._token("frontol").encode() + b'{"client":{}}').hexdigest()
        return {
            "HOST": f"127.0.0.1:{live.port}",
            "PORT": str(live.port),
            "TOKEN": self._token("pos"),
            "KIOSK": self._token("kiosk"),
            "SHELF": self._token("shelf"),
            "MASTER": self._token("admin"),
            "REVOKED": revoked,
            "USEDCODE": code,
            "SIGNED": f"FrontolAuth {signed}",
            "MANY": ("10000\r\n" + " " * 65536 + "\r\n") * 33,
            "DEEP": f"{100_005:x}\r\n" + '{"x":' + "[" * 100_000 + "\r\n0\r\n\r\n",
        }

    def _token(self, client: str) -> str:
        found = read_token(self.state_dir, client)
        assert found is not None
        return found

    def filled(self, request: str) -> bytes:
        """The request as it goes out."""
        for word, value in self._fill.items():
            request = request.replace(word, value)
        request = re.sub(r"BASIC\((.*?)\)", lambda found: "Basic " + _base64(found[1]), request)
        top, end, rest = request.partition(END)
        return (top.replace("LENGTH", str(len(rest))) + end + rest).encode("latin-1")

    def send(self, row: Row) -> Reply | None:
        """What is answered; None when the connection ends without an answer."""
        request = self.filled(row.request)  # takes a while for MANY, and the head's time runs from the connection
        with socket.create_connection(("127.0.0.1", self.live.port), WAIT_S) as connection:
            with contextlib.suppress(OSError):  # whoever has refused need not read on
                connection.sendall(request)
            try:
                return read_reply(connection)
            except ConnectionError:
                return None

    def effects(self) -> Effects:
        """Everything that a request could have done: rows of ops, holds and prints; tokens; events; operations done."""
        agent = self.live.running.agent
        core = agent.open_core
        assert core is not None
        done = {
            key: count for key, count in agent.figures._answered.items() if key[0] in DONE_UNSEEN and key[1] == "2xx"
        }
        tokens = hashlib.sha256()
        for path in sorted((self.state_dir / "tokens").iterdir()):
            tokens.update(path.name.encode() + path.read_bytes())
        return {
            "journal": self.live.on_loop(self._rows),
            "prints": agent.spool.waiting_count,
            "members": core.cache.member_count,
            "tokens": tokens.hexdigest(),
            "events": agent.events.published,
            "done": done,
        }

    async def _rows(self) -> dict[str, int]:
        """Rows of every table of the journal: ops, holds, verdicts."""
        core = self.live.running.agent.open_core
        assert core is not None
        return await core.journal.read(lambda reader: _counted(reader.connection))


def _counted(database: sqlite3.Connection) -> dict[str, int]:
    tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    return {name: database.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for (name,) in tables}


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def told(world: World, row: Row) -> str:
    """ "" when the row is answered as it says, else what is wrong with the answer."""
    reply = world.send(row)
    if reply is None or row.status == 0:
        return "" if (reply is None) == (row.status == 0) else f"expected {row.status}, not {reply}"
    code = "replayed" if reply.headers.get("idempotent-replay") == "true" else ""
    if row.code and not code and reply.status >= 400:
        code = reply.code
    if (reply.status, code) != (row.status, row.code):
        return f"expected {row.status} {row.code}, not {reply.status} {code}: {reply.body[:200]!r}"
    wanted = {
        "x-content-type-options": "nosniff",
        "cross-origin-resource-policy": "same-origin",
        "referrer-policy": "no-referrer",
        "cache-control": "no-store",
    }
    lacking = {name for name, value in wanted.items() if reply.headers.get(name) != value}
    if lacking:
        return f"expected the headers {lacking} too"
    allowed = reply.headers.get("access-control-allow-origin", ORIGIN)
    listed = f"Origin: {ORIGIN}\r\n" in row.request
    if allowed != ORIGIN or ("access-control-allow-origin" in reply.headers and not listed):
        return f"expected no leave to read for {allowed}"
    return ""


@contextlib.contextmanager
def world_at(folder: Path, *, hasty: bool = False) -> Iterator[World]:
    """An agent that counts no wrong tries and no rates, for hundreds of rows come within a second."""
    bridge = BridgeSettings(
        port=0,
        rate_limit_per_second=10_000,
        allowed_origins=(ORIGIN,),
        clients=CLIENTS,
        read_timeout_ms=HASTY_BODY_MS if hasty else 5_000,
    )
    settings = settings_for(enrolled(folder), bridge=bridge, frontol=FrontolSettings(access_client="frontol"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lockout, "TRIES", 10_000)
        for name in ("ANONYMOUS_RATE_PER_SECOND", "HEALTH_RATE_PER_SECOND", "PAIRING_RATE_PER_SECOND"):
            patch.setattr(limits, name, 10_000)
        with live_agent(settings) as live:
            yield World(live)

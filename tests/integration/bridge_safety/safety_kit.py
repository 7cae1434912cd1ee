"""What the tests of the bridge's safety share: a running agent and its pages' requests."""

import json
from pathlib import Path
from typing import Any

from integration.bridge.agent_kit import LiveAgent, enrol_by_hand, fill_cache
from integration.bridge.bridge_kit import LiveBridge, Reply

TOKEN_MISSING: dict[str, str] = {}


def enrolled(folder: Path) -> Path:
    """A state directory with an identity, a programme and Anna."""
    state_dir = folder / "state"
    enrol_by_hand(state_dir)
    fill_cache(state_dir)
    return state_dir


def call_as(live: LiveAgent, token: str | None, method: str, path: str, body: Any = None, **fields: str) -> Reply:
    """A call with this token, or with none."""
    headers = {name.replace("_", "-"): value for name, value in fields.items()}
    return LiveBridge.call(live, method, path, body, token=token, headers=headers)  # type: ignore[arg-type]  # has what calls use


def by_page(live: LiveAgent, code: str, **fields: str) -> Reply:
    """A code is tried, as a page of the bridge does."""
    own = {"Origin": f"http://127.0.0.1:{live.port}", "Sec_Fetch_Site": "same-origin"}
    return call_as(live, None, "POST", "/v1/pairing", {"code": code}, **(own | fields))


def code_for(live: LiveAgent, page: str = "panel") -> str:
    """A fresh code, as the command gets it."""
    reply = live.call("POST", "/v1/pairing/codes", {"page": page}, client="admin")
    assert reply.status == 200, reply.body
    return str(json.loads(reply.body)["code"])

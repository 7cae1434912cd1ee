"""A till's agent as a process that a small service manager keeps: struck down on purpose, sold at before and after."""

import contextlib
import http.client
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from integration.bridge.agent_kit import enrol_by_hand, fill_cache, receipt
from kit.waiting import wait_for
from till_installer.services.ports import ServiceStatus
from till_installer.services.process import ProcessManager

STRICKEN = Path(__file__).resolve().parents[1] / "kit" / "stricken.py"
FAST_TICK_S = 0.25
"""Watchdogs of the tests bite four times as soon as those of tills."""
SALE_S = 5.0


class KeptTill:
    """One agent, kept by `ProcessManager`."""

    def __init__(self, folder: Path, how: str, *, tick_s: float = FAST_TICK_S, watchdog_s: float = 0.0) -> None:
        self.folder = folder
        self.state_dir = folder / "state"
        enrol_by_hand(self.state_dir)
        fill_cache(self.state_dir)
        config = folder / "till.toml"
        config.write_text(f'[agent]\nstate_dir = "{self.state_dir}"\n[bridge]\nport = 0\n', encoding="utf-8")
        self.strike_file = folder / "strike"
        self.manager = ProcessManager(folder / "run", notify=True, watchdog_s=watchdog_s)
        words = ("agent", "run", "--config", str(config))
        command = (sys.executable, str(STRICKEN), how, str(self.strike_file), str(tick_s), *words)
        self.manager.install(command, config=config)

    def start(self) -> None:
        self.manager.start()
        wait_for(lambda: self.status.state == "running", f"the agent to say READY: {self.said()[-800:]}")

    @property
    def status(self) -> ServiceStatus:
        return self.manager.status()

    def strike(self) -> float:
        """Bring the fault about; gives when."""
        self.strike_file.touch()
        return time.monotonic()

    def sell(self, uid: str) -> bool:
        """Whether a sale is committed now."""
        with contextlib.suppress(OSError, ValueError, KeyError, http.client.HTTPException):
            running = json.loads((self.state_dir / "running.json").read_bytes())
            token = (self.state_dir / "tokens" / "pos.token").read_text().strip()
            connection = http.client.HTTPConnection("127.0.0.1", running["port"], timeout=SALE_S)
            with contextlib.closing(connection):
                headers = {"Authorization": f"Bearer {token}", "X-Tillside-Client": "test"}
                headers["Content-Type"] = "application/json"
                connection.request("PUT", f"/v1/sales/{uid}", json.dumps(receipt(1000)), headers)
                return connection.getresponse().status in (200, 201)
        return False

    def said(self) -> str:
        """All that its processes logged."""
        with contextlib.suppress(OSError):
            return (self.folder / "run" / "agent.out").read_text(encoding="utf-8", errors="replace")
        return ""

    def stop(self) -> None:
        self.manager.stop()


@contextlib.contextmanager
def kept_till(folder: Path, how: str, **options: float) -> Iterator[KeptTill]:
    folder.mkdir(exist_ok=True)
    till = KeptTill(folder, how, **options)
    try:
        till.start()
        yield till
    finally:
        till.stop()

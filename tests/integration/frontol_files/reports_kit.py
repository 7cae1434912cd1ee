"""A real agent that watches a report, with a watcher that is looked with by hand: no waiting for its looks."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from integration.bridge.agent_kit import LiveAgent, enrol_by_hand, fill_cache, live_agent, settings_for
from till_agent.frontol_files.records import DocumentRecord
from till_agent.frontol_files.store import Store
from till_agent.frontol_files.watching import ReportWatch
from till_config.settings_frontol import FrontolSettings, ReportSettings

SINCE = "2026-01-01"
DAY_MS = 86_400_000


class Watched:
    """The agent, its watcher and its report."""

    def __init__(self, agent: LiveAgent, watch: ReportWatch, path: Path) -> None:
        self.agent = agent
        self.watch = watch
        self.path = path

    def look(self, times: int = 2) -> None:
        """Look as often: a report that has not changed since the last look has settled."""
        for _ in range(times):
            self.agent.on_loop(self.watch.look)

    def decide(self, identity: int, decision: str) -> str:
        """A person's `accept` or `dismiss`: the state after it."""
        return str(self.agent.on_loop(lambda: getattr(self.watch, decision)(identity)).state)

    @property
    def store(self) -> Store:
        assert self.watch.store is not None
        return self.watch.store

    def documents(self) -> list[DocumentRecord]:
        """All of them, in the order of the report."""
        return self.store._documents("1 ORDER BY id", ())

    def states(self) -> list[tuple[str, str]]:
        """State and finding of each document."""
        return [(each.state, each.finding) for each in self.documents()]

    def ops(self) -> list[tuple[str, str]]:
        """Kind and uid of the journal's ops, oldest first."""
        queue = self.agent.call("GET", "/v1/queue?which=newest&limit=1000", client="admin").json["ops"]
        return [(op["kind"], op["uid"]) for op in reversed(queue)]

    def balance(self, card: str) -> int:
        """Points of a member, as the till shows them."""
        return int(self.agent.call("POST", "/v1/identify", {"card": card}).json["balance_points"])

    def sell(self, uid: str, amount: int, card: str, **more: Any) -> None:
        """The bridge's own sale."""
        body = {
            "receipt": {"lines": [{"number": 1, "sku": "milk", "amount_minor": amount}]},
            "member": {"card": card},
            **more,
        }
        reply = self.agent.call("PUT", f"/v1/sales/{uid}", body)
        assert reply.status == 200, reply.body


@contextlib.contextmanager
def watched(
    folder: Path, *, policy: str = "accrue", fresh: bool = True, pattern: str = "report.txt", **settings: Any
) -> Iterator[Watched]:
    """An agent over `folder`, and a watcher of its report that judges at once."""
    state_dir = folder / "state"
    if fresh:
        enrol_by_hand(state_dir)
        fill_cache(state_dir)
    report = ReportSettings(path=str(folder / pattern), policy=policy, since=SINCE, **settings)  # type: ignore[arg-type]  # a Literal
    # The agent itself watches nothing here: the one looked with by hand is the only one.
    with live_agent(settings_for(state_dir, frontol=FrontolSettings())) as agent:

        def make() -> ReportWatch:
            whole = agent.running.agent
            return ReportWatch(
                (report,),
                state_dir,
                core=lambda: whole.open_core,
                clock=whole.clock,
                committed=whole.committed,
                grace_ms=0,
            )

        watch = agent.on_loop(make)
        try:
            yield Watched(agent, watch, folder / "report.txt")
        finally:
            agent.on_loop(watch.close)

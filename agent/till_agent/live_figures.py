"""What the metrics say besides the status, read at the moment that somebody looks."""

from typing import TYPE_CHECKING

from till_agent.api import Status
from till_agent.metrics import Live, Watched

if TYPE_CHECKING:
    from till_agent.facade import Agent


def live_figures(agent: "Agent", status: Status) -> Live:
    """Of this agent, now."""
    core, figures = agent.open_core, agent.figures_of_journal
    policies, watching = agent.policies, agent.supervision
    return Live(
        listeners=agent.events.listener_count,
        listeners_dropped=agent.events.listeners_dropped,
        events=agent.events.published,
        flags=core.conduct.conduct.count if core else 0,
        problems=tuple([(each.code, each.level) for each in status.problems]),
        parked=figures.parked if figures else 0,
        last_seq=figures.last_seq if figures else 0,
        heartbeats=agent.beating.counts,
        update=agent.beating.update,
        policy_version=policies.version if policies else 0,
        policy_refused=policies.refused if policies else 0,
        watched=Watched(
            fed=watching.watchdog.fed,
            loop_delay_s=watching.delay_s,
            journal_round_trip_s=watching.round_trip_s,
        )
        if watching
        else None,
    )

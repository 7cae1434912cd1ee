"""Whoever started the agent hears how it is, and an agent that can't sell any more ends, to be started again."""

from till_agent.supervision.notifying import Notifier, notifier
from till_agent.supervision.supervising import Supervision, supervised

__all__ = ["Notifier", "Supervision", "notifier", "supervised"]

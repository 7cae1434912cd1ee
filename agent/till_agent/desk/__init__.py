"""The sale desk: identify, quote, hold, sell, void, give back. No HTTP, no SQL."""

from till_agent.desk.answers import Answered
from till_agent.desk.desk import Desk
from till_agent.desk.parts import DeskParts, DeskSettings, StoreIdentity

__all__ = ["Answered", "Desk", "DeskParts", "DeskSettings", "StoreIdentity"]

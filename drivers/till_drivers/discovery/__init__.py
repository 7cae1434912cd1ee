"""What is plugged in, what each thing probably is, and the settings by which a driver finds it again.

`discover` reads what the system tells (never a device's data) and asks network printers at given addresses how they
are. It blocks for at most its deadline; a source that fails or hangs says so and keeps no other from being read.
"""

from till_drivers.discovery.found import Discovery, Fit, Found, SourceFault
from till_drivers.discovery.sources import DEADLINE_S, discover
from till_drivers.discovery.system import System

__all__ = ["DEADLINE_S", "Discovery", "Fit", "Found", "SourceFault", "System", "discover"]

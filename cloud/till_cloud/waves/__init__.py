"""Waves: a new version of programs, programme (slip templates are in it) or config reaches some tills first.

A wave opens step by step: the canary stores' tills and a few more, then more, then all. It halts by itself when tills
go back to the version before, refuse it, or have problems since. `wanted_for` says what a till is to have now;
`programme_key`, by which programme it is to sell.
"""

from till_cloud.waves.choosing import held_back, in_wave, programme_key, wanted_for
from till_cloud.waves.moving import StartOrder, advance, halt, resume, start, withdraw
from till_cloud.waves.watching import at_heartbeat, note

__all__ = [
    "StartOrder",
    "advance",
    "at_heartbeat",
    "halt",
    "held_back",
    "in_wave",
    "note",
    "programme_key",
    "resume",
    "start",
    "wanted_for",
    "withdraw",
]

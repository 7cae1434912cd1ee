"""What slow tags of phones may cost (docs/decisions/0040): scrypt's N; half of it halves a look-up and a thief's work.

Apart from what makes them, so that commands can offer them before anything is loaded. The library takes any power of
two: tests and the demo use one that costs nothing.
"""

USUAL_COST = 2**14
COSTS = (2**13, USUAL_COST, 2**15, 2**16)
"""From 27 ms and 8 MB of a processor of today on, each twice as much; small tills take longer."""

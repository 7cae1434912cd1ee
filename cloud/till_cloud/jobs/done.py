"""The figures of a run of jobs."""

from msgspec import Struct


class JobsDone(Struct):
    """What a run did. `expired_points` of `expired_members`; members whose points awoke, who had a birthday, moved.

    `lent_points` were put at hand of tills, of `lent_members`. `window_left` members left a store's window, and
    `window_back` came back into one.
    """

    expired_members: int = 0
    expired_points: int = 0
    awoken_members: int = 0
    birthday_members: int = 0
    birthday_points: int = 0
    tier_moves: int = 0
    usage_removed: int = 0
    lent_members: int = 0
    lent_points: int = 0
    window_left: int = 0
    window_back: int = 0

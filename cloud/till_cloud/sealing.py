"""The keys that tills seal people to: the newest is told to tills, the former ones stay to open what was sealed."""

import sqlite3

from till_cloud.store import meta
from till_sync.sealing import new_private_key


def rotate(connection: sqlite3.Connection) -> int:
    """A new key for what is sealed from now on; how many there are. A till hears of it within ten minutes.

    Former keys are never dropped: a till that was put away for a year may still bring what was sealed to one.
    """
    kept = (new_private_key(), *meta.seal_keys(connection))
    meta.set_seal_keys(connection, kept)
    return len(kept)

"""Slow tags of phones in the chains of tests: as `cloud init` begins them and a cloud makes them, but for nothing."""

from contextlib import closing
from pathlib import Path

from till_cloud.centre import Centre
from till_cloud.jobs import slow_phones
from till_cloud.store import slow_tags

CHEAP = 2
"""Any power of two will do; the commands offer 8,192 at least, which is 27 ms a phone."""


def make_slow(database: Path) -> None:
    """Give all members of a chain slow tags, and have tills record no others; no till has heard of its cost yet."""
    with closing(Centre(database)) as centre:
        make_slow_at(centre)


def make_slow_at(centre: Centre) -> None:
    """The same where the cloud runs; members whose points are held for a receipt are left for another time."""
    centre.write(lambda connection: slow_tags.begin(connection, CHEAP)).result()
    slow_phones.run(
        centre.read,
        lambda work: centre.write(work).result(),
        cost=CHEAP,
        registry=centre.registry,
        wall_ms=centre.wall_ms,
    )

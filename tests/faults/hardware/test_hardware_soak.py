"""Scans and slips under random unplugging, short in the suite and two hours of a shop in `make soak`."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from faults.hardware.soak_shop import PATIENCE_S, Found, SoakShop

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs pseudo-terminals and /proc"),
]

ACTIONS = 300
SOAK_ACTIONS = 10_000
SEED = 20261122
GROWTH_KIB = 4_096
"""What the resident memory may grow by over the last four fifths of a soak; the record of what happened included."""


def soak(folder: Path, actions: int, seed: int, *, patience_s: float = PATIENCE_S) -> Found:
    """Play it, hold it against every promise, and against itself: it ends with what it held early on."""
    shop = SoakShop(folder, seed, patience_s=patience_s)
    found = asyncio.run(shop.run(actions))
    shop.check()
    assert found.late.threads <= found.early.threads, found
    assert found.late.descriptors <= found.early.descriptors, found
    return found


def test_no_scan_is_lost_or_doubled_and_no_slip_printed_twice_whatever_is_unplugged(tmp_path: Path) -> None:
    """Each code that was read is told once, in order; each slip is on paper once, or in doubt and at most once."""
    found = soak(tmp_path, ACTIONS, SEED)
    assert min(found.unplugs, found.faults, found.unknown) > 0, found
    assert found.printed > found.slips / 2, found


@pytest.mark.soak
@pytest.mark.timeout(3_600)
def test_two_hours_of_a_shop_with_random_unplugging(tmp_path: Path) -> None:
    """10,000 scans and slips; memory, threads and descriptors stay flat. SOAK_SEED plays another one."""
    found = soak(tmp_path, SOAK_ACTIONS, int(os.environ.get("SOAK_SEED", str(SEED))))
    print(found)
    assert found.late.resident_kib - found.early.resident_kib < GROWTH_KIB, found

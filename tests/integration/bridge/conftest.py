"""A bridge on a real socket for all tests of a module; each finds it as it was at the start."""

from collections.abc import Iterator

import pytest

from integration.bridge.bridge_kit import LiveBridge, live_bridge


@pytest.fixture(scope="module")
def served() -> Iterator[LiveBridge]:
    """Takes a tenth of a second to come up."""
    with live_bridge() as running:
        yield running


@pytest.fixture
def live(served: LiveBridge) -> LiveBridge:
    """With nothing of the test before: neither what it called nor what it broke."""
    served.bridge.calls.clear()
    served.bridge.refusals.clear()
    served.bridge.failure = None
    served.bridge.not_ready = ""
    # The bucket of all who have no token refills by this clock.
    served.clock.now_ms += 60_000
    return served

"""A call in a device's thread while the loop itself is held up, as on a till that does too much at once."""

import asyncio
import threading
import time

import pytest

from till_drivers.transports import DeviceThread

TIMEOUT_MS = 50


def held_up(finished: threading.Event) -> None:
    """Keep the loop busy until the call has returned and its time is over, so that it hears of both at once."""
    assert finished.wait(10)
    time.sleep(TIMEOUT_MS / 1000)


def test_an_answer_that_came_while_the_loop_was_busy_is_not_thrown_away() -> None:
    """The device answered in time; that the loop looked late is no fault of it, and its bytes are a scanned card."""

    async def scene() -> bytes:
        thread, finished = DeviceThread("test"), threading.Event()

        def work() -> bytes:
            finished.set()
            return b"a card"

        asyncio.get_running_loop().call_soon(held_up, finished)
        try:
            return await thread.call(work, TIMEOUT_MS)
        finally:
            thread.end()

    assert asyncio.run(scene()) == b"a card"


def test_an_error_that_came_while_the_loop_was_busy_is_told_as_it_is() -> None:
    """An unplugged device is not taken for one whose driver hangs."""

    async def scene() -> None:
        thread, finished = DeviceThread("test"), threading.Event()

        def work() -> bytes:
            finished.set()
            raise OSError("unplugged")

        asyncio.get_running_loop().call_soon(held_up, finished)
        try:
            await thread.call(work, TIMEOUT_MS)
        finally:
            thread.end()

    with pytest.raises(OSError, match="unplugged"):
        asyncio.run(scene())

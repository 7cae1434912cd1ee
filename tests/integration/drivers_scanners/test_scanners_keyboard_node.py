"""The keyboard driver over nodes that are not there, that are no input devices, and that send events and go away.

There is no input device on a build machine: a FIFO stands in for one, and asking for the keys is recorded. What the
kernel answers to that on a node that is no input device is its own.
"""

import asyncio
import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from integration.drivers_scanners.scanner_kit import Counter, running
from till_config.settings import ScannerSettings
from till_drivers.exceptions import TransportAbsent, TransportLost
from till_drivers.scanners.keyboard import KeyboardScanner, KeyboardSource
from till_drivers.scanners.keyboard_keys import KeyReader
from unit.drivers_scanners.keys_kit import DROPPED, down, typed

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="FIFOs are POSIX")


class Node:
    """A FIFO that a keyboard's events come from, and who grabbed it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.grabs = 0
        self.refuses: OSError | None = None
        self._writer: int | None = None

    def plug(self) -> None:
        os.mkfifo(self.path)
        # Both ends, so that neither opening waits for the other.
        self._writer = os.open(self.path, os.O_RDWR)

    def send(self, data: bytes) -> None:
        assert self._writer is not None
        os.write(self._writer, data)

    def unplug(self) -> None:
        if self._writer is not None:
            os.close(self._writer)
            self._writer = None
            self.path.unlink()

    def grab(self, descriptor: int) -> None:
        if self.refuses is not None:
            raise self.refuses
        os.fstat(descriptor)
        self.grabs += 1

    def locate(self) -> str:
        if not self.path.exists():
            raise TransportAbsent(f"{self.path}: not plugged in")
        return str(self.path)


def scanner(node: Node, **settings: object) -> KeyboardScanner:
    return KeyboardScanner(
        ScannerSettings(name="s1", driver="keyboard", port=str(node.path), **settings),  # type: ignore[arg-type]  # settings by keyword
        source=KeyboardSource(str(node.path), node.locate, grab=node.grab),
    )


def day(node: Node, story: Callable[[Counter], object], **settings: object) -> Counter:
    """A story with a driver over the node."""

    async def run() -> Counter:
        async with running(scanner(node, **settings)) as counter:
            await story(counter)  # type: ignore[misc]  # each story is a coroutine function
        return counter

    try:
        return asyncio.run(run())
    finally:
        node.unplug()


def test_typed_codes_come_through_in_any_pieces(tmp_path: Path) -> None:
    """Two codes in one read, one in many, an event cut in two."""
    node = Node(tmp_path / "node")
    node.plug()

    async def story(counter: Counter) -> None:
        await counter.ready()
        data = typed("A1\rB2\r]C10104600000000015\r") + typed("C3") + DROPPED + typed("3\r")
        node.send(data[:100])
        await asyncio.sleep(0.01)
        node.send(data[100:1000])
        await asyncio.sleep(0.01)
        node.send(data[1000:] + typed("END\r"))
        await counter.until(lambda: "END" in counter.texts)

    counter = day(node, story)
    assert counter.texts == ["A1", "B2", "0104600000000015", "END"]
    assert counter.scans[2].gs1 == {"01": "04600000000015"}
    assert (node.grabs, counter.states[-1]) == (1, "disabled")


def test_unplugged_in_mid_code_and_back(tmp_path: Path) -> None:
    """Half a typed code is never told nor joined to the next; keys that were held are up."""
    node = Node(tmp_path / "node")

    async def story(counter: Counter) -> None:
        await counter.until(lambda: "absent" in counter.states)
        node.plug()
        await counter.ready()
        node.send(typed("WHOLE\r29000") + down(42))
        await counter.until(lambda: bool(counter.texts))
        node.unplug()
        await counter.until(lambda: "lost" in counter.states)
        node.plug()
        await counter.ready(2)
        node.send(typed("next\r"))
        await counter.until(lambda: len(counter.texts) == 2)

    counter = day(node, story)
    assert counter.texts == ["WHOLE", "next"]
    assert node.grabs == 2


def test_a_driver_that_keeps_the_half_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mutant: nothing is forgotten between two openings."""
    monkeypatch.setattr(KeyReader, "reset", lambda _self: None)
    with pytest.raises(AssertionError, match="29000"):
        test_unplugged_in_mid_code_and_back(tmp_path)


def test_keys_typed_before_the_agent_listened_are_not_a_scan(tmp_path: Path) -> None:
    """What lay in the node is stale."""
    node = Node(tmp_path / "node")
    node.plug()
    node.send(typed("STALE\r"))

    async def story(counter: Counter) -> None:
        await counter.ready()
        node.send(typed("FRESH\r"))
        await counter.until(lambda: bool(counter.texts))

    assert day(node, story).texts == ["FRESH"]


def test_a_scanner_without_enter_ends_codes_by_silence(tmp_path: Path) -> None:
    """With gap_ms, as on a serial line."""
    node = Node(tmp_path / "node")
    node.plug()

    async def story(counter: Counter) -> None:
        await counter.ready()
        node.send(typed("NOEND"))
        await counter.until(lambda: bool(counter.texts))

    assert day(node, story, gap_ms=50).texts == ["NOEND"]


def test_a_scanner_that_another_program_holds_is_said_to_be_held(tmp_path: Path) -> None:
    """Its keys would reach both: it is not read at all."""
    node = Node(tmp_path / "node")
    node.plug()
    node.refuses = OSError(errno.EBUSY, "Device or resource busy")

    async def story(counter: Counter) -> None:
        await counter.until(lambda: "absent" in counter.states)
        assert counter.detail.endswith("another program holds it")
        node.refuses = None
        await counter.ready()

    assert day(node, story).texts == []


@pytest.mark.parametrize("file", ["missing", "regular", "/dev/null"])
def test_what_is_no_input_device_is_refused_by_the_kernel(tmp_path: Path, file: str) -> None:
    """The real grab on a node that is missing or something else: a clear word, no crash, no reading."""
    path = Path(file) if file.startswith("/") else tmp_path / file
    if file == "regular":
        path.write_bytes(typed("A1\r"))

    async def run() -> str:
        driver = KeyboardScanner(ScannerSettings(name="s1", driver="keyboard", port=str(path)))
        async with running(driver) as counter:
            await counter.until(lambda: "absent" in counter.states)
            return counter.detail

    expected = "not plugged in" if file == "missing" else "expected an input device, not another file"
    assert asyncio.run(run()) == f"{path}: {expected}"


def test_a_device_that_goes_in_mid_read_is_lost(tmp_path: Path) -> None:
    """What the kernel answers to a read from a keyboard that was pulled out."""
    node = Node(tmp_path / "node")
    node.plug()

    async def run() -> None:
        source = KeyboardSource("s1", node.locate, grab=node.grab)
        await source.open(1000)
        reading = asyncio.create_task(source.read(1024, 5000))
        await asyncio.sleep(0.01)
        node.unplug()
        with pytest.raises(TransportLost, match="not plugged in"):
            await reading
        await source.close(500)
        with pytest.raises(TransportLost, match="not open"):
            await source.read(1024, 0)

    asyncio.run(run())


def test_closing_ends_a_read_that_waits(tmp_path: Path) -> None:
    """A stop does not wait for a key."""
    node = Node(tmp_path / "node")
    node.plug()

    async def run() -> None:
        source = KeyboardSource("s1", node.locate, grab=node.grab)
        await source.open(1000)
        reading = asyncio.create_task(source.read(1024, 60_000))
        await asyncio.sleep(0.01)
        await source.close(500)
        async with asyncio.timeout(5):
            with pytest.raises(TransportLost, match="closed"):
                await reading

    asyncio.run(run())
    node.unplug()

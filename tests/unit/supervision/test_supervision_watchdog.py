"""The watchdog's judgement, tick by tick, with no clock and no process."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from till_agent.supervision import watchdog as watchdogs
from till_agent.supervision.notifying import Notifier
from till_agent.supervision.watchdog import (
    BRIDGE,
    BRIDGE_TICKS,
    DISK_TICKS,
    EXIT_SALE_PATH_DEAD,
    JOURNAL,
    LOOP,
    LOOP_TICKS,
    START_TICKS,
    WRITER_DEAD_TICKS,
    WRITER_TICKS,
    Watchdog,
)


class Ear:
    """A service manager's socket."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address.replace("@", "\0", 1) if address.startswith("@") else address)
        self.socket.setblocking(False)

    def heard(self) -> list[str]:
        lines: list[str] = []
        while True:
            try:
                lines += self.socket.recv(4096).decode().split("\n")
            except BlockingIOError:
                return lines


@pytest.fixture
def ear(tmp_path: Path) -> Iterator[Ear]:
    made = Ear(str(tmp_path / "n"))
    yield made
    made.socket.close()


class Watched:
    """A watchdog that is ticked by hand, over a bridge that answers as the test says."""

    def __init__(self, told: Notifier | None = None) -> None:
        self.ends: list[int] = []
        self.journal_ticks = WRITER_TICKS
        self.dog = Watchdog(told or Notifier(), end=self.ends.append, journal_ticks=lambda: self.journal_ticks)

    def ticks(self, count: int, *beating: str) -> None:
        for _ in range(count):
            for part in beating:
                self.dog.beat(part)
            self.dog.tick()


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Watched:
    """The bridge is not there: its beats come from the test."""
    monkeypatch.setattr(Watchdog, "_ask_bridge", lambda _self: None)
    monkeypatch.setattr(watchdogs, "dump", lambda _why: None)
    made = Watched()
    made.dog.ready(1)
    return made


def test_a_till_that_answers_is_left_alone(watched: Watched) -> None:
    """However long."""
    watched.ticks(1000, LOOP, JOURNAL, BRIDGE)
    assert watched.ends == []
    assert watched.dog.fed == 1000


@pytest.mark.parametrize(("part", "limit"), [(LOOP, LOOP_TICKS), (JOURNAL, WRITER_TICKS), (BRIDGE, BRIDGE_TICKS)])
def test_each_part_is_given_its_time_and_no_more(watched: Watched, part: str, limit: int) -> None:
    """At its limit it is alive; one tick later the process ends, with a status of its own."""
    others = {LOOP, JOURNAL, BRIDGE} - {part}
    watched.ticks(limit, *others)
    assert watched.ends == []
    watched.ticks(1, *others)
    assert watched.ends == [EXIT_SALE_PATH_DEAD]


def test_a_dead_writer_is_not_waited_for(watched: Watched) -> None:
    """A thread that has ended answers no more."""
    watched.journal_ticks = WRITER_DEAD_TICKS
    watched.ticks(WRITER_DEAD_TICKS + 1, LOOP, BRIDGE)
    assert watched.ends == [EXIT_SALE_PATH_DEAD]


def test_a_disk_that_stalls_is_waited_for(watched: Watched) -> None:
    """Half a minute in a sync is the disk's fault, and a new process would have the same disk."""
    watched.journal_ticks = DISK_TICKS
    watched.ticks(30, LOOP, BRIDGE)
    watched.ticks(5, LOOP, BRIDGE, JOURNAL)
    assert watched.ends == []


def test_a_stall_that_ends_is_forgotten(watched: Watched) -> None:
    """Silence counts from the last answer on."""
    for _ in range(20):
        watched.ticks(LOOP_TICKS - 1, JOURNAL, BRIDGE)
        watched.ticks(1, LOOP, JOURNAL, BRIDGE)
    assert watched.ends == []


def test_a_start_may_take_a_minute_and_asks_for_time(ear: Ear, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the bridge listens only the loop is watched, and systemd is asked to wait."""
    monkeypatch.setattr(watchdogs, "dump", lambda _why: None)
    watched = Watched(Notifier(str(tmp_path / "n")))
    watched.ticks(45)
    assert watched.ends == []
    watched.ticks(START_TICKS - 45)
    assert watched.ends == []
    assert "EXTEND_TIMEOUT_USEC=20000000" in ear.heard()
    watched.ticks(1)
    assert watched.ends == [EXIT_SALE_PATH_DEAD]


def test_a_dead_till_is_not_fed(ear: Ear, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even once: should it not be able to end itself, the service manager does it."""
    monkeypatch.setattr(Watchdog, "_ask_bridge", lambda _self: None)
    monkeypatch.setattr(watchdogs, "dump", lambda _why: None)
    watched = Watched(Notifier(str(tmp_path / "n")))
    watched.dog.ready(1)
    watched.ticks(LOOP_TICKS, JOURNAL, BRIDGE)
    assert ear.heard().count("WATCHDOG=1") == LOOP_TICKS
    watched.ticks(5, JOURNAL, BRIDGE)
    assert ear.heard() == []


def test_who_stops_is_not_ended(watched: Watched) -> None:
    """A part that is closed answers no more, and that is in order."""
    watched.dog.stop()
    watched.ticks(100)
    assert watched.ends == []


def test_any_answer_of_the_bridge_counts_and_silence_does_not() -> None:
    """A refusal too: who floods it must not get it restarted."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        watched = Watched()
        watched.dog.ready(server.getsockname()[1])
        watched.ticks(watchdogs.PROBE_EVERY_TICKS, LOOP, JOURNAL)
        peer, _ = server.accept()
        with peer:
            assert peer.recv(4096).startswith(b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1:")
            silent = watched.dog.silent[BRIDGE]
            watched.ticks(1, LOOP, JOURNAL)
            assert watched.dog.silent[BRIDGE] == silent + 1
            peer.sendall(b"HTTP/1.1 429 Too Many Requests\r\n\r\n")
            watched.ticks(1, LOOP, JOURNAL)
            assert watched.dog.silent[BRIDGE] == 1
        watched.dog.stop()


def test_a_closed_port_is_silence_and_nothing_worse() -> None:
    """The listening socket is gone: counted, not raised."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    watched = Watched()
    watched.dog.ready(port)
    watched.ticks(10, LOOP, JOURNAL)
    assert watched.dog.silent[BRIDGE] == 10


@pytest.mark.parametrize("abstract", [False, True])
def test_the_protocol_is_as_systemd_reads_it(tmp_path: Path, abstract: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each message one datagram of lines, to a socket in a folder or to an abstract one; the children hear of none."""
    address = f"@tillside-test-{tmp_path.name}-{id(tmp_path)}" if abstract else str(tmp_path / "n")
    ear = Ear(address)
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    monkeypatch.setenv("WATCHDOG_USEC", "10000000")
    told = Notifier.of_environment()
    assert told.watchdog_s == 10.0
    told.ready("sales are\ntaken")
    told.reloading()
    told.stopping()
    lines = ear.heard()
    assert lines[:3] == ["READY=1", "STATUS=sales are taken", "RELOADING=1"]
    assert lines[3].startswith("MONOTONIC_USEC=")
    assert lines[4:] == ["STOPPING=1", "STATUS=stopping"]
    assert Notifier.of_environment().is_heard is False
    ear.socket.close()
    told.status("nobody hears it, and nothing is raised")

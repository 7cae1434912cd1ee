"""The simulated printer over TCP: what it answers and prints in each state, and what its control port does."""

import asyncio
from typing import Any

import pytest

from integration.drivers_printers.printers_rig import names, slip, tcp_simulator, until
from kit.loops import run
from till_drivers.blocks import Barcode, Cut, QrCode, Text
from till_drivers.exceptions import SimulatorError, SimulatorLate
from till_drivers.printers import PROFILE_80MM, render
from till_drivers.simulators.control import LINE_LIMIT
from till_drivers.simulators.printer import PrinterSimulator
from till_drivers.simulators.printer_control import control_printer, serve_control

ASK_ALL = b"\x10\x04\x01\x10\x04\x02\x10\x04\x03\x10\x04\x04"
PROOF = b"\x1dr\x01"


class Line:
    """One raw connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def ask(self, data: bytes, size: int) -> bytes:
        self.writer.write(data)
        return await self.reader.readexactly(size)

    async def close(self) -> None:
        self.writer.close()
        await self.writer.wait_closed()


async def connect(port: int) -> Line:
    return Line(*await asyncio.open_connection("127.0.0.1", port))


@pytest.mark.parametrize(
    ("behaviour", "status"),
    [
        ("normal", "12121212"),
        ("near-end", "1212121e"),
        ("late+near-end", "1212121e"),
        ("paper-out", "1a32127e"),
        ("cover-open", "1a161212"),
        ("cutter-error", "1a521a12"),
        ("cover-open+paper-out", "1a36127e"),
    ],
)
def test_status_is_answered_at_once_in_every_state(behaviour: str, status: str) -> None:
    """Behind a picture's header as well, which swallows what comes for its rows but not the question in it."""

    async def go() -> None:
        async with tcp_simulator() as (simulator, port):
            line = await connect(port)
            await simulator.behave(behaviour)
            assert (await line.ask(ASK_ALL, 4)).hex() == status
            assert (await line.ask(b"\x1dv0\0\x08\0\xff\0" + ASK_ALL, 4)).hex() == status
            await line.close()

    run(go())


def test_silent_and_deaf_printers_answer_nothing_and_what_waits_is_printed_when_they_are_well() -> None:
    """A silent one prints meanwhile."""

    async def go() -> None:
        async with tcp_simulator() as (simulator, port):
            line = await connect(port)
            await simulator.behave("silent")
            line.writer.write(ASK_ALL + slip("a") + PROOF)
            await until(lambda: simulator.slip_count == 1)
            await simulator.behave("deaf")
            line.writer.write(ASK_ALL + slip("b") + PROOF)
            await line.writer.drain()
            assert simulator.slip_count == 1
            await simulator.behave("normal")
            assert await line.reader.readexactly(5) == b"\x12\x12\x12\x12\x00"
            assert names(simulator) == ["Чек a", "Чек b"]
            await line.close()

    run(go())


def test_automatic_status_is_told_at_once_and_at_each_change_until_it_is_switched_off() -> None:
    """To the connection that asked, and to no other."""

    async def go() -> None:
        async with tcp_simulator() as (simulator, port):
            line, other = await connect(port), await connect(port)
            assert await line.ask(b"\x1da\x0a", 4) == bytes.fromhex("1000000f")
            await simulator.behave("cover-open")
            assert await line.reader.readexactly(4) == bytes.fromhex("3800000f")
            await simulator.behave("slow+near-end")
            assert await line.reader.readexactly(4) == bytes.fromhex("1000030f")
            await simulator.behave("near-end")  # nothing that it asked for has changed
            assert await line.ask(b"\x1da\x00" + PROOF, 1) == b"\x03"
            await simulator.behave("paper-out")
            assert await line.ask(b"\x10\x04\x01", 1) == b"\x1a"
            assert await other.ask(b"\x10\x04\x01", 1) == b"\x1a"
            await line.close()
            await other.close()

    run(go())


def test_it_says_who_it_is() -> None:
    """`GS I`."""

    async def go() -> None:
        async with tcp_simulator() as (_, port):
            line = await connect(port)
            assert await line.ask(b"\x1dIB\x1dIC", 21) == b"_TILLSIDE\0_SIMULATOR\0"
            assert len(await line.ask(b"\x1dI\x01", 1)) == 1
            await line.close()

    run(go())


@pytest.mark.parametrize(("number", "printed"), [(1, ["Чек a", "Чек b"]), (2, ["Чек b"])])
def test_a_knife_that_jams_stops_the_slip_until_a_recovery_request_comes(number: int, printed: list[str]) -> None:
    """`DLE ENQ 1` goes on with what waits, `DLE ENQ 2` forgets it; what is on paper already is a torn slip."""

    async def go() -> None:
        async with tcp_simulator() as (simulator, port):
            line = await connect(port)
            await simulator.behave("jams")
            line.writer.write(slip("a") + PROOF)
            await until(lambda: simulator.behaviour == "cutter-error")
            assert await line.ask(ASK_ALL, 4) == bytes.fromhex("1a521a12")
            line.writer.write(bytes((0x10, 0x05, number)))
            await until(lambda: simulator.behaviour == "normal")
            assert await line.ask(slip("b") + PROOF, 2 if number == 1 else 1) == bytes(3 - number)
            whole = [name for name, kept in zip(names(simulator), simulator.slips, strict=True) if not kept.torn]
            assert whole == printed
            await line.close()

    run(go())


def test_paper_that_runs_out_within_a_slip_stops_it_there_and_the_rest_comes_with_new_paper() -> None:
    """By itself: that is why a slip in doubt is never sent again."""

    async def go() -> None:
        async with tcp_simulator() as (simulator, port):
            line = await connect(port)
            await simulator.behave("paper-out", after_lines=2)
            assert await line.ask(ASK_ALL, 4) == bytes.fromhex("12121212")
            line.writer.write(slip("a", lines=6) + PROOF)
            await until(lambda: simulator.behaviour == "paper-out")
            assert (simulator.slip_count, simulator.is_blank) == (0, False)
            await simulator.behave("normal")
            assert await line.reader.readexactly(1) == b"\x00"
            assert "Строка 5" in simulator.slips[0].text()
            await line.close()

    run(go())


def test_a_late_printer_that_dies_before_it_began_prints_nothing() -> None:
    """Its memory is gone with its power."""

    async def go() -> None:
        async with tcp_simulator() as (simulator, port):
            line = await connect(port)
            await simulator.behave("late+dies", dies_after=len(slip("a")))
            line.writer.write(slip("a"))
            assert await line.reader.read() == b""
            await simulator.behave("normal")
            again = await connect(port)
            assert await again.ask(slip("b") + PROOF, 1) == b"\x00"
            assert names(simulator) == ["Чек b"]
            await line.close()
            await again.close()

    run(go())


async def controlled(simulator: PrinterSimulator) -> tuple[asyncio.Server, Any]:
    """A control port, and a client of it that does not hold up the loop."""
    server = await serve_control(simulator)
    port = server.sockets[0].getsockname()[1]

    async def do(what: str, **fields: object) -> dict[str, Any]:
        return await asyncio.to_thread(control_printer, port, what, **fields)

    return server, do


def test_slips_are_listed_read_and_waited_for_over_the_control_port() -> None:
    """By count, and by a word on them; the data of codes is told."""

    async def go() -> None:
        async with tcp_simulator() as (simulator, port):
            server, do = await controlled(simulator)
            waiting = asyncio.ensure_future(do("wait", text="N2", timeout_ms=20_000))
            line = await connect(port)
            coded = render([Text(text="N2"), QrCode(data="https://x.test/1"), Cut()], PROFILE_80MM)
            line.writer.write(slip("N1") + coded)
            found = (await waiting)["slip"]
            assert (found["number"], found["torn"]) == (2, False)
            assert found["codes"] in ([{"kind": "qr", "data": "https://x.test/1"}], [])  # or it was drawn as a picture
            listed = (await do("slips"))["list"]
            assert [(each["number"], each["first"]) for each in listed] == [(1, "Чек N1"), (2, "N2")]
            assert "Строка 1" in (await do("slip", slip=1))["slip"]["text"]
            assert (await do("wait", slips=2))["slips"] == 2
            barcode = render([Text(text="N3"), Barcode(data="2900000000018"), Cut()], PROFILE_80MM)
            line.writer.write(barcode)
            found = (await do("wait", slips=3, timeout_ms=20_000))["slip"]
            assert [each["data"] for each in found["codes"] if each["kind"] == "barcode"] in (["2900000000018"], [])
            server.close()
            await line.close()

    run(go())


def test_what_does_not_come_is_told_as_late_and_what_makes_no_sense_as_refused() -> None:
    """Each in words, and the connection goes on."""

    async def go() -> None:
        async with tcp_simulator() as (simulator, port):
            server, do = await controlled(simulator)
            await simulator.behave("paper-out")
            line = await connect(port)
            line.writer.write(slip("a"))
            with pytest.raises(SimulatorLate, match="the printer is paper-out"):
                await do("wait", slips=1, timeout_ms=50)
            for what, fields, word in [
                ("wait", {}, "expected slips or text"),
                ("wait", {"slips": 1, "timeout_ms": -1}, "expected timeout_ms"),
                ("slip", {"slip": 9}, "expected one of the last"),
                ("render", {}, "expected one of the last"),
                ("behave", {"as": "slow", "lines": 3}, "expected a count of lines with what stops a printer"),
                ("dance", {}, "expected do"),
                ("x" * (LINE_LIMIT - 100), {}, "expected do"),
            ]:
                with pytest.raises(SimulatorError, match=word):
                    await do(what, **fields)
            server.close()
            await line.close()

    run(go())


def test_a_reset_leaves_nothing_to_the_next_test() -> None:
    """What waited for paper is not printed, and the numbers go on."""

    async def go() -> None:
        async with tcp_simulator() as (simulator, port):
            server, do = await controlled(simulator)
            line = await connect(port)
            assert await line.ask(slip("a") + PROOF, 1) == b"\x00"
            await simulator.behave("paper-out")
            line.writer.write(slip("b"))
            await until(lambda: not simulator.is_blank)
            assert (await do("reset"))["behaviour"] == "normal"
            assert (await do("slips"))["list"] == []
            assert await line.ask(slip("c") + PROOF, 1) == b"\x00"
            assert [each["first"] for each in (await do("slips"))["list"]] == ["Чек c"]
            server.close()
            await line.close()

    run(go())

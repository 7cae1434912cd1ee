"""The simulated scanner as a process of its own, steered from programs and shells; the real driver reads it."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from integration.drivers_printers.printers_rig import until
from kit.loops import run
from till_config.settings import ScannerSettings
from till_drivers.exceptions import SimulatorError
from till_drivers.ports import Scan
from till_drivers.scanners.serial_scanner import SerialScanner
from till_drivers.simulators.cli import simulate
from till_drivers.simulators.scanner_control import NOISE_LIMIT, control_scanner
from till_drivers.simulators.scanner_run import typed

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs pseudo-terminals")


async def start(tmp_path: Path, *options: str) -> tuple[asyncio.subprocess.Process, dict[str, Any]]:
    """A simulated scanner; its input is empty from the start, as that of a pipeline's background jobs."""
    ready = tmp_path / "scanner.json"
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "from till_drivers.simulators.cli import simulate; simulate()",
        "scanner", "--link", str(tmp_path / "scanner"), "--ready-file", str(ready), *options,
        stdin=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE, env=os.environ,
    )  # fmt: skip
    await until(ready.exists)
    return child, json.loads(ready.read_text())


@asynccontextmanager
async def reading(tmp_path: Path) -> AsyncIterator[tuple[list[Scan], list[str]]]:
    """The driver: what it scanned and its states so far."""
    scans, states = list[Scan](), list[str]()
    driver = SerialScanner(ScannerSettings(name="s", port=str(tmp_path / "scanner")))
    task = asyncio.create_task(driver.run(scans.append, lambda health: states.append(health.state)))
    try:
        await until(lambda: "ready" in states)
        yield scans, states
    finally:
        await driver.stop()
        await task


def shell(*words: str | int) -> Result:
    return CliRunner().invoke(simulate, [str(word) for word in words])


def test_codes_of_every_kind_are_scanned_over_the_control_port(tmp_path: Path) -> None:
    """Whole, in pieces, with an AIM identifier, GS1, raw, behind noise; unplugged in mid-code and back."""

    async def go() -> None:
        child, facts = await start(tmp_path, "--control", "0")
        port = facts["control_port"]

        async def do(what: str, **fields: object) -> dict[str, Any]:
            return await asyncio.to_thread(control_scanner, port, what, **fields)

        async with reading(tmp_path) as (scans, states):
            await do("scan", code="2900000000018")
            await do("scan", code="PIECES", pieces=4, pause_ms=5)
            await do("scan", code="4600000000015", aim="E0")
            await do("gs1", code="(01)04600000000015(10)A1(21)77", aim="d2")
            await do("raw", hex=b"RAW1\rRAW2\r".hex())
            await do("noise", bytes=40, seed=5)
            await do("raw", hex="0d")
            await do("scan", code="AFTER")
            await until(lambda: bool(scans) and scans[-1].text == "AFTER")
            assert [(scan.text, scan.aim) for scan in scans[:6]] == [
                ("2900000000018", ""), ("PIECES", ""), ("4600000000015", "E0"),
                ("010460000000001510A1\x1d2177", "d2"), ("RAW1", ""), ("RAW2", ""),
            ]  # fmt: skip
            count = len(scans)
            gone = await do("scan", code="HALF", pieces=2, unplug_after=3)
            assert (gone["plugged"], gone["port"], gone["scans"]) == (False, "", 5)
            with pytest.raises(SimulatorError, match="not plugged in"):
                await do("scan", code="X")
            await until(lambda: states[-1] == "lost")
            back = await do("plug")
            assert back["port"] == str((tmp_path / "scanner").readlink())
            await until(lambda: states[-1] == "ready")
            await do("scan", code="WHOLE")
            await until(lambda: len(scans) > count)
            assert [scan.text for scan in scans[count:]] == ["WHOLE"]
            for what, fields, word in [
                ("plug", {}, "plugged in already"),
                ("scan", {}, "expected a code"),
                ("noise", {"bytes": NOISE_LIMIT + 1}, "expected 1 to"),
                ("raw", {"hex": "zz"}, "hexadecimal"),
                ("dance", {}, "expected do"),
            ]:
                with pytest.raises(SimulatorError, match=word):
                    await do(what, **fields)
            assert (await do("status"))["unread_bytes"] == 0
        child.send_signal(signal.SIGTERM)
        await child.communicate()
        assert child.returncode == 0
        assert not (tmp_path / "scanner").is_symlink()

    run(go())


def test_it_is_steered_from_the_shell_by_exit_status_and_one_line(tmp_path: Path) -> None:
    """`scan`, `unplug`, `plug`; what can't be done is 1, with a word."""

    async def go() -> None:
        child, facts = await start(tmp_path, "--control", "0")
        port = facts["control_port"]

        async def does(*words: str | int) -> tuple[int, str]:
            done = await asyncio.to_thread(shell, *words)
            return done.exit_code, done.output

        async with reading(tmp_path) as (scans, _):
            assert await does("scan", port, "A1", "--aim", "C1") == (
                0,
                f"plugged in as {facts['port']}, 1 codes sent\n",
            )
            assert (await does("scan", port, "(01)04600000000015", "--gs1"))[0] == 0
            assert (await does("scan", port, "42320d", "--raw"))[0] == 0
            await until(lambda: len(scans) == 3)
            assert [scan.text for scan in scans] == ["A1", "0104600000000015", "B2"]
            assert await does("unplug", port) == (0, "unplugged, 2 codes sent\n")
            assert (await does("scan", port, "X")) == (1, "Error: the scanner is not plugged in\n")
            assert (await does("plug", port))[0] == 0
        child.send_signal(signal.SIGTERM)
        await child.communicate()
        status, said = await does("unplug", port)
        assert (status, "expected a simulated scanner's control port" in said) == (1, True)

    run(go())


def test_without_a_control_port_it_ends_with_its_input_and_with_one_when_its_time_is_over(tmp_path: Path) -> None:
    """A forgotten simulator does not hold a pipeline; its exit status is 0."""

    async def go() -> None:
        for options in ((), ("--control", "0", "--exit-after", "0.2")):
            child, _ = await start(tmp_path, *options)
            assert (await child.communicate())[1] == b""
            assert child.returncode == 0
            (tmp_path / "scanner.json").unlink()

    run(go())


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", None),
        ("2900", {"do": "scan", "code": "2900"}),
        ("two words", {"do": "scan", "code": "two words"}),
        ("!raw 32 0d", {"do": "raw", "hex": "32 0d"}),
        ("!gs1 (01)1", {"do": "gs1", "code": "(01)1", "aim": "d2"}),
        ("!pieces 3 A B", {"do": "scan", "code": "A B", "pieces": 3}),
        ("!aim E0 46", {"do": "scan", "code": "46", "aim": "E0"}),
        ("!noise 9", {"do": "noise", "bytes": 9}),
        ("!unplug", {"do": "unplug"}),
    ],
)
def test_what_is_typed_is_a_request(line: str, expected: dict[str, object] | None) -> None:
    """A line is a code unless it begins with an exclamation mark."""
    request = typed(line)
    assert (request is None) == (expected is None)
    for name, value in (expected or {}).items():
        assert getattr(request, name) == value


def test_an_unknown_word_after_the_mark_is_refused() -> None:
    """And not scanned."""
    with pytest.raises(SimulatorError, match="expected !plug"):
        typed("!dance")


def printer_commands(control: int, tell: Callable[..., None]) -> None:
    """What an integrator's pipeline would type."""
    tell(("behave", control, "slow+near-end"), 0, "slow+near-end, 0 slips")
    tell(("behave", control, "asleep"), 1, "expected one of normal")
    tell(("behave", control, "paper-out", "--after-lines", 1), 0, "slow+near-end")
    tell(("slips", control), 0, "")
    tell(("slips", control, "--wait", 1, "--seconds", 0.05), 3, "expected 1 slips within 50 ms")
    tell(("slips", control, "--has", "N1", "--seconds", 0), 3, "expected a slip with 'N1'")
    tell(("slip", control), 1, "expected one of the last 100 slips")
    tell(("reset", control), 0, "")
    tell(("behave", control), 0, "normal, 0 slips")
    tell(("slips", 1), 1, "expected a simulated printer's control port")


def test_a_printer_is_steered_from_the_shell_with_a_status_for_each_kind_of_no(tmp_path: Path) -> None:
    """0 done, 1 refused, 2 a wrong option, 3 not in time."""

    async def go() -> None:
        ready = tmp_path / "printer.json"
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", "from till_drivers.simulators.cli import simulate; simulate()",
            "printer", "--tcp", "0", "--out", str(tmp_path / "out"), "--png", "none", "--ready-file", str(ready),
            "--exit-after", "60", stdout=asyncio.subprocess.DEVNULL, env=os.environ,
        )  # fmt: skip
        await until(ready.exists)
        facts = json.loads(ready.read_text())

        def tell(words: tuple[str | int, ...], status: int, said: str) -> None:
            done = shell(*words)
            assert (done.exit_code, said in done.output) == (status, True), (words, done.output)

        await asyncio.to_thread(printer_commands, facts["control_port"], tell)
        _, writer = await asyncio.open_connection("127.0.0.1", facts["port"])
        writer.write(b"\x1b@N1\nTOTAL\n\x1dV\x00")
        await writer.drain()
        control = facts["control_port"]
        shown = await asyncio.to_thread(shell, "slips", control, "--has", "N1")
        assert (shown.exit_code, shown.output) == (0, "N1\nTOTAL\n")
        assert "N1" in (await asyncio.to_thread(shell, "slips", control, "--wait", 1)).output
        assert (
            json.loads((await asyncio.to_thread(shell, "slip", control, 1, "--json")).output)["text"] == "N1\nTOTAL\n"
        )
        drawn = await asyncio.to_thread(shell, "slip", control, "--png")
        assert Path(drawn.output.strip()).stat().st_size > 0
        writer.close()
        child.send_signal(signal.SIGTERM)
        assert await child.wait() == 0

    run(go())

"""`tillside simulate printer` as a process of its own."""

import asyncio
import json
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from PIL import Image

from integration.drivers_printers.printers_rig import job, slip, until
from kit.loops import run
from till_drivers.exceptions import SimulatorError
from till_drivers.ports import Outcome
from till_drivers.printers import EscposPrinter, serial_printer, tcp_printer
from till_drivers.simulators.cli import simulate
from till_drivers.simulators.printer_control import control_printer
from till_drivers.transports import SerialTransport, TcpTransport

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs signals and pseudo-terminals")


async def start(tmp_path: Path, *options: str) -> tuple[asyncio.subprocess.Process, dict[str, Any]]:
    ready = tmp_path / "ready.json"
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "from till_drivers.simulators.cli import simulate; simulate()",
        "printer", "--out", str(tmp_path / "slips"), "--ready-file", str(ready), *options,
        stdout=asyncio.subprocess.PIPE, env=os.environ,
    )  # fmt: skip
    await until(ready.exists)
    return child, json.loads(ready.read_text())


async def end(child: asyncio.subprocess.Process, number: int = signal.SIGTERM) -> str:
    child.send_signal(number)
    output, _ = await child.communicate()
    assert child.returncode == 0
    return output.decode()


def test_it_prints_to_files_on_both_ways_in_and_draws_the_last_slip_at_its_end(tmp_path: Path) -> None:
    """TCP and pseudo-terminal; text always, one PNG."""

    async def go() -> None:
        child, facts = await start(tmp_path, "--tcp", "0", "--pty", str(tmp_path / "tty"))
        assert facts["pid"] == child.pid
        net = EscposPrinter("n", TcpTransport(facts["host"], facts["port"]), keep_open=False)
        line = EscposPrinter("s", SerialTransport(facts["pty"], baud_rate=115_200))
        assert await net.submit(job("1"), 10_000) is Outcome.PRINTED
        assert await line.submit(job("2"), 10_000) is Outcome.PRINTED
        await net.stop()
        await line.stop()
        status = await asyncio.to_thread(control_printer, facts["control_port"], "status")
        assert (status["slips"], status["unknown_commands"], status["behaviour"]) == (2, 0, "normal")
        assert "2 slips" in await end(child)
        files = sorted(file.name for file in (tmp_path / "slips").iterdir())
        assert files == ["slip-000001.txt", "slip-000002.png", "slip-000002.txt"]
        assert "Чек 1" in (tmp_path / "slips" / "slip-000001.txt").read_text()
        assert not (tmp_path / "tty").is_symlink()

    run(go())


def test_it_is_steered_while_it_runs(tmp_path: Path) -> None:
    """Behaviours, pictures on request, and errors that say what was expected."""

    async def go() -> None:
        child, facts = await start(tmp_path, "--tcp", "0", "--png", "none", "--behaviour", "paper-out")
        control = facts["control_port"]
        printer = EscposPrinter("n", TcpTransport(facts["host"], facts["port"]), keep_open=False)
        assert await printer.submit(job("1"), 10_000) is Outcome.REFUSED
        for fields in ({"do": "behave", "as": "asleep"}, {"do": "dance"}, {"do": "render"}):
            with pytest.raises(SimulatorError, match="expected"):
                await asyncio.to_thread(control_printer, control, **fields)
        await asyncio.to_thread(control_printer, control, "behave", **{"as": "normal"})
        assert await printer.submit(job("1"), 10_000) is Outcome.PRINTED
        await printer.stop()
        drawn = await asyncio.to_thread(control_printer, control, "render")
        with Image.open(drawn["path"]) as image:
            assert image.width == 608
        with socket.create_connection(("127.0.0.1", control), timeout=5) as raw:
            raw.sendall(b"nonsense\n")
            assert not json.loads(await asyncio.to_thread(raw.recv, 1000))["ok"]
        await end(child, signal.SIGINT)

    run(go())


def test_numbers_go_on_where_an_earlier_run_ended(tmp_path: Path) -> None:
    """No slip is overwritten; every slip is drawn when asked for."""
    (tmp_path / "slips").mkdir()
    (tmp_path / "slips" / "slip-000041.txt").write_text("")

    async def go() -> None:
        child, facts = await start(tmp_path, "--tcp", "0", "--png", "all")
        _, writer = await asyncio.open_connection(facts["host"], facts["port"])
        writer.write(slip("x"))
        await writer.drain()
        writer.close()
        await until((tmp_path / "slips" / "slip-000042.png").exists)
        await end(child)

    run(go())


def test_the_group_finds_the_scanner_only_when_it_is_called() -> None:
    """Its help lists both; without a way in the printer says what it expects."""
    runner = CliRunner()
    shown = runner.invoke(simulate, ["--help"])
    assert shown.exit_code == 0
    assert "printer" in shown.output
    refused = runner.invoke(simulate, ["printer"])
    assert refused.exit_code == 2
    assert "expected --tcp PORT, --pty NAME or both" in refused.output


def test_factories_make_drivers_from_settings_and_name_what_is_wrong() -> None:
    """Nothing is opened; every key is checked."""
    from types import SimpleNamespace

    from till_drivers.exceptions import SettingsError

    good = {
        "name": "p", "host": "127.0.0.1", "port": 9100, "device": "/dev/ttyS0", "baud_rate": 9600, "width_dots": 576,
        "columns": 48, "code_page": "cp866", "code_page_number": 17, "cut": True, "drawer": False, "status": True,
        "cut_mode": "partial", "native_qr": True, "density": 0, "logo": "", "match": "", "queue": "",
    }  # fmt: skip
    assert tcp_printer(SimpleNamespace(**good)).device_id == "p"
    assert serial_printer(SimpleNamespace(**good)).device_id == "p"
    for factory, change in [
        (tcp_printer, {"host": ""}),
        (tcp_printer, {"port": 0}),
        (tcp_printer, {"code_page": "cp667"}),
        (serial_printer, {"device": ""}),
        (serial_printer, {"baud_rate": 0}),
        (serial_printer, {"columns": 1}),
    ]:
        with pytest.raises(SettingsError, match="expected"):
            factory(SimpleNamespace(**(good | change)))


def test_a_running_printer_is_steered_and_asked_from_the_shell(tmp_path: Path) -> None:
    """`simulate behave PORT` says how it is, with a behaviour it makes it so; a port of nobody is told in one line."""

    async def go() -> None:
        child, facts = await start(tmp_path, "--tcp", "0")
        port = str(facts["control_port"])

        def behave(*words: str) -> tuple[int, str]:
            done = CliRunner().invoke(simulate, ["behave", *words])
            return done.exit_code, done.output

        assert await asyncio.to_thread(behave, port) == (0, "normal, 0 slips, 0 bytes received\n")
        assert await asyncio.to_thread(behave, port, "paper-out") == (0, "paper-out, 0 slips, 0 bytes received\n")
        assert (await asyncio.to_thread(behave, port))[1].startswith("paper-out")
        await end(child)
        status, said = await asyncio.to_thread(behave, port)
        assert status == 1
        assert "control port" in said

    run(go())

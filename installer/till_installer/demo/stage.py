"""The demo from curtain to curtain: sets the parts up, plays the day, cuts and mends the line, proves the outcome."""

import contextlib
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import click

from till_cloud.founding import found
from till_cloud.store.writer import Writer
from till_installer.demo.check import compare
from till_installer.demo.day import TIME_ZONE, DayReceipt, load_day, today
from till_installer.demo.line import Line
from till_installer.demo.people import Person, make_people, write_csv
from till_installer.demo.play import Day, Till, ring_up
from till_installer.demo.processes import DemoError, Processes, feed, ready_facts
from till_installer.demo.show import rows, summary_line

TILL_ID = "till-1"
STORE_ID = "store-1"
DRAIN_TIMEOUT_S = 60.0
POLL_S = 0.1
PHONE_COST = 2
"""Of slow tags: 16,384 in a chain that `cloud init` begins."""
TIERS_FROM = {
    "from_spend_minor = 50000": "from_spend_minor = 10000",
    "from_spend_minor = 150000": "from_spend_minor = 30000",
}


@dataclass
class Stage:
    """The running parts and where their files are."""

    folder: Path
    parts: Processes
    line: Line
    till: Till
    admin: Till

    @property
    def cloud_db(self) -> Path:
        return self.folder / "cloud.db"

    @property
    def state_dir(self) -> Path:
        return self.folder / "state"


def run_demo(folder: Path, out: Path, count: int, language: str) -> bool:
    """Play `count` receipts; True when nothing is lost, doubled or unequal."""
    day = today()
    receipts = load_day(day)[:count]
    people = make_people([receipt.household for receipt in receipts], day)
    parts = Processes(folder)
    with contextlib.ExitStack() as stack:
        stack.callback(parts.stop_all)
        stage = _set_up(folder, parts, people, language, stack)
        played = _play(stage, receipts, people)
        sync = _wait_until_quiet(stage)
        slips = _slips(folder)
        stage.till.close()
        stage.admin.close()
        parts.stop("agent")
        parts.stop("printer")
        picture = _keep_picture(folder, out)
        parts.stop("cloud")
        verdict = compare(stage.state_dir, stage.cloud_db, played, people)
    for kind, (about, words) in {**played.told, **verdict.told}.items():
        click.echo(f"{kind}: {about}")
        for sentence in words:
            click.echo(f"    {sentence}")
    _tell(rows(played, verdict, len(people), sync, slips))
    for problem in verdict.problems[:20]:
        click.echo(f"  ! {problem}", err=True)
    click.echo(f"A slip as the printer saw it: {picture}")
    click.echo(summary_line(played, verdict, len(people), sync, slips))
    whole = slips == len(played.acknowledged) + len(played.reversed) and len(played.acknowledged) == len(receipts)
    return verdict.proven and whole


def _set_up(
    folder: Path, parts: Processes, people: dict[int, Person], language: str, stack: contextlib.ExitStack
) -> Stage:
    cloud_db, state = str(folder / "cloud.db"), folder / "state"
    click.echo("Setting up the chain: programme, store, till, members ...")
    programme = folder / "programme.toml"
    programme.write_text(_programme_text(), encoding="utf-8")
    _begin(Path(cloud_db))
    parts.run("cloud", "init", "--db", cloud_db)
    parts.run("cloud", "programme", "upload", "--db", cloud_db, str(programme))
    parts.run("cloud", "store", "add", STORE_ID, "--db", cloud_db, "--name", "Tillside Demo", "--time-zone", TIME_ZONE)
    code = parts.run("cloud", "till", "add", TILL_ID, "--db", cloud_db, "--store", STORE_ID).split()[-1]
    members = folder / "members.csv"
    write_csv(people, members)
    parts.run("cloud", "member", "import", "--db", cloud_db, str(members))
    cloud_ready = folder / "cloud.ready"
    parts.start(
        "cloud",
        *("cloud", "run", "--db", cloud_db, "--port", "0", "--ready-file", str(cloud_ready)),
        ready=cloud_ready,
    )
    line = Line(int(ready_facts(cloud_ready)["port"]))
    line.start()
    stack.callback(line.stop)
    printer_ready, scanner_link = folder / "printer.ready", folder / "scanner"
    parts.start(
        "printer",
        *("simulate", "printer", "--tcp", "0", "--out", str(folder / "slips"), "--png", "last"),
        *("--ready-file", str(printer_ready)),
        ready=printer_ready,
    )
    scanner_ready = folder / "scanner.ready"
    scanner = parts.start(
        "scanner",
        *("simulate", "scanner", "--link", str(scanner_link), "--ready-file", str(scanner_ready)),
        ready=scanner_ready,
        feed=True,
    )
    config = folder / "agent.toml"
    printer_port = int(ready_facts(printer_ready)["port"])
    config.write_text(_config_text(state, line.port, scanner_link, printer_port, language), encoding="utf-8")
    parts.run("agent", "enrol", "--config", str(config), "--code", code)
    agent_ready = folder / "agent.ready"
    parts.start("agent", "agent", "run", "--config", str(config), "--ready-file", str(agent_ready), ready=agent_ready)
    port = int(ready_facts(agent_ready)["port"])
    till = Till(port, _token(state, "pos"), lambda code: feed(scanner, code))
    admin = Till(port, _token(state, "admin"), lambda _code: None)
    stage = Stage(folder, parts, line, till, admin)
    till.open()
    _wait_for(lambda: _status(stage)["members_cached"] >= len(people), "the members to reach the till")
    _wait_for(lambda: _devices_ready(stage), "the scanner to be found")
    return stage


def _begin(cloud_db: Path) -> None:
    """A new chain whose slow tags of phones take no time; any other's take the cloud a tenth of a second a member, and
    a till half of that for each who tells a number."""
    writer = Writer(cloud_db)
    try:
        writer.call(partial(found, phone_cost=PHONE_COST))
    finally:
        writer.close()


def _play(stage: Stage, receipts: list[DayReceipt], people: dict[int, Person]) -> Day:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    day = Day()
    cut_at, mend_at = len(receipts) // 3, len(receipts) * 2 // 3
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TextColumn("{task.fields[queue]} waiting")) as progress:
        task = progress.add_task("Line up  ", total=len(receipts), queue=0)
        for index, receipt in enumerate(receipts):
            if index == cut_at:
                stage.line.cut()
                _wait_for(lambda: not _status(stage)["sync"]["online"], "the till to notice that the line is cut")
                progress.update(task, description="LINE CUT ")
            if index == mend_at:
                stage.line.mend()
                progress.update(task, description="Line back")
            ring_up(stage.till, day, index, receipt, people[receipt.household])
            # A look at the queue each time would be most of the work; its peak lies just before the line comes back.
            if index % 20 == 0 or index == mend_at - 1:
                waiting = int(_status(stage)["sync"]["waiting"])
                day.queue_peak = max(day.queue_peak, waiting)
                progress.update(task, queue=waiting)
            progress.advance(task)
    return day


def _wait_until_quiet(stage: Stage) -> dict[str, int]:
    click.echo("The day is over; waiting for the queue and the printer ...")
    _wait_for(lambda: _status(stage)["sync"]["waiting"] == 0, "the queue to reach the cloud")
    _wait_for(lambda: _status(stage)["prints_waiting"] == 0, "the printer")
    # One more pull brings what the cloud made of the last operations.
    stage.admin.call("POST", "/v1/sync", {})
    sync = _status(stage)["sync"]
    # Operations count from 1 without a gap, so the acknowledged position is how many the cloud has taken, also those
    # whose answer the cut swallowed and which a later hello found to be there.
    return {"pushed": int(sync["acked_seq"]), "resent": int(sync["resent"])}


def _status(stage: Stage) -> dict[str, Any]:
    return stage.admin.call("GET", "/v1/status")[0]


def _devices_ready(stage: Stage) -> bool:
    return all(device["state"] == "ready" for device in _status(stage)["devices"] if device["role"] == "scanner")


def _wait_for(condition: Callable[[], bool], what: str) -> None:
    give_up = time.monotonic() + DRAIN_TIMEOUT_S
    while not condition():
        if time.monotonic() > give_up:
            raise DemoError(f"waited {DRAIN_TIMEOUT_S:.0f} s for {what}")
        time.sleep(POLL_S)


def _slips(folder: Path) -> int:
    return len(list((folder / "slips").glob("slip-*.txt")))


def _keep_picture(folder: Path, out: Path) -> str:
    pictures = sorted((folder / "slips").glob("slip-*.png"))
    if not pictures:
        return "(the printer drew none)"
    out.mkdir(parents=True, exist_ok=True)
    return str(shutil.copy(pictures[-1], out / "demo-slip.png"))


def _token(state: Path, client: str) -> str:
    return (state / "tokens" / f"{client}.token").read_text(encoding="ascii").strip()


def _programme_text() -> str:
    """The supermarket's programme, with tiers that a busy day reaches, since the demo has a day of the quarter."""
    from importlib.resources import files

    text = files("till_loyalty").joinpath("data", "examples", "supermarket.toml").read_text(encoding="utf-8")
    for of_a_quarter, of_a_day in TIERS_FROM.items():
        if text.count(of_a_quarter) != 1:
            raise DemoError(f"expected {of_a_quarter!r} once in the supermarket's programme")
        text = text.replace(of_a_quarter, of_a_day)
    return text


def _config_text(state: Path, cloud_port: int, scanner: Path, printer_port: int, language: str) -> str:
    return f"""\
[agent]
state_dir = "{state}"
language = "{language}"

[bridge]
port = 0

[cloud]
url = "http://127.0.0.1:{cloud_port}"
poll_interval_ms = 200
spread_ms = 500

[[scanners]]
name = "scanner"
driver = "serial"
port = "{scanner}"

[[printers]]
name = "printer"
driver = "tcp"
host = "127.0.0.1"
port = {printer_port}
"""


def _tell(facts: list[tuple[str, str]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(show_header=False, title="The day")
    for name, value in facts:
        table.add_row(name, value)
    Console().print(table)

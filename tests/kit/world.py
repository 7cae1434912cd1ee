"""Cloud, line, tills, scanner and printer of a test: real processes in one folder, all ended with the context."""

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from kit.bridge import Bridge
from kit.chain import PEOPLE, Chain
from kit.processes import Part, Ran, run
from kit.proof import Row, check_balances, check_cloud, check_journal
from kit.proxy import Line
from kit.waiting import PATIENCE_S, wait_for
from kit.zygote import Zygote
from till_drivers.simulators.printer_control import control_printer

DRAIN_PATIENCE_S = 300.0
"""A soak leaves many thousands of ops behind."""

HASTY_POLL_MS = 200
POLL_MS = 1_000
"""Of worlds that stand for minutes: in haste, a twentieth of a processor goes into asking the cloud for nothing new."""


class Till:
    """One till: its state directory and configuration, and its agent while that runs."""

    def __init__(
        self,
        name: str,
        folder: Path,
        *,
        cloud_url: str,
        devices: str = "",
        more: str = "",
        request_timeout_ms: int = 5_000,
        zygote: Zygote | None = None,
    ) -> None:
        self.name = name
        self.folder = folder
        self.state_dir = folder / name
        self.config = folder / f"{name}.toml"
        self.config.write_text(
            f'[agent]\nstate_dir = "{self.state_dir}"\nlanguage = "en"\n'
            f"[bridge]\nport = 0\nrate_limit_per_second = 10000\n{more}"
            f'[cloud]\nurl = "{cloud_url}"\npoll_interval_ms = {HASTY_POLL_MS}\nspread_ms = 0\n'
            f"connect_timeout_ms = {min(3_000, request_timeout_ms)}\n"
            f"request_timeout_ms = {request_timeout_ms}\n{devices}",
            encoding="utf-8",
        )
        self.agent: Part | None = None
        self._zygote = zygote
        self._bridges: dict[str, Bridge] = {}

    def settle(self, port: int) -> None:
        """As in a shop, before the first start: the same port after each, and no haste to hear of the cloud."""
        text = self.config.read_text(encoding="utf-8").replace("port = 0", f"port = {port}")
        text = text.replace(f"poll_interval_ms = {HASTY_POLL_MS}", f"poll_interval_ms = {POLL_MS}")
        self.config.write_text(text, encoding="utf-8")

    def start(self, mutant: str = "") -> Self:
        """Run the agent, until it answers."""
        words = ("agent", "run", "--config", self.config)
        self.agent = Part(self.name, *words, folder=self.folder, mutant=mutant, zygote=self._zygote)
        self.agent.facts()
        return self

    def kill(self) -> Self:
        """As the power does."""
        self._hang_up()
        if self.agent is not None:
            self.agent.kill()
        return self

    def stop(self) -> None:
        """In order; AssertionError unless the agent ends well."""
        self._hang_up()
        if self.agent is not None:
            status = self.agent.stop()
            assert status == 0, f"the agent ended with {status}: {self.agent.tail()}"

    def end(self) -> None:
        """For clean-up."""
        self._hang_up()
        if self.agent is not None:
            self.agent.end()

    @property
    def port(self) -> int:
        """Where the bridge listens."""
        assert self.agent is not None
        return int(self.agent.facts()["port"])

    @property
    def pos(self) -> Bridge:
        """The bridge as cash software sees it."""
        return self._bridge("pos")

    @property
    def admin(self) -> Bridge:
        """The bridge as store IT sees it."""
        return self._bridge("admin")

    def status(self) -> dict[str, Any]:
        """What `/v1/status` says."""
        found: dict[str, Any] = self.admin.ask("GET", "/v1/status")
        return found

    def last_seq(self) -> int:
        """How long the journal is."""
        return int(self.admin.ask("GET", "/v1/sync")["last_seq"])

    def wait_status(
        self, holds: Callable[[dict[str, Any]], object], what: str, *, patience_s: float = PATIENCE_S
    ) -> dict[str, Any]:
        """The status, as soon as `holds` is true of it."""
        return wait_for(lambda: status if holds(status := self.status()) else None, what, patience_s=patience_s)

    def wait_members(self) -> Self:
        """Until the cache holds the whole chain and the line is up."""
        self.wait_status(
            lambda s: s["members_cached"] >= len(PEOPLE) and s["programme"] and s["sync"]["online"], "the cache to fill"
        )
        return self

    def wait_device(self, role: str, *states: str) -> dict[str, Any]:
        """The first device of a role, as soon as it is in one of the states."""

        def found() -> dict[str, Any] | None:
            devices: list[dict[str, Any]] = [each for each in self.status()["devices"] if each["role"] == role]
            return devices[0] if devices[0]["state"] in states else None

        return wait_for(found, f"the {role} to be {' or '.join(states)}")

    def drain(self, patience_s: float = PATIENCE_S) -> dict[str, Any]:
        """Exchange until nothing waits; the sync's figures."""

        def drained() -> dict[str, Any] | None:
            found: dict[str, Any] = self.admin.ask("POST", "/v1/sync")
            return found if found["waiting"] == 0 and found["online"] and not found["last_error"] else None

        return wait_for(drained, "the queue to reach the cloud", patience_s=patience_s)

    def command(self, *words: str | Path, status: int | None = 0) -> Ran:
        """Run a command of `tillside` with this till's configuration."""
        return run(*words, "--config", self.config, folder=self.folder, status=status)

    def _bridge(self, client: str) -> Bridge:
        if client not in self._bridges:
            token = (self.state_dir / "tokens" / f"{client}.token").read_text(encoding="ascii").strip()
            self._bridges[client] = Bridge(self.port, token)
        return self._bridges[client]

    def _hang_up(self) -> None:
        for bridge in self._bridges.values():
            bridge.close()
        self._bridges.clear()


class World:
    """Everything of one test. Parts are started by the test; all that were are ended when the context is left."""

    def __init__(self, folder: Path, chain: Chain, line: Line | None = None) -> None:
        self.folder = folder
        self._zygote = chain.zygote
        chain.copy(folder)
        self.cloud_db = folder / "cloud.db"
        self.line = line or Line()
        self.cloud: Part | None = None
        self.printer: Part | None = None
        self.scanner: Part | None = None
        self.slips = folder / "slips"
        self.scanner_port = folder / "scanner"
        self._tills: list[Till] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.ExitStack() as stack:
            stack.callback(self.line.stop)
            for part in (self.cloud, self.printer, self.scanner):
                if part is not None:
                    stack.callback(part.end)
            for till in self._tills:
                stack.callback(till.end)

    def start_cloud(self, mutant: str = "") -> None:
        """Run the cloud behind the line."""
        self.cloud = Part(
            *("cloud", "cloud", "run", "--db", self.cloud_db, "--port", "0"),
            folder=self.folder,
            mutant=mutant,
            zygote=self._zygote,
        )
        self.line.target_port = int(self.cloud.facts()["port"])

    def stop_cloud(self) -> None:
        """In order."""
        if self.cloud is not None:
            assert self.cloud.stop() == 0, self.cloud.tail()
            self.cloud = None

    def start_printer(self, behaviour: str = "normal", *, port: int = 0) -> None:
        """Run a printer. Its slips are text files in `slips`."""
        self.printer = Part(
            *("printer", "simulate", "printer", "--tcp", str(port), "--out", self.slips, "--png", "none"),
            *("--behaviour", behaviour),
            folder=self.folder,
        )
        self.printer.facts()

    def start_scanner(self) -> None:
        """Plug a scanner in."""
        self.scanner = Part("scanner", "simulate", "scanner", "--link", self.scanner_port, folder=self.folder)
        self.scanner.facts()

    def scan(self, code: str) -> None:
        """Hold a code under the scanner. Lines that begin with `!` are its commands."""
        assert self.scanner is not None
        self.scanner.tell(code)

    def printer_do(self, do: str, **fields: str | int) -> dict[str, Any]:
        """A request to the simulated printer: behave, status."""
        assert self.printer is not None
        return control_printer(int(self.printer.facts()["control_port"]), do, **fields)

    def slip_texts(self) -> list[str]:
        """All slips that came out so far, oldest first."""
        return [path.read_text(encoding="utf-8") for path in sorted(self.slips.glob("slip-*.txt"))]

    def till(
        self,
        name: str = "till-1",
        *,
        printer_port: int = 0,
        more: str = "",
        request_timeout_ms: int = 5_000,
        url: str = "",
    ) -> Till:
        """A till of the chain, not started yet. It has the scanner and the printer of this world, there or not.

        Its line goes to `url`, or else to this world's.
        """
        port = printer_port
        if self.printer is not None:
            port = int(self.printer.facts()["port"])
        devices = f'[[scanners]]\nname = "scanner"\nport = "{self.scanner_port}"\n'
        if port:
            devices += f'[[printers]]\nname = "printer"\ndriver = "tcp"\nhost = "127.0.0.1"\nport = {port}\n'
        url = url or f"http://127.0.0.1:{self.line.port}"
        till = Till(
            *(name, self.folder),
            cloud_url=url,
            devices=devices,
            more=more,
            request_timeout_ms=request_timeout_ms,
            zygote=self._zygote,
        )
        self._tills.append(till)
        return till

    def command(self, *words: str | Path, status: int | None = 0) -> Ran:
        """Run a command on the cloud's database."""
        return run(*words, "--db", self.cloud_db, folder=self.folder, status=status)

    def verify(self) -> Ran:
        """`tillside cloud verify`, which must find nothing."""
        return self.command("cloud", "verify")

    def prove(self, till: Till, answers: dict[str, bytes], tried: set[str] | None = None) -> None:
        """Drain and stop the till, then hold answers, journal, ledger and balances against each other."""
        self.prove_balances(self.prove_ops(till, answers, tried))

    def prove_ops(self, till: Till, answers: dict[str, bytes], tried: set[str] | None = None) -> list[Row]:
        """Drain and stop one till of several: its journal and the cloud hold what was answered, once."""
        till.drain(DRAIN_PATIENCE_S)
        till.stop()
        rows = check_journal(till.state_dir, answers, tried)
        check_cloud(self.cloud_db, till.name, rows)
        return rows

    def prove_balances(self, rows: list[Row]) -> None:
        """With the ops of all tills: each member has what the journals say."""
        check_balances(self.cloud_db, rows, {person.member_id: person.points for person in PEOPLE})
        self.verify()


@contextlib.contextmanager
def an_environment(**values: str) -> Iterator[None]:
    """Variables that processes started meanwhile get."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})

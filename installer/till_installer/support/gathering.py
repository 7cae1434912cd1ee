"""What the bundle is made of: everything that can be had of this till, each member by itself; what can't is said so."""

import contextlib
import platform
import re
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from importlib import metadata
from typing import Any

import msgspec

from till_agent.bridge.exceptions import TokenError
from till_agent.bridge.token_files import TOKEN_PATTERN
from till_agent.journal import schema
from till_installer.doctor.checks_journal import opened
from till_installer.doctor.checks_service import service_altered
from till_installer.doctor.checks_versions import target_of, update_state
from till_installer.doctor.every import all_checks
from till_installer.doctor.findings import Bad, NotLooked
from till_installer.doctor.running import examine, report_of
from till_installer.doctor.scene import JOURNAL_FILE, Scene
from till_installer.layout import SERVICE
from till_installer.support import allowed
from till_installer.support.cleaning import Cleaner
from till_installer.support.config_masked import masked
from till_sync.identity import IDENTITY_FILE

LOG_LINES = 2_000
LOG_TAIL_BYTES = 2 * 1024 * 1024
"""Of the newest log file; 2,000 lines take some 0.5 MB."""
LOG_FILES = 3
JOURNALCTL_S = 5.0
SECRET_FILE_BYTES = 65_536
METRICS_LINES = 2_000
_METRIC = re.compile(
    r"^(?:tillside|process|python)_[a-z0-9_]{1,80}"
    r'(?:\{(?:[a-z_]{1,20}="[A-Za-z0-9_.:+/-]{0,60}",?){0,6}\})? [-+0-9.eE]{1,30}$'
)
_LABEL = re.compile(r'="([^"]*)"')
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"|`[^`]*`|\u00ab[^\u00bb]*\u00bb")
STATE_FILES = re.compile(
    r"^(journal|cache|spool|frontol)\.db(-wal|-shm|-journal|-witness)?(\.damaged-[0-9TZ]{15,17}(-wal|-shm|\.json)?)?$"
    r"|^journal\.db-facts(\.draft)?$"
    r"|^(identity|running|ready|update-state|update-wanted|policy|retired|heartbeat-head)\.json$"
    r"|^(agent\.lock|counter|last-good\.toml|audit\.log(\.1)?)$"
)
"""Names of our own; another's name may be anything."""


def secrets_of(scene: Scene) -> list[str]:
    """Values that this till knows to be secret, so that they can be struck out wherever they turn up."""
    found: list[str] = []
    state_dir = scene.state_dir
    with contextlib.suppress(OSError, msgspec.DecodeError):
        raw = (state_dir / IDENTITY_FILE).read_bytes()[:SECRET_FILE_BYTES]
        identity = msgspec.json.decode(raw)
        if isinstance(identity, dict):
            for name, value in identity.items():
                values = value if isinstance(value, list) else [value]
                if name not in ("till", "store", "time_zone"):
                    found += [each for each in values if isinstance(each, str)]
    with contextlib.suppress(OSError, TokenError):
        for path in sorted((state_dir / "tokens").iterdir())[:100]:
            text = path.read_bytes()[:SECRET_FILE_BYTES].decode("ascii", "replace")
            found += TOKEN_PATTERN.findall(text)
    for name, value in scene.environment.items():
        if re.search(r"(?i)token|secret|password|passwd|key|code|credential", name):
            found.append(value)
    return found


def names_of(scene: Scene) -> list[str]:
    """What the till, its store and its devices are called: whoever helps has to know which till it is."""
    settings = scene.settings()
    names = [each.name for each in settings.scanners] + [each.name for each in settings.printers]
    try:
        identity = scene.identity()
    except NotLooked:
        return names
    return [*names, identity.till, identity.store]


class Gathered:
    """Members by name as bytes, and of each that could not be had, why."""

    def __init__(self) -> None:
        self.members: dict[str, bytes] = {}
        self.about: dict[str, str] = {}
        self.missing: dict[str, str] = {}

    def put(self, name: str, about: str, data: bytes) -> None:
        """One member."""
        self.members[name] = data
        self.about[name] = about


def gather(scene: Scene, *, tell: Callable[[str], None]) -> Gathered:
    """Everything that may go out."""
    found = Gathered()
    cleaner = Cleaner(secrets_of(scene), names_of(scene))
    parts: tuple[tuple[str, str, Callable[[Scene, Cleaner], bytes]], ...] = (
        ("doctor.json", "what the doctor found: codes, causes in our own words, fixes", _doctor),
        ("status.json", "state of the running agent: figures, states of devices, codes of problems", _status),
        ("metrics.txt", "the agent's figures for Prometheus", _metrics),
        ("versions.json", "versions of Tillside, Python, SQLite, the system, and packages", _versions),
        ("config.json", "the configuration; of whatever is no number or choice only whether it is set", _config),
        ("journal.json", "figures of the journal: how many operations of which kind, no operation", _journal),
        ("files.json", "names, sizes and rights of Tillside's own files", _files),
        ("update.json", "the last update of the programs", _update),
        ("service.json", "the service as systemd has it", _service),
        ("log.jsonl", f"the last {LOG_LINES} lines of the log, in words of our own programs alone", _log),
    )
    for name, about, make in parts:
        tell(f"{name}: {about}")
        try:
            found.put(name, about, make(scene, cleaner))
        except (NotLooked, OSError, sqlite3.Error) as exc:
            found.missing[name] = cleaner.free(str(exc))
    return found


def _json(value: object) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n"


def _doctor(scene: Scene, cleaner: Cleaner) -> bytes:
    begun = time.monotonic()
    told = examine(scene, tuple(each for each in all_checks() if not each.deep))
    report = msgspec.to_builtins(report_of(scene, told, time.monotonic() - begun))
    for each in report["findings"]:
        for name in ("found", "fix", "severity", "took_ms"):
            each.setdefault(name, 0 if name == "took_ms" else "")
        # What stands in quotes was read out of a file that somebody wrote.
        each["found"] = _QUOTED.sub("'...'", each["found"])
    return _json(allowed.only(allowed.Doctor, report, cleaner))


def _status(scene: Scene, cleaner: Cleaner) -> bytes:
    return _json(allowed.only(allowed.Status, scene.status(), cleaner))


def _metrics(scene: Scene, cleaner: Cleaner) -> bytes:
    answer = scene.call("/metrics", with_token=True)
    lines = answer.body.decode("utf-8", "replace").splitlines()
    kept = [line for line in lines if _METRIC.match(line) and _are_ours(line, cleaner)]
    return ("\n".join(kept[:METRICS_LINES]) + "\n").encode()


def _are_ours(line: str, cleaner: Cleaner) -> bool:
    return all(cleaner.is_code(value) for value in _LABEL.findall(line))


def _versions(scene: Scene, cleaner: Cleaner) -> bytes:
    layout = scene.layout
    installed = sorted(each.name for each in layout.versions.iterdir()) if layout.versions.is_dir() else []
    packages = {str(each.metadata["Name"] or "").lower(): each.version for each in metadata.distributions()}
    told = {
        "tillside": scene.version,
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "system": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "installed": installed,
        "current": target_of(layout.current),
        "previous": target_of(layout.previous),
        "packages": packages,
    }
    return _json(allowed.only(allowed.Versions, told, cleaner))


def _config(scene: Scene, cleaner: Cleaner) -> bytes:
    problem = scene.config_problem()
    if problem is not None:
        keys = [{"line": each.line, "key": cleaner.free(each.key)} for each in problem.problems[:50]]
        return _json({"problems": keys})
    return _json(masked(scene.settings(), cleaner))


def _journal(scene: Scene, cleaner: Cleaner) -> bytes:
    path = scene.state() / JOURNAL_FILE
    log = path.with_name(path.name + "-wal")
    with opened(scene) as (connection, states):
        kinds = dict(connection.execute("SELECT kind, count(*) FROM entries GROUP BY kind").fetchall())
        verdicts = dict(connection.execute(schema.COUNT_VERDICTS).fetchall())
        parked, _repeated = connection.execute(schema.COUNT_REFUSED).fetchone()
    told = {
        "bytes": path.stat().st_size,
        "log_bytes": log.stat().st_size if log.exists() else 0,
        "epochs": [
            {"epoch": each.epoch, "last_seq": each.last_seq, "acked_seq": each.acked_seq, "head": each.head.hex()[:16]}
            for each in states
        ],
        "kinds": {kind: count for kind, count in kinds.items() if cleaner.is_code(str(kind))},
        "adjusted": verdicts.get("adjusted", 0),
        "rejected": verdicts.get("rejected", 0),
        "parked": parked,
    }
    return _json(allowed.only(allowed.Journal, told, cleaner))


def _files(scene: Scene, cleaner: Cleaner) -> bytes:
    rows = []
    for path in sorted(scene.state().iterdir()):
        if STATE_FILES.match(path.name):
            try:
                about = path.lstat()
            except FileNotFoundError:
                continue
            told = {
                "name": path.name,
                "bytes": about.st_size,
                "mode": f"{about.st_mode & 0o7777:o}",
                "changed_ms": about.st_mtime_ns // 1_000_000,
            }
            rows.append(allowed.only(allowed.Entry, told, cleaner))
    return _json(rows)


def _update(scene: Scene, cleaner: Cleaner) -> bytes:
    state = update_state(scene)
    if state is None:
        raise NotLooked("nothing was updated yet")
    told = {name: getattr(state, name) for name in state.__struct_fields__}
    return _json(allowed.only(allowed.Update, told, cleaner))


def _service(scene: Scene, cleaner: Cleaner) -> bytes:
    unit = scene.unit()
    try:
        altered = isinstance(service_altered(scene), Bad)
    except NotLooked:
        altered = False
    names = {
        "load": "LoadState",
        "active": "ActiveState",
        "sub": "SubState",
        "enabled": "UnitFileState",
        "restarts": "NRestarts",
        "result": "Result",
        "reload_needed": "NeedDaemonReload",
        "watchdog": "WatchdogUSec",
    }
    told: dict[str, Any] = {ours: unit[theirs] for ours, theirs in names.items()}
    return _json(allowed.only(allowed.Unit, told | {"altered": altered}, cleaner))


def _log(scene: Scene, cleaner: Cleaner) -> bytes:
    lines = list(_log_lines(scene))[-LOG_LINES:]
    if not lines:
        raise NotLooked("there is no log to be had")
    rows: list[bytes] = []
    for line in lines:
        try:
            entry = msgspec.json.decode(line)
        except msgspec.DecodeError:
            # Not of the agent's log: nobody knows what it says.
            continue
        if isinstance(entry, dict):
            rows.append(msgspec.json.encode(allowed.only(allowed.LogLine, entry, cleaner)))
    return b"\n".join(rows) + b"\n"


def _log_lines(scene: Scene) -> Iterator[bytes]:
    """The agent's log as lines of JSON: from its files, else from systemd's journal, else from the agent's memory."""
    folder = scene.layout.log_dir
    files = sorted(folder.glob("*.log*"), key=lambda each: each.stat().st_mtime)[-LOG_FILES:] if folder.is_dir() else []
    if files:
        for path in files:
            with path.open("rb") as file:
                file.seek(max(0, path.stat().st_size - LOG_TAIL_BYTES))
                yield from file.read(LOG_TAIL_BYTES).splitlines()
        return
    if (scene.system / "run/systemd/system").is_dir():
        words = ["journalctl", "-u", SERVICE, "-o", "cat", "-n", str(LOG_LINES), "--no-pager"]
        try:
            done = subprocess.run(  # noqa: S603 - the system's own program with words of ours
                words, capture_output=True, timeout=JOURNALCTL_S, check=False, stdin=subprocess.DEVNULL,
                env=dict(scene.environment),
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired):
            pass
        else:
            yield from done.stdout[-LOG_TAIL_BYTES:].splitlines()
            return
    told = scene.call("/v1/logs?limit=1000", with_token=True).json()
    for line in told.get("lines", []) if isinstance(told, dict) else []:
        yield msgspec.json.encode(line["fields"] | {name: line[name] for name in ("level", "logger", "message")})

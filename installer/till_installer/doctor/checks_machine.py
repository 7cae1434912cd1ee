"""Checks of the machine: memory, time from the network, room for logs, and what stands between us and browsers."""

import socket
from pathlib import Path
from typing import TYPE_CHECKING

from till_installer.doctor.catalogue import Answer, check
from till_installer.doctor.findings import Bad, NotLooked

if TYPE_CHECKING:
    from till_installer.doctor.scene import Scene

AREA = "machine"
MEMORY_LOW_KIB = 64 * 1024
"""The agent takes some 60 MB; below that the system begins to end programs."""
AGENT_MEMORY_KIB = 200 * 1024
"""Three times what the agent takes, with a camera beside it."""
LOGS_LIMIT_BYTES = 256 * 1024 * 1024
LOG_FILES_LIMIT = 1_000
LOOPBACK = frozenset(("127.0.0.1", "::1"))
PROXIES = ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY")
POLICIES = ("etc/chromium/policies/managed", "etc/opt/chrome/policies/managed", "etc/opt/edge/policies/managed")
NEAR = frozenset(("127.0.0.1", "localhost", "*", "127.0.0.0/8"))


@check(
    "memory_low",
    area=AREA,
    title="The machine has memory left",
    severity="warning",
    looks_at="available memory (64 MB) by /proc/meminfo",
    fix="end programs that the till doesn't need, browsers first; else add memory",
)
def memory_low(scene: "Scene") -> Answer:
    """64 MB and more."""
    kib = _figures(scene.system / "proc/meminfo").get("MemAvailable")
    if kib is None:
        raise NotLooked("the system tells no available memory")
    said = f"{kib // 1024} MB are available"
    return Bad(found=said) if kib < MEMORY_LOW_KIB else said


@check(
    "agent_memory",
    area=AREA,
    title="The agent takes no more memory than it should",
    severity="warning",
    looks_at="memory of the agent's process (200 MB)",
    fix="send `tillside support` to support, then `systemctl restart tillside` at a quiet moment",
)
def agent_memory(scene: "Scene") -> Answer:
    """Under 200 MB."""
    import msgspec

    from till_agent.instance import RUNNING_FILE, Running

    scene.need_agent()
    try:
        pid = msgspec.json.decode((scene.state_dir / RUNNING_FILE).read_bytes(), type=Running).pid
    except (FileNotFoundError, msgspec.DecodeError) as exc:
        raise NotLooked("the agent does not say which process it is") from exc
    kib = _figures(scene.system / f"proc/{pid}/status").get("VmRSS")
    if kib is None:
        raise NotLooked("the system tells no memory of processes")
    said = f"{kib // 1024} MB"
    return Bad(found=said) if kib > AGENT_MEMORY_KIB else said


def _figures(path: Path) -> dict[str, int]:
    """Names and numbers of a file of /proc with lines such as `MemAvailable:  123 kB`."""
    try:
        lines = path.read_text("ascii", errors="replace").splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return {}
    rows = (line.split() for line in lines)
    return {row[0].rstrip(":"): int(row[1]) for row in rows if len(row) > 1 and row[1].isdigit()}


@check(
    "clock_not_synchronised",
    area="clock",
    title="The clock is set by the network",
    severity="warning",
    looks_at="whether systemd-timesyncd, chrony or ntpd has set it since the machine was started",
    fix="`timedatectl set-ntp true`; let UDP port 123 out to the store's time server",
)
def clock_not_synchronised(scene: "Scene") -> Answer:
    """One of them did."""
    marks = (
        "run/systemd/timesync/synchronized",
        "run/chrony/chronyd.pid",
        "run/chronyd.pid",
        "run/ntpd.pid",
        "var/run/ntpd.pid",
        "run/openntpd.sock",
    )
    for mark in marks:
        if (scene.system / mark).exists():
            return mark.split("/")[1]
    if not (scene.system / "run/systemd/system").is_dir():
        raise NotLooked("nobody here says whether the clock is set by the network")
    return Bad(found="neither systemd-timesyncd nor chrony nor ntpd has set the clock since the start")


@check(
    "log_size",
    area=AREA,
    title="Logs don't fill the disk",
    severity="warning",
    looks_at="all files in the log folder (256 MB)",
    fix="remove the oldest files there, `*.log.*`; the agent turns its own over by size",
)
def log_size(scene: "Scene") -> Answer:
    """Under 256 MB."""
    folder = scene.layout.log_dir
    if not folder.is_dir():
        raise NotLooked(f"there is no {folder}")
    files = [each for each, _ in zip(folder.rglob("*"), range(LOG_FILES_LIMIT), strict=False) if each.is_file()]
    size = sum(each.stat().st_size for each in files)
    said = f"{size // 1024**2} MB in {len(files)} files of {folder}"
    return Bad(found=said) if size > LOGS_LIMIT_BYTES else said


@check(
    "loopback_name",
    area=AREA,
    title="`localhost` is this machine",
    severity="warning",
    looks_at="addresses of the name: cash software that calls `http://localhost` ends where it leads",
    fix="put `127.0.0.1 localhost` and `::1 localhost` at the top of /etc/hosts (Windows: of drivers\\etc\\hosts)",
)
def loopback_name(scene: "Scene") -> Answer:
    """127.0.0.1 or ::1 and nothing else."""
    hosts = scene.system / "etc/hosts"
    named = _hosts(hosts) if scene.system != Path("/") else None
    try:
        found = named if named is not None else {
            str(each[4][0]) for each in socket.getaddrinfo("localhost", None, type=socket.SOCK_STREAM)
        }  # fmt: skip
    except OSError as exc:
        return Bad(found=f"the name `localhost` is not known: {exc.strerror}")
    if not found:
        return Bad(found="the name `localhost` is not known")
    alien = sorted(found - LOOPBACK)
    return Bad(found=f"`localhost` leads to {', '.join(alien)}") if alien else ", ".join(sorted(found))


def _hosts(path: Path) -> set[str]:
    """Addresses that a hosts file gives to `localhost`."""
    found: set[str] = set()
    try:
        lines = path.read_text("utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return found
    for line in lines:
        words = line.partition("#")[0].split()
        if "localhost" in words[1:]:
            found.add(words[0])
    return found


@check(
    "proxy_environment",
    area=AREA,
    title="No proxy stands between programs and the agent",
    severity="warning",
    looks_at="variables `http_proxy`, `all_proxy` without 127.0.0.1 in `no_proxy`: cash software may follow them",
    fix="add 127.0.0.1 and localhost to `no_proxy` wherever the proxy is set (/etc/environment)",
)
def proxy_environment(scene: "Scene") -> Answer:
    """None, or not for this machine."""
    values = dict(scene.environment)
    try:
        for line in (scene.system / "etc/environment").read_text("utf-8", errors="replace").splitlines():
            name, sign, value = line.strip().partition("=")
            if sign:
                values.setdefault(name.removeprefix("export ").strip(), value.strip("\"' "))
    except OSError:
        pass
    proxies = [name for name in PROXIES if values.get(name)]
    if not proxies:
        return "none is set"
    past = {each.strip() for each in f"{values.get('no_proxy', '')},{values.get('NO_PROXY', '')}".split(",")}
    if past & NEAR:
        return f"{', '.join(proxies)}, but not for this machine"
    return Bad(found=f"{', '.join(proxies)} is set, and no_proxy names neither 127.0.0.1 nor localhost")


@check(
    "policy_missing",
    area=AREA,
    title="Browsers let the till's pages call the agent",
    severity="warning",
    looks_at="browser policies for the origins of bridge.allowed_origins: without one a browser asks the cashier",
    fix="`tillside setup repair` writes them",
)
def policy_missing(scene: "Scene") -> Answer:
    """A policy names each origin."""
    origins = scene.usable_settings().bridge.allowed_origins
    if not origins:
        raise NotLooked("no page of another origin calls the agent")
    folders = [
        scene.system / each
        for each in (
            "etc/chromium/policies/managed",
            "etc/opt/chrome/policies/managed",
            "etc/opt/edge/policies/managed",
        )
    ]
    texts = [
        each.read_text("utf-8", errors="replace")
        for folder in folders
        if folder.is_dir()
        for each in sorted(folder.glob("*.json"))[:50]
    ]
    if not any(folder.parent.parent.is_dir() for folder in folders):
        raise NotLooked("no browser with managed policies is installed")
    lacking = [origin for origin in origins if not any(origin in text for text in texts)]
    if lacking:
        return Bad(found=f"no browser policy names {', '.join(lacking)}")
    return ", ".join(origins)


@check(
    "frontol_script",
    area="frontol",
    title="Frontol's scenario is in place",
    severity="warning",
    looks_at="the script in Frontol's folder, as `tillside frontol script check` does (with `--frontol FOLDER`)",
    fix="`tillside frontol script install --into FOLDER`, then load it into Frontol",
)
def frontol_script(scene: "Scene") -> Answer:
    """File, code, settings, agent and token are good."""
    if scene.frontol is None:
        raise NotLooked("no folder of Frontol was named")
    from till_installer.frontol.checking import check_script

    wrong = [each for each in check_script(scene.frontol) if not each.good]
    if wrong:
        return [Bad(found=f"{each.name}: {each.found}", fix=each.fix) for each in wrong]
    return str(scene.frontol)

"""Checks of the service: installed, started with the machine, running, as it was installed, watched."""

from pathlib import Path
from typing import TYPE_CHECKING

from till_installer.doctor.catalogue import Answer, check
from till_installer.doctor.findings import Bad, NotLooked
from till_installer.layout import SERVICE

if TYPE_CHECKING:
    from till_installer.doctor.scene import Scene
    from till_installer.doctor.service_look import Unit

AREA = "service"
RESTARTS_LIMIT = 3
NEVER = frozenset(("", "0", "infinity"))


def _installed(scene: "Scene") -> "Unit":
    unit = scene.unit()
    if not unit.is_installed:
        raise NotLooked("the service is not installed")
    return unit


@check(
    "service_missing",
    area=AREA,
    title="The agent is a service of this machine",
    severity="error",
    looks_at="whether systemd knows `tillside.service`",
    fix="install it again: `tillside setup repair`",
)
def service_missing(scene: "Scene") -> Answer:
    """Systemd knows it."""
    unit = scene.unit()
    if unit.is_installed:
        return unit["FragmentPath"] or "known to systemd"
    if unit["LoadState"] == "masked":
        return Bad(
            found=f"{SERVICE}.service is masked", fix=f"`systemctl unmask {SERVICE}`, then `tillside setup repair`"
        )
    return Bad(found=f"systemd says {unit['LoadState'] or 'nothing'} of {SERVICE}.service")


@check(
    "service_stopped",
    area=AREA,
    title="The agent runs",
    severity="error",
    looks_at="state of the service; without systemd, whether an agent has the state directory",
    fix="`systemctl start tillside`; if it ends again, `journalctl -u tillside -n 50` says why",
)
def service_stopped(scene: "Scene") -> Answer:
    """It is active."""
    try:
        unit = _installed(scene)
    except NotLooked:
        if scene.is_up():
            return "an agent runs"
        return Bad(found=f"no agent is running on {scene.state_dir}", fix="start it: `systemctl start tillside`, or "
                   f"`tillside agent run --config {scene.config}` where there is no service")  # fmt: skip
    state = unit["ActiveState"]
    if state in ("active", "reloading"):
        return unit["SubState"] or state
    why = f", {unit['Result']}" if unit["Result"] not in ("", "success") else ""
    return Bad(found=f"{SERVICE}.service is {state} ({unit['SubState']}{why})")


@check(
    "service_restarts",
    area=AREA,
    title="The agent does not end by itself",
    severity="warning",
    looks_at="how often systemd has started it again since it was last started by hand (3)",
    fix="`journalctl -u tillside -p warning -n 100` says why; send `tillside support` to support",
)
def service_restarts(scene: "Scene") -> Answer:
    """At most three times."""
    text = _installed(scene)["NRestarts"]
    count = int(text) if text.isdigit() else 0
    said = f"started again {count} times"
    return Bad(found=said) if count > RESTARTS_LIMIT else said


@check(
    "service_not_enabled",
    area=AREA,
    title="The agent is started with the machine",
    severity="error",
    looks_at="whether the service is enabled: after a power cut nobody starts it by hand",
    fix="`systemctl enable tillside`",
)
def service_not_enabled(scene: "Scene") -> Answer:
    """Enabled."""
    state = _installed(scene)["UnitFileState"]
    if state in ("enabled", "static", "enabled-runtime", "generated", "indirect"):
        return state
    return Bad(found=f"{SERVICE}.service is {state or 'not enabled'}")


@check(
    "service_altered",
    area=AREA,
    title="The service is as it was installed",
    severity="warning",
    looks_at="the unit's file against this version's, what is laid over it, and whether systemd has read it",
    fix="`tillside setup repair` puts it back; a change that is wanted belongs into a file of its own in "
    "`/etc/systemd/system/tillside.service.d/`",
)
def service_altered(scene: "Scene") -> Answer:
    """Read as it stands, and ours."""
    unit = _installed(scene)
    if unit["NeedDaemonReload"] == "yes":
        return Bad(found="its file was changed and systemd has not read it", fix="`systemctl daemon-reload`")
    path = Path(unit["FragmentPath"] or "/nowhere")
    ours = _packaged_unit()
    if ours is not None and path.is_file() and not _is_ours(path.read_text("utf-8", errors="replace"), ours):
        return Bad(found=f"{path} is not as this version installs it")
    over = unit["DropInPaths"]
    return f"ours, with {over}" if over else "as installed"


def _packaged_unit() -> str | None:
    """The unit as this version comes with it; None where it is made elsewhere."""
    path = Path(__file__).parent.parent / "data" / f"{SERVICE}.service"
    try:
        return path.read_text("utf-8")
    except OSError:
        return None


def _is_ours(found: str, ours: str) -> bool:
    """The same directives in the same order; ours may hold places that the installation fills (`@NAME@`)."""
    mine, theirs = _directives(ours), _directives(found)
    if len(mine) != len(theirs):
        return False
    return all(a == b or ("@" in a and a.split("=")[0] == b.split("=")[0]) for a, b in zip(mine, theirs, strict=True))


def _directives(text: str) -> list[str]:
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith(("#", ";"))]


@check(
    "watchdog_off",
    area=AREA,
    title="The watchdog is on",
    severity="warning",
    looks_at="`WatchdogSec` of the service: with it an agent that hangs is started again",
    fix="`tillside setup repair` puts the unit back",
)
def watchdog_off(scene: "Scene") -> Answer:
    """Systemd waits for its sign of life."""
    unit = _installed(scene)
    if unit["WatchdogUSec"] in NEVER:
        return Bad(found="systemd does not watch the agent (WatchdogUSec is 0)")
    return unit["WatchdogUSec"]

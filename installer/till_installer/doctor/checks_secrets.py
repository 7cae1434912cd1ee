"""Checks of who this till is: its identity, the tokens of programs, the counter that tells a copy from the till."""

import os
import stat
import time
import zoneinfo
from pathlib import Path
from typing import TYPE_CHECKING

from till_agent.bridge.exceptions import TokenError
from till_agent.bridge.tokens import read_token, token_path
from till_installer.doctor.catalogue import Answer, check
from till_installer.doctor.findings import Bad, Mend, NotLooked
from till_sync.counters import COUNTER_FILE
from till_sync.exceptions import IdentityError, IdentityMissing
from till_sync.identity import IDENTITY_FILE, read_identity

if TYPE_CHECKING:
    from till_installer.doctor.scene import Scene

AREA = "identity"


@check(
    "identity_missing",
    area=AREA,
    title="This machine is a till",
    severity="error",
    looks_at="`identity.json`, which enrolment makes",
    fix="get a one-time code from the chain and run `tillside agent enrol --config FILE --code-file CODE`",
)
def identity_missing(scene: "Scene") -> Answer:
    """It was enrolled."""
    path = scene.state() / IDENTITY_FILE
    try:
        identity = read_identity(path)
    except IdentityMissing:
        return Bad(found=f"there is no {path}: this machine was never enrolled")
    except IdentityError:
        return "there is an identity"
    return f"till {identity.till} of store {identity.store}"


@check(
    "identity_unusable",
    area=AREA,
    title="The till's identity can be read",
    severity="error",
    looks_at="form and contents of `identity.json`",
    fix="put back its copy from a backup; else enrol anew: `tillside agent enrol --again`",
)
def identity_unusable(scene: "Scene") -> Answer:
    """It is whole."""
    try:
        read_identity(scene.state() / IDENTITY_FILE)
    except IdentityMissing:
        raise NotLooked("there is no identity") from None
    except IdentityError as exc:
        if isinstance(exc.__cause__, PermissionError):
            raise exc.__cause__ from exc
        return Bad(found=str(exc))
    return "it is whole"


def _loose(paths: list[Path]) -> list[Path]:
    return [each for each in paths if stat.S_IMODE(each.stat().st_mode) & 0o077]


def _narrowing(paths: list[Path]) -> Mend:
    def narrow() -> str:
        for each in paths:
            each.chmod(0o700 if each.is_dir() else 0o600)
        return f"took the rights of others to {', '.join(each.name for each in paths)} away"

    return Mend("take the rights of others away", narrow)


@check(
    "identity_rights",
    area=AREA,
    title="Only the agent's user may read the identity",
    severity="error",
    looks_at="rights of `identity.json`, which holds the till's key and the chain's",
    fix="`chmod 600 FILE`; make a new key by enrolling again if others may have read it",
    mends="takes the rights of group and others away",
)
def identity_rights(scene: "Scene") -> Answer:
    """0600."""
    path = scene.state() / IDENTITY_FILE
    if os.name != "posix":
        raise NotLooked("rights are kept in lists that the installer sets")
    if not path.exists():
        raise NotLooked("there is no identity")
    if not _loose([path]):
        return "its owner alone"
    mode = stat.S_IMODE(path.stat().st_mode)
    return Bad(
        found=f"{path} may be read by others (mode {mode:o})", fix=f"`chmod 600 {path}`", mend=_narrowing([path])
    )


@check(
    "counter_unusable",
    area=AREA,
    title="The counter of requests is whole",
    severity="warning",
    looks_at="`counter`, by which the cloud tells this till from a copy of it",
    fix="remove the file while the agent is stopped: the cloud tells it where to go on",
)
def counter_unusable(scene: "Scene") -> Answer:
    """A whole number."""
    path = scene.state() / COUNTER_FILE
    if not path.exists():
        raise NotLooked("no request was signed yet")
    text = path.read_text("ascii", errors="replace").strip()
    if not text.isdigit() or len(text) > 15:
        return Bad(found=f"{path} holds no number")
    return "a number"


@check(
    "clone_suspected",
    area=AREA,
    title="There is one till of this name",
    severity="error",
    looks_at="whether the cloud has halted the exchange, as after a copied state directory",
    fix="stop the copy, then release this till in the cloud: docs/how-to/a-copied-till.md",
)
def clone_suspected(scene: "Scene") -> Answer:
    """The cloud has not set it apart."""
    halted = str(scene.status()["sync"]["halted"])
    if "quarantine" in halted or "clone" in halted:
        return Bad(found=f"the cloud takes nothing of this till any more ({halted})")
    return "the cloud takes what this till sends"


@check(
    "tokens_rights",
    area=AREA,
    title="Only the agent's user may read the tokens",
    severity="warning",
    looks_at="rights of the folder `tokens` and of each file in it",
    fix="`chmod -R go-rwx DIR/tokens`; `tillside agent token NAME --rotate --revoke` for one that others may have read",
    mends="takes the rights of group and others away",
)
def tokens_rights(scene: "Scene") -> Answer:
    """0700 and 0600."""
    folder = scene.state() / "tokens"
    if os.name != "posix":
        raise NotLooked("rights are kept in lists that the installer sets")
    if not folder.is_dir():
        raise NotLooked("there are no tokens yet")
    loose = _loose([folder, *sorted(folder.iterdir())])
    if not loose:
        return "their owner alone"
    return Bad(
        found=f"may be read by others: {', '.join(each.name for each in loose)}",
        fix=f"`chmod -R go-rwx {folder}`",
        mend=_narrowing(loose),
    )


@check(
    "tokens_missing",
    area=AREA,
    title="Each program has its token",
    severity="warning",
    looks_at="a usable token for each client of bridge.clients",
    fix="restart the agent, which makes what is missing, and give the program its token again",
)
def tokens_missing(scene: "Scene") -> Answer:
    """One for each client."""
    state_dir = scene.state()
    if not (state_dir / "tokens").is_dir():
        raise NotLooked("the agent makes them at its first start")
    names = [each.name for each in scene.settings().bridge.clients]
    try:
        lacking = [name for name in names if read_token(state_dir, name) is None]
    except TokenError as exc:
        if isinstance(exc.__cause__, PermissionError):
            raise exc.__cause__ from exc
        return Bad(found=str(exc))
    if lacking:
        paths = ", ".join(str(token_path(state_dir, name)) for name in lacking)
        return Bad(found=f"no usable token at {paths}")
    return ", ".join(names)


@check(
    "clock_zone",
    area="clock",
    title="The store's time zone is the machine's",
    severity="warning",
    looks_at="the zone of the identity, whether this machine knows it, and what its clock shows in its own",
    fix="set the machine's zone: `timedatectl set-timezone ZONE`; if the store's is wrong, correct it in the cloud",
)
def clock_zone(scene: "Scene") -> Answer:
    """The same hour in both."""
    name = scene.identity().time_zone
    try:
        zone = zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return Bad(found=f"this machine does not know the store's zone {name!r}", severity="error")
    from datetime import UTC, datetime

    now = datetime.fromtimestamp(scene.now_ms() // 1000, UTC)
    there = now.astimezone(zone).utcoffset()
    here = now.astimezone(_machine_zone(scene)).utcoffset()
    if there is not None and here is not None and there != here:
        return Bad(
            found=f"in {name} it is {now + there:%H:%M}, on this machine {now + here:%H:%M}",
            fix=f"`timedatectl set-timezone {name}`; if the store's zone is wrong, correct it in the cloud",
        )
    return name


def _machine_zone(scene: "Scene") -> zoneinfo.ZoneInfo | None:
    """Of TZ or /etc/localtime; None: as the process has it."""
    import contextlib

    name = scene.environment.get("TZ", "")
    if not name:
        with contextlib.suppress(OSError):
            target = (scene.system / "etc/localtime").readlink()
            name = str(target).partition("zoneinfo/")[2]
    if not name:
        return None
    with contextlib.suppress(zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return zoneinfo.ZoneInfo(name.removeprefix(":"))
    return None


@check(
    "clock_wrong",
    area="clock",
    title="The clock shows a time that can be",
    severity="error",
    looks_at="the wall clock against the day of this program's making and the newest row of the journal",
    fix="set the clock: `timedatectl set-ntp true`; a flat battery on the board makes it come back",
)
def clock_wrong(scene: "Scene") -> Answer:
    """Neither before this program nor long after."""
    now_s = scene.now_ms() // 1000
    made_s = int((Path(__file__).stat()).st_mtime)
    day_s = 86_400
    # A wheel's files may all be of 1980 or 2020; a clock before both is wrong, whatever made the files.
    if now_s < max(1_767_225_600, min(made_s, 1_893_456_000) - 30 * day_s):
        return Bad(found=f"it shows {time.strftime('%Y-%m-%d %H:%M', time.gmtime(now_s))} UTC, before this program was")
    if now_s > made_s + 20 * 365 * day_s:
        return Bad(found=f"it shows {time.strftime('%Y-%m-%d %H:%M', time.gmtime(now_s))} UTC")
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(now_s))

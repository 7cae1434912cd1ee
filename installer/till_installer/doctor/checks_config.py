"""Checks of the configuration: there, readable, good, nobody else's to change."""

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from till_agent.reloading.starting import LAST_GOOD_FILE
from till_config import ConfigError
from till_config.installed import missing_fix, missing_words
from till_config.loading import read
from till_installer.doctor.catalogue import Answer, check
from till_installer.doctor.findings import Bad, Mend, NotLooked

if TYPE_CHECKING:
    from till_installer.doctor.scene import Scene

AREA = "config"
SHOWN_PROBLEMS = 5
"""Of a faulty file; `tillside config check` lists all."""
OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def need_file(scene: "Scene") -> Path:
    """NotLooked when there is no configuration."""
    if not scene.config.exists():
        raise NotLooked(f"there is no {scene.config}")
    return scene.config


@check(
    "config_missing",
    area=AREA,
    title="There is a configuration",
    severity="error",
    looks_at="`/etc/tillside/till.toml`, or what `--config` names",
    fix=missing_fix(),
)
def config_missing(scene: "Scene") -> Answer:
    """The file is there."""
    if scene.config.exists():
        return str(scene.config)
    return Bad(found=missing_words(scene.config), fix=missing_fix())


@check(
    "config_unreadable",
    area=AREA,
    title="The configuration can be read",
    severity="error",
    looks_at="whether it opens, is a file of a sensible size, UTF-8 and TOML",
    fix="run `tillside config check FILE` and put right what it names",
)
def config_unreadable(scene: "Scene") -> Answer:
    """It opens, and is TOML."""
    path = need_file(scene)
    problem = scene.config_problem()
    if problem is not None and not any(each.key for each in problem.problems):
        return Bad(
            found=str(problem.problems[0]), fix=f"run `tillside config check {path}` and put right what it names"
        )
    return "it is TOML"


@check(
    "config_invalid",
    area=AREA,
    title="The configuration is good",
    severity="error",
    looks_at="every key and value, as `tillside config check` does",
    fix="put right the named keys; `tillside config check FILE` lists them all",
)
def config_invalid(scene: "Scene") -> Answer:
    """Every key is known, every value fits."""
    path = need_file(scene)
    problem = scene.config_problem()
    if problem is None:
        return "every key and value fits"
    keyed = [each for each in problem.problems if each.key]
    if not keyed:
        raise NotLooked("the configuration can't be read")
    more = f" and {len(keyed) - SHOWN_PROBLEMS} more" if len(keyed) > SHOWN_PROBLEMS else ""
    return Bad(
        found="; ".join(str(each) for each in keyed[:SHOWN_PROBLEMS]) + more,
        fix=f"put that right in {path}; `tillside config check {path}` tells when it is good",
    )


@check(
    "policy_refused",
    area=AREA,
    title="The chain's policy fits this till",
    severity="warning",
    looks_at="the policy that the cloud sent, over the till's own file",
    fix="put the policy right in the cloud, or the till's own key that it does not fit; the till goes on without it",
)
def policy_refused(scene: "Scene") -> Answer:
    """It is in force, or there is none."""
    scene.usable_settings()
    problem = scene.policy_problem()
    return Bad(found="; ".join(map(str, problem.problems[:SHOWN_PROBLEMS]))) if problem else "it does"


@check(
    "config_rights",
    area=AREA,
    title="Only its owner may change the configuration",
    severity="warning",
    looks_at="rights of the file and of its folder: whoever writes there decides where sales go",
    fix="take the right to write from all but the owner: `chmod go-w FILE`",
    mends="takes the right to write from group and others",
)
def config_rights(scene: "Scene") -> Answer:
    """Neither group nor others may write."""
    path = need_file(scene)
    if os.name != "posix":
        raise NotLooked("rights are kept in lists that the installer sets")
    loose = [each for each in (path, path.parent) if _may_be_changed(each)]
    if not loose:
        return "only its owner may write it"

    def narrow() -> str:
        for each in loose:
            each.chmod(stat.S_IMODE(each.stat().st_mode) & ~OTHERS_WRITE)
        return f"took the right to write {', '.join(map(str, loose))} from group and others"

    return Bad(
        found=", ".join(
            f"{each} may be written by others (mode {stat.S_IMODE(each.stat().st_mode):o})" for each in loose
        ),
        fix=f"`chmod go-w {' '.join(map(str, loose))}`",
        mend=Mend("take the right to write from others", narrow),
    )


def _may_be_changed(path: Path) -> bool:
    mode = path.stat().st_mode
    # In a folder such as /tmp everybody may make files and nobody may change another's.
    return bool(mode & OTHERS_WRITE) and not mode & stat.S_ISVTX


@check(
    "config_unseen",
    area=AREA,
    title="The agent runs with the configuration as it is now",
    severity="warning",
    looks_at="whether the file was changed after the agent was started and has not been taken up",
    fix="`tillside config apply`, which sells on and names what waits for a restart",
)
def config_unseen(scene: "Scene") -> Answer:
    """The agent read it as it is: at its start, or by `tillside config apply`, which keeps what it took in."""
    path = need_file(scene)
    scene.usable_settings()  # a bad one can't be taken up
    if any(each["code"] == "config_bad" for each in scene.status()["problems"]):
        raise NotLooked("the agent has not taken up the mended file, which another finding tells")
    started_ms = int(scene.status()["started_ms"])
    changed_ms = path.stat().st_mtime_ns // 1_000_000
    if changed_ms > started_ms and _text(path) != _text(scene.state_dir / LAST_GOOD_FILE):
        return Bad(found=f"{path} was changed {(changed_ms - started_ms) // 1000} s after the agent was started")
    return "not changed since the agent read it"


def _text(path: Path) -> str | None:
    """None where there is no such file, or it is closed to this user."""
    try:
        return read(path).text
    except ConfigError:
        return None

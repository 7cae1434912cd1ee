"""What Tillside puts into the system around its own folders: user, names of devices, command, browser policies."""

import contextlib
import json
import os
import shutil
import subprocess
from pathlib import Path

from till_installer.layout import Layout
from till_installer.services.systemd import filled
from till_installer.setup.exceptions import SetupError
from till_installer.setup.files import agent_owner, folder, link, put, remove

DATA = {
    "tillside.sysusers": "etc/sysusers.d/tillside.conf",
    "tillside.tmpfiles": "etc/tmpfiles.d/tillside.conf",
    "tillside.modules": "etc/modules-load.d/tillside.conf",
    "60-tillside.rules": "etc/udev/rules.d/60-tillside.rules",
}
"""Where each of our data files goes."""
COMMAND = "usr/bin/tillside"
RELEASE_KEYS = "release.pub"
"""In `config_dir`: public keys of those whose bundles this till takes, one a line."""

CHROMIUM_POLICIES = tuple(
    f"{folder}/policies/managed/tillside.json"
    for folder in ("etc/chromium", "etc/chromium-browser", "etc/opt/chrome", "etc/opt/edge")
)
FIREFOX_POLICIES = "etc/firefox/policies/policies.json"
CALL_TIMEOUT_S = 60


def file_texts(layout: Layout) -> dict[str, str]:
    """Our data files by their path below the root, with this installation's places in them."""
    return {target: filled(name, layout) for name, target in DATA.items()}


def put_files(layout: Layout) -> list[str]:
    """Our files in the system; gives those that were changed. SetupError."""
    changed = [target for target, text in file_texts(layout).items() if put(layout.root / target, text, 0o644)]
    if link(layout.root / COMMAND, layout.current / "bin/tillside"):
        changed.append(COMMAND)
    return changed


def are_files_ours(layout: Layout) -> list[str]:
    """Our files in the system that are missing or changed."""
    wrong = []
    for target, text in file_texts(layout).items():
        path = layout.root / target
        if not path.is_file() or path.read_text("utf-8", errors="replace") != text:
            wrong.append(target)
    command = layout.root / COMMAND
    if not command.is_symlink() or command.readlink() != layout.current / "bin/tillside":
        wrong.append(COMMAND)
    return wrong


def remove_files(layout: Layout) -> None:
    """All that `put_files` and the policies made. SetupError."""
    command = layout.root / COMMAND
    if command.is_symlink() and command.readlink() == layout.current / "bin/tillside":
        remove(command)
    for target in (*DATA.values(), *CHROMIUM_POLICIES):
        remove(layout.root / target)
    firefox = layout.root / FIREFOX_POLICIES
    if firefox.is_file() and _is_ours(firefox):
        remove(firefox)


def make_user(layout: Layout) -> bool:
    """The agent's user and groups; whether they had to be made. SetupError where neither program can."""
    if os.geteuid() != 0 or agent_owner(layout.root).uid != -1:
        return False
    commands = [
        ["systemd-sysusers", f"--root={layout.root}", str(layout.root / DATA["tillside.sysusers"])],
        ["useradd", "--system", "--root", str(layout.root), "--home-dir", str(layout.state_dir),
         "--shell", "/usr/sbin/nologin", "--groups", "dialout,lp,video", "tillside"],
    ]  # fmt: skip
    for command in commands:
        if shutil.which(command[0]) is None:
            continue
        done = _call(command)
        if done.returncode == 0 and agent_owner(layout.root).uid != -1:
            return True
        said = done.stderr.strip()
        raise SetupError(f"`{command[0]}` could not make the user tillside: {said}; make it by hand", code="no_user")
    raise SetupError("expected systemd-sysusers or useradd, to make the user tillside; make it by hand", code="no_user")


def make_folders(layout: Layout) -> list[str]:
    """Folders of configuration, state and logs with their rights; gives those that were changed. SetupError."""
    owner = agent_owner(layout.root)
    wanted = (
        (layout.programs, 0o755, None),
        (layout.config_dir, 0o755, None),
        (layout.state_dir, 0o700, owner),
        (layout.log_dir, 0o750, owner),
        (layout.updates_dir, 0o700, None),
    )
    return [str(path) for path, mode, whose in wanted if (folder(path, mode, whose) if whose else folder(path, mode))]


def tell_kernel(layout: Layout) -> None:
    """Have new names of devices and modules taken in; on the machine itself only, and no fault where nobody listens."""
    if layout.root != Path("/"):
        return
    for command in (
        ["udevadm", "control", "--reload"],
        ["udevadm", "trigger", "--subsystem-match=tty", "--subsystem-match=usb", "--subsystem-match=usbmisc",
         "--subsystem-match=hidraw"],
        ["systemctl", "restart", "systemd-modules-load.service"],
    ):  # fmt: skip
        if shutil.which(command[0]) is not None:
            _call(command)


def take_in(layout: Layout, targets: tuple[str, ...]) -> None:
    """Have the system obey data files that were changed; on the machine itself only. What fails is no reason to stop:

    it is so at the next start of the machine.
    """
    if layout.root != Path("/"):
        return
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        if DATA["tillside.sysusers"] in targets and shutil.which("systemctl") is not None:
            # By systemd itself: the updater's own unit may not write the users' file.
            _call(["systemctl", "restart", "systemd-sysusers.service"])
        if DATA["tillside.tmpfiles"] in targets and shutil.which("systemd-tmpfiles") is not None:
            _call(["systemd-tmpfiles", "--create", str(layout.root / DATA["tillside.tmpfiles"])])
        if {DATA["60-tillside.rules"], DATA["tillside.modules"]} & set(targets):
            tell_kernel(layout)


def put_policies(layout: Layout, origins: tuple[str, ...]) -> tuple[list[str], str]:
    """Let pages of these origins call the bridge without asking the cashier; gives what was changed, and a remark.

    Chromium, Chrome and Edge: LocalNetworkAccessAllowedForUrls (from version 139, Edge 140) and
    LoopbackNetworkAllowedForUrls (from 146). Firefox: LocalNetworkAccess (from 151 and ESR 140.11), which names where
    requests may go, not where they come from: the bridge still lets in only the origins of its settings.
    """
    if not origins:
        return [], ""
    chromium = _json(
        {"LocalNetworkAccessAllowedForUrls": list(origins), "LoopbackNetworkAllowedForUrls": list(origins)}
    )
    changed = [target for target in CHROMIUM_POLICIES if put(layout.root / target, chromium, 0o644)]
    firefox = layout.root / FIREFOX_POLICIES
    skip = {"LocalNetworkAccess": {"SkipDomains": ["127.0.0.1", "localhost"]}}
    if firefox.exists() and not _is_ours(firefox):
        missing = json.dumps(skip)[1:-1]
        return changed, f"{firefox} is not Tillside's; add to its policies: {missing}"
    if put(firefox, _json({"policies": skip}), 0o644):
        changed.append(FIREFOX_POLICIES)
    return changed, ""


def _is_ours(path: Path) -> bool:
    try:
        policies = json.loads(path.read_bytes())["policies"]
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return set(policies) == {"LocalNetworkAccess"} and set(policies["LocalNetworkAccess"]) == {"SkipDomains"}


def _json(value: object) -> str:
    return json.dumps(value, indent=2) + "\n"


def _call(command: list[str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(  # noqa: S603 - programs of the system, with words of our own
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=CALL_TIMEOUT_S
    )

"""Enrols the till while it is installed, as the agent's own user. What can't be done now is done later by a command."""

import os
import secrets
import subprocess
from pathlib import Path

from msgspec import Struct

from till_config.settings import Settings
from till_installer.layout import Layout
from till_installer.setup.exceptions import PreconditionError, SetupError
from till_installer.setup.files import agent_owner, put, remove
from till_sync.exceptions import IdentityError
from till_sync.identity import IDENTITY_FILE, read_identity

ENROL_TIMEOUT_S = 120.0
"""The agent gives the cloud ten seconds, and another address ten more."""


class Enrolled(Struct, frozen=True, kw_only=True):
    """`till`: "" while it is none; `detail` says then why and what to do."""

    till: str = ""
    is_new: bool = False
    was_tried: bool = False
    detail: str = ""


def enrolled_as(layout: Layout) -> str:
    """The till that this machine is; "" when it is none yet, or can't say."""
    try:
        return read_identity(layout.state_dir / IDENTITY_FILE).till
    except IdentityError:
        return ""


def must_have_code(layout: Layout, code_file: Path | None) -> None:
    """PreconditionError (`no_code`) before anything is changed: no till is left half installed for a misspelt name."""
    if code_file is None or enrolled_as(layout):
        return
    try:
        code_file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise PreconditionError(
            f"expected a one-time code in {code_file}: {exc}; give the path of that file", code="no_code"
        ) from exc


def enrol(layout: Layout, settings: Settings, code_file: Path | None) -> Enrolled:
    """Trade the code, unless this machine is a till already. A cloud that does not answer is no fault: see `detail`."""
    later = f"`sudo tillside agent enrol --config {layout.config} --code-file FILE` does it"
    if till := enrolled_as(layout):
        return Enrolled(till=till)
    if code_file is None:
        return Enrolled(detail=f"not enrolled yet: {later}")
    try:
        code = code_file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise SetupError(f"expected a one-time code in {code_file}: {exc}", code="no_code") from exc
    del settings
    owner = agent_owner(layout.root)
    copy = layout.state_dir / f".code.{secrets.token_hex(4)}"
    put(copy, code, 0o600, owner)
    try:
        done = _run(layout, copy, owner.uid, owner.gid)
    finally:
        remove(copy)
    if done.returncode == 0 and (till := enrolled_as(layout)):
        return Enrolled(till=till, is_new=True, was_tried=True)
    said = (done.stderr.strip() or "it said nothing").removeprefix("Error: ")
    return Enrolled(was_tried=True, detail=f"not enrolled: {said.rstrip(chr(46))}. Later, {later}")


def _run(layout: Layout, code_file: Path, uid: int, gid: int) -> "subprocess.CompletedProcess[str]":
    """The agent's own command, by the agent's own user: whatever it writes is the agent's."""
    command = [str(layout.python(layout.current)), "-P", "-m", "till_installer", "agent", "enrol"]
    command += ["--config", str(layout.config), "--code-file", str(code_file)]
    as_user = {"user": uid, "group": gid, "extra_groups": [gid]} if uid != -1 and os.name == "posix" else {}
    environment = {**os.environ, "HOME": str(layout.state_dir)}
    try:
        return subprocess.run(  # type: ignore[call-overload,no-any-return]  # noqa: S603 - our own command; user by name
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=ENROL_TIMEOUT_S,
            env=environment,
            cwd="/",
            umask=0o077,
            **as_user,
        )
    except OSError as exc:
        # A root below a folder that is shut to the agent's user: whoever starts from that root enrols it then.
        return subprocess.CompletedProcess(command, 1, "", f"its user can't run {command[0]}: {exc.strerror}.")
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 1, "", f"no answer within {ENROL_TIMEOUT_S:g} s.")

"""The settings that an agent starts by: those of its file under the chain's policy, else the last good ones.

A till must sell, whatever somebody typed into a file last night. So the text that was in force is kept in
`agent.state_dir`, and a file that can't be used is a problem on the status page, not a till that is down. Only a till
that never ran has nothing to fall back to.
"""

import contextlib
import logging
import os
import re
import tomllib
from pathlib import Path

import msgspec
from msgspec import Struct

from till_config.exceptions import ConfigError, PolicyError
from till_config.layers import POLICY_FILE, PolicyText, layered, settings_with
from till_config.loading import Source, read, settings_of
from till_config.settings import DEFAULT_STATE_DIR, Settings
from till_sync import keys
from till_sync.exceptions import IdentityError, IdentityMissing
from till_sync.files import replace_file, sync_folder
from till_sync.heartbeat import Policy, policy_bytes
from till_sync.identity import IDENTITY_FILE, load_identity

log = logging.getLogger(__name__)

LAST_GOOD_FILE = "last-good.toml"
"""In `agent.state_dir`: the till's own file as it was in force."""
POLICY_LIMIT_BYTES = 1024 * 1024
"""A policy has at most 262,144 characters, and JSON may take several bytes for one."""
SEARCHED_CHARACTERS = 262_144

_STATE_DIR = re.compile(r"""^\s*(?:agent\s*\.\s*)?state_dir\s*=\s*(?:"([^"\\\n]+)"|'([^'\n]+)')""", re.MULTILINE)
"""For a file that is no TOML: the line as nearly everybody writes it."""


class Start(Struct, frozen=True, kw_only=True):
    """What is in force at a start. `local` is None without a file; the troubles say what is not as it should be."""

    settings: Settings
    config: Path | None = None
    local: Source | None = None
    policy: PolicyText | None = None
    config_trouble: str = ""
    """The first problem of the file; what is in force is the last good one."""
    policy_refused: int = 0
    policy_trouble: str = ""


def settings_at_start(config: Path) -> Start:
    """From the file at `config`, the policy beside the journal, and the last good file. ConfigError: none can be used.

    The file is good and the policy does not fit it: the last good file stays in force under that policy, as it would
    had the file been changed under a running agent. Where there is none, the till runs by its file alone.
    """
    try:
        local = read(config)
        own = settings_of(local)
    except ConfigError as error:
        return _by_last_good(config, state_dir_of(config) or DEFAULT_STATE_DIR, error)
    policy, trouble = kept_policy(Path(own.agent.state_dir))
    if policy is None:
        return Start(settings=own, config=config, local=local, policy_trouble=trouble)
    try:
        settings = settings_with(layered(local, policy))
    except PolicyError as error:
        with contextlib.suppress(ConfigError):
            return _by_last_good(config, own.agent.state_dir, error)
        log.error("the policy does not fit the file, which is used without it: %s", error)  # noqa: TRY400 - says it all
        return Start(
            settings=own,
            config=config,
            local=local,
            policy_refused=policy.version,
            policy_trouble=str(error.problems[0]),
        )
    return Start(settings=settings, config=config, local=local, policy=policy)


def keep_last_good(state_dir: Path, text: str) -> bool:
    """Keep the file's text, now that an agent is up by it; True when it is another one than before.

    What the disk refuses is said, and costs nothing else.
    """
    path = state_dir / LAST_GOOD_FILE
    try:
        data = text.encode()
        if path.exists() and path.read_bytes() == data:
            return False
        replace_file(path, data)
        sync_folder(state_dir)
    except OSError as exc:
        log.warning("the settings in force are not kept for a start with a bad file: %s", exc.strerror)
        return False
    return True


def kept_policy(state_dir: Path) -> tuple[PolicyText | None, str]:
    """The policy beside the journal, and why it is not obeyed: only one that the cloud signed for this till is."""
    path = state_dir / POLICY_FILE
    try:
        if not path.exists():
            return None, ""
        with path.open("rb") as opened:
            policy = msgspec.json.decode(opened.read(POLICY_LIMIT_BYTES), type=Policy)
        identity = load_identity(state_dir / IDENTITY_FILE)
    except IdentityMissing:
        return None, ""
    except (OSError, ValueError, msgspec.DecodeError, IdentityError) as exc:
        log.error("%s can't be used: %s", path, exc)  # noqa: TRY400 - says it all
        return None, f"{path}: {exc}"
    if not is_signed(policy, identity.till, identity.cloud_key):
        log.error("%s is not as the cloud signed it for till %s", path, identity.till)
        return None, f"{path}: expected a policy as the cloud signed it for till {identity.till}"
    return PolicyText(policy.version, policy.text), ""


def is_signed(policy: Policy, till: str, cloud_key: str) -> bool:
    """Whether the cloud of that key made this policy for this till."""
    data = policy_bytes(till, policy.version, policy.text)
    return bool(cloud_key) and keys.verify(cloud_key, data, bytes.fromhex(policy.signature))


def keep_policy(state_dir: Path, policy: Policy) -> None:
    """From the next start on this one counts. OSError."""
    replace_file(state_dir / POLICY_FILE, msgspec.json.encode(policy))
    sync_folder(state_dir)


def _by_last_good(config: Path, folder: str, error: ConfigError) -> Start:
    """ConfigError `error` when there is nothing to fall back to."""
    state_dir = Path(folder)
    path = state_dir / LAST_GOOD_FILE
    try:
        local = read(path)
        own = settings_of(local)
    except ConfigError:
        raise error from None
    if Path(own.agent.state_dir) != state_dir:
        raise error
    policy, trouble = kept_policy(state_dir)
    refused, settings = 0, own
    if policy is not None:
        try:
            settings = settings_with(layered(local, policy))
        except PolicyError as unfit:
            if isinstance(error, PolicyError):
                raise error from None
            refused, trouble, policy = policy.version, str(unfit.problems[0]), None
    log.error("the configuration can't be used, so the last good one is: %s", error)
    return Start(
        settings=settings,
        config=config,
        local=local,
        policy=policy,
        config_trouble=str(error.problems[0]),
        policy_refused=refused,
        policy_trouble=trouble,
    )


def state_dir_of(config: Path) -> str:
    """Where the last good file would lie, as far as a bad one says; "" when it says nothing: in the usual place."""
    try:
        text = config.read_bytes()[:SEARCHED_CHARACTERS].decode("utf-8", "replace")
    except OSError:
        return ""
    found: object = None
    with contextlib.suppress(tomllib.TOMLDecodeError, ValueError, RecursionError):
        agent = tomllib.loads(text).get("agent")
        found = agent.get("state_dir") if isinstance(agent, dict) else None
    if not isinstance(found, str):
        match = _STATE_DIR.search(text)
        found = (match[1] or match[2]) if match else None
    if isinstance(found, str) and found.isprintable() and os.path.isabs(found):  # noqa: PTH117 - as the checker says
        return found
    return ""

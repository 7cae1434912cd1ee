"""Enrolment from the command line: the code goes to the cloud, the identity into the state directory."""

import asyncio
from pathlib import Path

from till_agent.audit_trail import note
from till_agent.bridge.exceptions import AgentStartError, AlreadyRunningError
from till_agent.instance import StateDir, make_state_dir
from till_agent.journal.place import new_salt
from till_agent.retiring import RETIRED_FILE, unretire
from till_config.settings import Settings
from till_sync.enrol import enrol
from till_sync.exceptions import CloudUnreachable, IdentityError, IdentityMissing, SyncError
from till_sync.identity import IDENTITY_FILE, Identity, load_identity, save_identity
from till_sync.keys import new_key, public_of

CODE_LIMIT = 200
"""A code has some 20 letters; a whole file pasted by mistake is not one."""


class EnrolError(Exception):
    """Raised when this machine could not be enrolled; the message says what to do."""


def enrol_till(settings: Settings, code: str, *, again: bool) -> Identity:
    """Get the identity and keep it. EnrolError."""
    if not settings.cloud.url:
        raise EnrolError("expected cloud.url in the configuration: the address of the chain's cloud")
    if not code or len(code) > CODE_LIMIT or not code.isprintable():
        raise EnrolError("expected a code of one short line")
    path = Path(settings.agent.state_dir) / IDENTITY_FILE
    before = _before(path, again=again)
    try:
        make_state_dir(path.parent)
        private_key = new_key()
        answer = asyncio.run(
            enrol(
                settings.cloud.url,
                code,
                new_salt(),
                public_key=public_of(private_key),
                request_timeout_ms=settings.cloud.request_timeout_ms,
            )
        )
    except (AgentStartError, ValueError) as exc:
        raise EnrolError(str(exc)) from exc
    except CloudUnreachable as exc:
        raise EnrolError(
            f"no answer from {settings.cloud.url} ({exc}); check cloud.url and the line, and try again; "
            "should the code be used by then, ask for a new one"
        ) from exc
    except SyncError as exc:
        raise EnrolError(f"the cloud did not enrol this till ({exc.code}): {exc}") from exc
    # An epoch is never used twice by one till; another till's epochs are of no concern here.
    last_epoch = before.last_epoch if before is not None and before.till == answer.till else 0
    try:
        identity = Identity.of(answer, last_epoch=last_epoch, private_key=private_key)
        save_identity(path, identity)
        # A machine that a till was moved away from: the cloud has made it one again, and all other machines none.
        unretire(path.parent)
        note(path.parent, "enrolled", till=identity.till, store=identity.store, again=int(again))
    except IdentityError as exc:
        raise EnrolError(f"{exc}; the code has been used: ask for a new one") from exc
    except OSError as exc:
        raise EnrolError(
            f"{path.parent / RETIRED_FILE} can't be removed ({exc.strerror}): remove it, for this machine is a till"
        ) from exc
    return identity


def _before(path: Path, *, again: bool) -> Identity | None:
    """The identity that is there. A second one is only taken on purpose, and never under a running agent."""
    try:
        before = load_identity(path)
    except IdentityMissing:
        return None
    except IdentityError as exc:
        if not again:
            raise EnrolError(f"{exc}; `--again` replaces it") from exc
        before = None
    if not again:
        till = before.till if before is not None else "unknown"
        raise EnrolError(f"this machine is till {till} already; `--again` replaces its identity")
    try:
        with StateDir(path.parent):
            return before
    except AlreadyRunningError as exc:
        raise EnrolError(f"the agent runs on {path.parent}: stop it, then enrol by the same code") from exc
    except AgentStartError as exc:
        raise EnrolError(str(exc)) from exc

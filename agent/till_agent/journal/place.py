"""Where and whose a journal is, and what opening it found."""

import secrets
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from till_agent.exceptions import JournalUnavailable
from till_agent.journal.aside import DamageReport
from till_agent.journal.salvage import BUDGET_MS
from till_sync.exceptions import IdentityError
from till_sync.ports import Clock

SALT_BYTES = 16
WITNESS_SUFFIX = "-witness"


class EpochKeeper:
    """The last epoch that this till ever used. `save` makes it durable, before the journal is changed."""

    def __init__(self, last_epoch: int, save: Callable[[int], None]) -> None:
        self.last_epoch = last_epoch
        self._save = save

    def raise_to(self, epoch: int) -> None:
        """Store `epoch` if it is a later one; JournalUnavailable when that fails."""
        if epoch <= self.last_epoch:
            return
        try:
            self._save(epoch)
        except (OSError, IdentityError) as exc:
            raise JournalUnavailable(f"expected to store epoch {epoch} in the till's identity, not {exc}") from exc
        self.last_epoch = epoch


def new_salt() -> str:
    """A random salt, 32 hex digits."""
    return secrets.token_hex(SALT_BYTES)


class Place(Struct, frozen=True, kw_only=True):
    """Where and whose the journal is, and what opening needs from outside."""

    path: Path
    till: str
    keeper: EpochKeeper
    clock: Clock
    make_salt: Callable[[], str] = new_salt
    salvage_budget_ms: int = BUDGET_MS
    included: Callable[[], tuple[int, int] | None] = lambda: None
    """The last own op (epoch, seq) that every cached balance includes; None when none is cached."""

    @property
    def witness_path(self) -> Path:
        """The small file that says how far the journal had come."""
        return self.path.with_name(self.path.name + WITNESS_SUFFIX)


class OpenReport(Struct, frozen=True, kw_only=True):
    """What opening found. `reason` says why a new epoch began: "" (it did not), new, missing, gap, restored, or the
    damage's code. `rows_lost` counts rows that the cash software was answered for and the file has no more, as far as
    the witness knows.
    `reindexed`: the rows were whole, their indexes were not and have been made anew.
    """

    epoch: int
    reason: str = ""
    damage: DamageReport | None = None
    rows_lost: int = 0
    reindexed: bool = False
    checked_rows: int = 0
    checked_all: bool = True

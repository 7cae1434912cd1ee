"""Looking once more into a journal that was put aside: at once when no agent runs, else at the agent's next start."""

from pathlib import Path

import msgspec

from till_agent.bridge.exceptions import AlreadyRunningError
from till_agent.core import JOURNAL_FILE
from till_agent.exceptions import JournalUnavailable
from till_agent.instance import StateDir
from till_agent.journal import EpochKeeper, Place
from till_agent.journal.aside import DamageReport, write_report
from till_agent.journal.open import open_session
from till_agent.journal.salvage import LATER_BUDGET_MS, Salvage, report_path
from till_sync.clock import SystemClock
from till_sync.identity import IDENTITY_FILE, load_identity, save_identity


def salvage_again(state_dir: Path, name: str) -> tuple[DamageReport, bool]:
    """The report, and whether it is of now; else a running agent does it when it starts next.

    JournalUnavailable when there is no such file, or no disk to write to; IdentityError.
    """
    path = state_dir / JOURNAL_FILE
    moved = state_dir / Path(name).name
    if not moved.name.startswith(f"{JOURNAL_FILE}.damaged-") or not moved.is_file():
        raise JournalUnavailable(f"expected the name of a journal that was put aside in {state_dir}, not {name!r}")
    identity = load_identity(state_dir / IDENTITY_FILE)
    mark(moved)
    keeper = EpochKeeper(
        identity.last_epoch,
        lambda epoch: save_identity(
            state_dir / IDENTITY_FILE, load_identity(state_dir / IDENTITY_FILE).with_epoch(epoch)
        ),
    )
    place = Place(path=path, till=identity.till, keeper=keeper, clock=SystemClock(), salvage_budget_ms=LATER_BUDGET_MS)
    try:
        with StateDir(state_dir):
            session, _report = open_session(place)
            session.close()
    except AlreadyRunningError:
        return read(moved), False
    return read(moved), True


def read(moved: Path) -> DamageReport:
    """What stands beside a file that was put aside."""
    return msgspec.json.decode(report_path(moved).read_bytes(), type=DamageReport)


def mark(moved: Path) -> None:
    """Have the next opening of the journal look into the file, however often that was tried before."""
    report = read(moved)
    salvage = msgspec.structs.replace(report.salvage or Salvage(), state="begun", attempts=0)
    write_report(moved.parent, msgspec.structs.replace(report, salvage=salvage))

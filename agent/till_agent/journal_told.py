"""What lies beside a journal and says how far it had come: `audit verify` and the doctor hold the journal to it."""

from pathlib import Path

from till_agent.beating import read_told_head
from till_agent.core import JOURNAL_FILE
from till_agent.journal.place import WITNESS_SUFFIX
from till_agent.journal.proving import Told
from till_agent.journal.witness import Witness


def told_beside(state_dir: Path) -> tuple[Told, ...]:
    """By the witness file and the last heartbeat. Ask before the journal is opened, if an agent may be selling."""
    found: list[Told] = []
    mark = Witness(state_dir / f"{JOURNAL_FILE}{WITNESS_SUFFIX}").read()
    if mark is not None:
        found.append(Told(by="witness", epoch=mark.epoch, seq=mark.seq))
    head = read_told_head(state_dir)
    if head is not None:
        found.append(Told(by="heartbeat", epoch=head.epoch, seq=head.seq, hash=head.hash))
    return tuple(found)

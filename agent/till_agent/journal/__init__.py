"""The till's precious record: append-only, hash-chained, on the disk before anyone is told so."""

from till_agent.journal.exceptions import HoldNotOpen, JournalBusy, JournalInUse, JournalTooNew
from till_agent.journal.figures import Figures
from till_agent.journal.holdstore import DiskHoldStore
from till_agent.journal.journal import DiskJournal, VerdictSink, open_journal
from till_agent.journal.place import EpochKeeper, OpenReport, Place
from till_agent.journal.reader import EntryReader
from till_agent.journal.rebuilding import EffectSink

__all__ = [
    "DiskHoldStore",
    "DiskJournal",
    "EffectSink",
    "EntryReader",
    "EpochKeeper",
    "Figures",
    "HoldNotOpen",
    "JournalBusy",
    "JournalInUse",
    "JournalTooNew",
    "OpenReport",
    "Place",
    "VerdictSink",
    "open_journal",
]

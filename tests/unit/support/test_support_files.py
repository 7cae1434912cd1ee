"""The list of files in the bundle has all that the agent keeps in its state directory under a name of its own."""

import json

from till_agent.audit_trail import AUDIT_FILE, FORMER_FILE
from till_agent.beating import TOLD_HEAD_FILE
from till_agent.core import JOURNAL_FILE
from till_agent.journal.rebuilding import DRAFT_SUFFIX, FACTS_SUFFIX
from till_agent.reloading.starting import LAST_GOOD_FILE
from till_agent.retiring import RETIRED_FILE
from till_installer.support.cleaning import Cleaner
from till_installer.support.gathering import _files
from unit.doctor.doctor_world import Healthy

FACTS = JOURNAL_FILE + FACTS_SUFFIX
OURS = {FACTS, FACTS + DRAFT_SUFFIX, AUDIT_FILE, FORMER_FILE, TOLD_HEAD_FILE, LAST_GOOD_FILE, RETIRED_FILE}


def test_files_of_ours_are_listed_and_those_of_others_are_not(till: Healthy) -> None:
    """By name, size and rights."""
    for name in (*OURS, "audit.log.2", "journal.db-facts.Zhanna"):
        (till.state / name).write_bytes(b"x")
    told = {each["name"] for each in json.loads(_files(till.scene(), Cleaner([])))}
    assert told >= {*OURS, JOURNAL_FILE, "identity.json"}
    assert not {name for name in told if name.endswith((".2", "Zhanna"))}

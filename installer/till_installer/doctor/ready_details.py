"""What was found and what to do about it, for the person in the store, in the till's language: `data/ready/`.

English is the doctor's own, with its figures. In the other languages a code has one sentence and one fix; the figures
are in the JSON and in `tillside doctor`, which support reads.
"""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from till_installer.doctor.certificate import Step

ENGLISH = "en"

_CODES_OF = {
    "restart": "agent_silent agent_not_ready bridge_slow config_unseen cache_unusable spool_unusable scanner_rights "
    "service_stopped service_restarts version_mixed agent_memory sale_failed journal_size counter_unusable "
    "agent_troubles",
    "repair": "service_missing service_not_enabled service_altered watchdog_off version_current version_files "
    "version_leftovers python_version packages_missing sqlite_version policy_missing",
    "support": "journal_unreadable journal_too_new journal_chain journal_owner journal_epoch journal_pages "
    "state_dir_missing state_dir_owner state_dir_readonly state_on_network ops_parked clone_suspected",
    "call": "cloud_url cloud_tls config_missing config_unreadable config_invalid config_rights identity_missing "
    "identity_unusable identity_rights tokens_rights tokens_missing state_dir_rights state_leftovers update_failed "
    "loopback_name proxy_environment frontol_script device_name_changes sync_halted port_taken",
    "line": "cloud_name cloud_connect cloud_answer sync_offline cache_old programme_old queue_size queue_age",
    "clock": "clock_offset clock_not_synchronised clock_zone clock_wrong",
    "room": "disk_low inodes_low log_size",
    "plug_in": "scanner_absent",
    "printer": "printer_absent printer_unreachable print_failed spool_stuck",
    "paper": "printer_paper",
    "device": "scanner_fault printer_fault print_unknown nothing_scanned",
    "programs": "memory_low scanner_held",
    "central": "programme_missing ops_rejected policy_refused",
    "wait": "version_previous none_configured left_out no_slip",
    "again": "code_unread other_code",
}
FIX_OF: Mapping[str, str] = MappingProxyType({code: fix for fix, codes in _CODES_OF.items() for code in codes.split()})
"""Which fix a code has."""
PROVEN_CODES = (
    "sale_failed", "print_failed", "print_unknown", "nothing_scanned", "code_unread", "other_code",
    "none_configured", "left_out", "no_slip",
)  # fmt: skip
"""Codes of what `ready` tries itself; all others are the doctor's."""


@cache
def catalogue(language: str) -> Mapping[str, Mapping[str, str]]:
    """Sections `found`, `fix` and `say` of one language; English where there are none of that language."""
    folder = files("till_installer") / "data" / "ready"
    path = folder / f"{language}.toml"
    if not path.is_file():
        path = folder / f"{ENGLISH}.toml"
    return MappingProxyType(tomllib.loads(path.read_text(encoding="utf-8")))


def say(language: str, key: str, **values: Any) -> str:
    """A sentence of what is going on."""
    return catalogue(language)["say"][key].format_map(values)


def found_of(step: Step, language: str) -> str:
    """What was found, as a sentence; a device's name before it."""
    sentences = catalogue(language).get("found", {})
    told = next((sentences[code] for code in step.codes if code in sentences), "")
    if not told:
        return step.found
    return f"{step.subject}: {told}" if step.subject else told


def fix_of(step: Step, language: str) -> str:
    """The one thing to do, in words."""
    fixes = catalogue(language).get("fix")
    if fixes is None or not step.codes or step.state in ("good", "skipped"):
        return step.fix
    if step.fix_code:
        from till_agent.store_words import store_text

        return store_text(language, "fixes", step.fix_code)
    return next((fixes[FIX_OF[code]] for code in step.codes if code in FIX_OF), fixes["call"])

"""What store IT reads: every sentence in every language with the same values, and one table of fixes."""

import ast
import string
from pathlib import Path

import msgspec
import pytest

from till_agent import status
from till_agent.api import Health
from till_agent.desk.lending import Lending
from till_agent.device_words import told
from till_agent.exceptions import TextMissing
from till_agent.fixes import CODES, fix_of, with_fix
from till_agent.journal.aside import DamageReport
from till_agent.journal.figures import Figures
from till_agent.journal.place import OpenReport
from till_agent.status import NOT_READY, Facts, Part, Trouble, problems, troubles
from till_agent.store_words import store_catalogue, store_text
from till_agent.texts import LANGUAGES
from till_drivers.states import DeviceState
from till_sync.status import WorkerStatus

OTHERS = tuple(language for language in LANGUAGES if language != "en")
FULL = Facts(
    not_ready="identity_unusable",
    detail="broken",
    now_wall_ms=10**12,
    has_cloud_url=True,
    figures=Figures("t1", 1, 9, 0, 90_000, 1, 0, 5, 2),
    report=OpenReport(
        epoch=2,
        reason="chain",
        rows_lost=3,
        damage=DamageReport(found_wall_ms=1, code="chain", detail="row 5", moved_to="journal.db.damaged-x"),
    ),
    worker=WorkerStatus(skew_ms=400_000),
    has_programme=False,
    devices=(
        Health(device="receipt", role="printer", state="fault", detail="paper out"),
        Health(device="hand", role="scanner", state="lost"),
    ),
    print_trouble="no room",
    slip_trouble="line 3",
    lending=Lending(floor_spent_points=9, floor_limit_points=10, silent_ms=0, floor_limit_ms=7_200_000),
    codes_on_trust=4,
    disk_free_bytes=100 * 1024 * 1024,
)


def values(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("language", OTHERS)
def test_every_language_has_the_same_sentences_with_the_same_values(language: str) -> None:
    """And they are its own, but for what is typed."""
    english, other = store_catalogue("en"), store_catalogue(language)
    assert {section: set(texts) for section, texts in other.items()} == {
        section: set(texts) for section, texts in english.items()
    }
    for section, texts in english.items():
        for code, text in texts.items():
            assert values(other[section][code]) == values(text), (section, code)
            assert other[section][code] != text or code == "device", (section, code)
            assert [part for part in text.split("`")[1::2] if part not in other[section][code]] == [], (section, code)


def test_every_fix_and_every_state_of_a_device_has_its_sentence_and_no_sentence_is_of_nothing() -> None:
    english = store_catalogue("en")
    assert set(english["fixes"]) == set(CODES)
    assert set(english["states"]) == {state.value for state in DeviceState}
    tree = ast.parse(Path(status.__file__).read_text(encoding="utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    texts = [[each.value for each in call.args if isinstance(each, ast.Constant)] for call in calls]
    said = {found[0] for call, found in zip(calls, texts, strict=True) if call.func.id == "_said" and found}  # type: ignore[attr-defined]  # filtered above
    assert set(english["problems"]) == said | NOT_READY | {"device"}
    assert set(english["parts"]) == {found[1] for found in texts if found[:1] == ["parts"]}


@pytest.mark.parametrize("language", LANGUAGES)
def test_everything_that_may_be_wrong_is_said_in_each_language(language: str) -> None:
    """The same problems with the same codes and levels, and the figures in them."""
    said = problems(FULL, language)
    assert [(each.code, each.level) for each in said] == [(each.code, each.level) for each in problems(FULL)]
    assert len({each.code for each in said}) == len(said) == 15
    texts = {each.code: each.text for each in said}
    assert "90000" in texts["queue_over_limit"]
    assert "journal.db.damaged-x" in texts["journal_replaced"]
    assert "100" in texts["disk_low"]
    assert told("paper out", language) in texts["printer_fault"]
    assert not any("{" in text or "None" in text for text in texts.values())


def test_the_gravest_come_first_and_a_language_that_is_not_there_is_an_error() -> None:
    levels = [each.level for each in troubles(FULL)]
    assert levels == sorted(levels, key=lambda level: level != "error")
    with pytest.raises(TextMissing):
        store_text("de", "fixes", "wait")
    with pytest.raises(TextMissing):
        Trouble("x", "error", Part("problems", "offline")).said()


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_device_that_does_not_work_has_one_thing_to_do_and_one_that_works_has_none(language: str) -> None:
    broken = Health(device="receipt", role="printer", state="fault", detail="paper out")
    assert with_fix(broken, language).fix == store_catalogue(language)["fixes"]["new_roll"]
    assert with_fix(msgspec.structs.replace(broken, state="ready", detail=""), language).fix == ""
    assert fix_of("fault", "paper out", language) == with_fix(broken, language).fix


def test_a_device_that_is_being_opened_is_no_problem_to_mend() -> None:
    """At every start each of them is; its state is told all the same."""
    opening = Health(device="hand", role="scanner", state="opening")
    codes = {trouble.code for trouble in troubles(msgspec.structs.replace(FULL, devices=(opening,)))}
    assert codes == {trouble.code for trouble in troubles(msgspec.structs.replace(FULL, devices=()))}

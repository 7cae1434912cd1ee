"""What a certificate says to the person in the store: each code has a sentence and a fix in the till's language."""

import io
import re
from contextlib import redirect_stdout
from typing import Any

import msgspec
import pytest

from till_installer.doctor.certificate import STEPS, Certificate, Step
from till_installer.doctor.every import all_checks
from till_installer.doctor.ready_details import FIX_OF, PROVEN_CODES, catalogue, fix_of, found_of
from till_installer.doctor.ready_screen import show
from till_installer.doctor.ready_slip import certificate_blocks
from till_installer.doctor.ready_words import WORDS

CODES = (*(each.code for each in all_checks()), *PROVEN_CODES)
OTHERS = ("kk", "ky", "ru", "uk")
LATIN = re.compile(r"[A-Za-z]{3,}")
NAMES = {"TILLSIDE", "Frontol", "SQLite", "Python", "localhost", "kitchen"}
"""Names that have no other spelling; the device's own is one of them."""


def _certificate(language: str, codes: tuple[str, ...], state: Any = "bad", **more: str) -> Certificate:
    """Each line has the first of `codes` and the English words of the doctor."""
    steps = tuple(
        Step(name=name, state=state, found="said in English", fix="do it in English", codes=codes, **more)
        for name in STEPS
    )
    return Certificate(
        ready=False, till="t-7", store="s-1", store_name="", version="0.1", at_ms=0, at="", valid_until_ms=1,
        valid_until="", time_zone="UTC", language=language, steps=steps,
    )  # fmt: skip


def _paper(certificate: Certificate) -> str:
    told = [msgspec.to_builtins(each) for each in certificate_blocks(certificate)]
    return " ".join(each[key] for each in told for key in ("text", "left", "right") if key in each)


def _screen(certificate: Certificate) -> str:
    with redirect_stdout(io.StringIO()) as shown:
        show(certificate)
    return shown.getvalue()


def _foreign(text: str, codes: tuple[str, ...]) -> list[str]:
    """Latin words that are no code, no command and no name."""
    for code in codes:
        text = text.replace(code, "")
    text = re.sub(r"`[^`]*`", "", text)
    return [word for word in LATIN.findall(text) if word not in NAMES]


@pytest.mark.parametrize("language", OTHERS)
def test_ready_has_words_for_every_code_in_every_language(language: str) -> None:
    """The doctor's codes and its own: one sentence and one fix each, none in Latin letters, none left over."""
    words = catalogue(language)
    assert set(words["found"]) == set(CODES)
    assert set(words["fix"]) == set(FIX_OF.values())
    assert set(FIX_OF) == set(CODES)
    assert set(words["say"]) == set(catalogue("en")["say"])
    for key, sentence in catalogue("en")["say"].items():
        assert set(re.findall(r"{\w+}", words["say"][key])) == set(re.findall(r"{\w+}", sentence)), key
    for section in ("found", "fix"):
        for code, sentence in words[section].items():
            assert not _foreign(sentence, ()), (section, code, sentence)


@pytest.mark.parametrize("language", OTHERS)
def test_ready_certificate_holds_no_english_in_another_language(language: str) -> None:
    """On screen and on paper, of every code, as a reason and as a note: nothing of the doctor's English."""
    for code in CODES:
        told = _certificate(language, (code,), subject="kitchen")
        text = _paper(told)
        assert catalogue(language)["found"][code] in text
        assert catalogue(language)["fix"][FIX_OF[code]] in text
        assert not _foreign(text, (code,)), text
    noted = _screen(_certificate(language, ("cache_old",), "noted"))
    assert catalogue(language)["found"]["cache_old"] in noted
    bad = _screen(_certificate(language, ("scanner_absent",)))
    assert not _foreign(bad + noted, ("scanner_absent",)), bad


def test_ready_says_what_to_do_about_a_device_as_the_status_page_does() -> None:
    """The one table of fixes of devices, in the certificate's language."""
    step = Step(name="printer", state="bad", found="x", fix="y", codes=("print_failed",), fix_code="new_roll")
    assert fix_of(step, "ru") == "вставьте новый рулон бумаги"
    assert fix_of(step, "en") == "y"


def test_ready_shows_a_certificate_of_an_earlier_version() -> None:
    """One that was kept before there were such words, or with a code that is not known here: as it was written."""
    step = Step(name="scanner", state="bad", found="as it was", fix="do this", codes=("of_another_version",))
    assert found_of(step, "kk") == "as it was"
    assert fix_of(step, "kk") == catalogue("kk")["fix"]["call"]
    assert found_of(step, "en") == "as it was"
    assert set(WORDS) == {*OTHERS, "en"}

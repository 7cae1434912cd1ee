"""`tillside slip preview` and `slip check`."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fakes.till import PROGRAMME
from till_agent.cli.slip import KINDS, slip
from till_drivers.slips import facts, samples
from till_drivers.slips.template import default_template
from till_drivers.slips.words import LANGUAGES
from till_loyalty.programme_document import programme_json
from till_loyalty.slips import KINDS as PROGRAMME_KINDS
from till_loyalty.slips import LANGUAGES as PROGRAMME_LANGUAGES


def run(*words: str) -> Result:
    return CliRunner().invoke(slip, words)


def test_the_choices_are_those_of_the_slips() -> None:
    """Kinds are written out where the command is; situations are those that have words."""
    assert tuple(samples.SAID) == samples.SITUATIONS
    assert (*facts.KINDS, "copy") == KINDS
    assert facts.KINDS == PROGRAMME_KINDS
    assert set(LANGUAGES) == set(PROGRAMME_LANGUAGES)


@pytest.mark.parametrize(
    ("words", "width"),
    [((), 48), (("--width", "58"), 32), (("--width", "80"), 48), (("--width", "42"), 42), (("--columns", "20"), 20)],
)
def test_a_slip_is_as_wide_as_asked(words: tuple[str, ...], width: int) -> None:
    """Paper in mm, or letters; `--columns` as before."""
    done = run("preview", *words)
    assert done.exit_code == 0
    assert max(map(len, done.output.splitlines())) == width


@pytest.mark.parametrize("width", ["0", "15", "81", "wide", "-58"])
def test_another_width_is_refused(width: str) -> None:
    """With what is expected."""
    done = run("preview", "--width", width)
    assert done.exit_code == 2
    assert "expected 58 or 80 (mm), or 16 to 80 letters" in done.stderr


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sample", samples.SITUATIONS)
def test_every_kind_has_every_situation(kind: str, sample: str) -> None:
    """In English, as text."""
    done = run("preview", "--lang", "en", "--kind", kind, "--sample", sample, "--width", "58")
    assert done.exit_code == 0, done.output
    assert ("COPY" in done.output) == (kind == "copy")


def test_situations_show_what_they_are_called() -> None:
    """Each by the words that make it."""

    def shown(sample: str, kind: str = "sale") -> str:
        return run("preview", "--lang", "en", "--sample", sample, "--kind", kind).output

    assert "1 day ago" in shown("offline")
    assert "-21 points" in shown("debt", "return")
    assert "cover the debt" in shown("debt", "return")
    assert "not confirmed yet" in shown("new-member")
    assert "Number accepted" in shown("unknown")
    assert "is blocked" in shown("blocked")
    assert "once you are confirmed" in shown("provisional")
    assert "Spend by 2025-11-23: 101 points" in shown("expiring")
    assert "For you" in shown("offers")
    assert "will be worked out" in shown("no-rules")
    assert "12\u00a0345\u00a0611".replace("\u00a0", " ") in shown("large")
    assert "Before" not in shown("no-member")


def test_every_format_is_given(tmp_path: Path) -> None:
    """To a file or a pipe; a picture to the file of `--png`."""
    assert CliRunner().invoke(slip, ["preview", "--format", "png"]).stdout_bytes.startswith(b"\x89PNG")
    assert CliRunner().invoke(slip, ["preview", "--format", "escpos"]).stdout_bytes.startswith(b"\x1b@")
    assert json.loads(run("preview", "--format", "frontol").output)[0][0]["type"] == "text"
    assert json.loads(run("preview", "--format", "blocks").output)[0] == {"type": "image"}
    picture = tmp_path / "slip.png"
    assert run("preview", "--png", str(picture)).output == f"{picture}\n"
    assert picture.read_bytes().startswith(b"\x89PNG")
    done = run("preview", "--png", str(tmp_path / "none" / "slip.png"))
    assert done.exit_code == 1
    assert "expected to write" in done.stderr


def test_a_template_of_ones_own_and_a_programmes_are_shown(tmp_path: Path) -> None:
    """The file first, then the programme's, as a till chooses; here one that fails is said, not replaced."""
    from msgspec.structs import replace

    from till_loyalty.slips import Slips, Template

    own, rules = tmp_path / "own.slip", tmp_path / "rules.json"
    own.write_text("{{ text('own ' ~ points(2)) }}", encoding="utf-8")
    named = replace(PROGRAMME, points_name={"en": {"one": "star", "other": "stars"}})
    slips = Slips(templates=(Template(template="{{ text('of the chain') }}", kinds=("void",)),))
    rules.write_text(programme_json(replace(named, slips=slips)), encoding="utf-8")
    assert run("preview", "--template", str(own), "--lang", "ru").output == "own 2 бонуса\n"
    assert run("preview", "--template", str(own), "--programme", str(rules), "--lang", "en").output == "own 2 stars\n"
    assert run("preview", "--programme", str(rules), "--kind", "void").output == "of the chain\n"
    assert "57 stars" in run("preview", "--programme", str(rules), "--lang", "en").output
    own.write_text("\n{{ slip.nothing }}", encoding="utf-8")
    done = run("preview", "--template", str(own))
    assert done.exit_code == 1
    assert "own.slip: line 2:" in done.stderr
    rules.write_text("{}", encoding="utf-8")
    assert run("preview", "--programme", str(rules)).exit_code == 1


def test_templates_are_checked(tmp_path: Path) -> None:
    """Good ones are said to be; of others every fault, once, with its line."""
    good, bad, huge = tmp_path / "good.slip", tmp_path / "bad.slip", tmp_path / "huge.slip"
    good.write_text(default_template()._source, encoding="utf-8")
    bad.write_text("{{ text('x') }}\n{% if slip.after < 0 %}{{ text(slip.dept) }}{% endif %}", encoding="utf-8")
    huge.write_text("x" * 70_000, encoding="utf-8")
    assert run("check", str(good)).output == f"{good}: good\n"
    done = run("check", str(good), str(bad), str(huge))
    assert done.exit_code == 1
    assert done.stdout == f"{good}: good\n"
    assert done.stderr.splitlines() == [
        "bad.slip: line 2: UndefinedError: 'dept' is no part of this",
        "huge.slip: expected a template of at most 65536 bytes, not 70000",
        "2 of 3 not usable",
    ]

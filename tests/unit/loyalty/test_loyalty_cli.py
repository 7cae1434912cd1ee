"""`tillside programme check` and `explain`."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from till_loyalty.cli import programme
from till_loyalty.programme_document import EXAMPLES, example_text


@pytest.fixture
def examples(tmp_path: Path) -> dict[str, Path]:
    paths = {}
    for name in EXAMPLES:
        paths[name] = tmp_path / f"{name}.toml"
        paths[name].write_text(example_text(name), encoding="utf-8")
    paths["bad"] = tmp_path / "bad.toml"
    paths["bad"].write_text('format = 1\nid = "p"\nvertion = 1\ncurrency = "rub"\n', encoding="utf-8")
    return paths


def test_check_tells_the_digest_of_good_files(examples: dict[str, Path]) -> None:
    result = CliRunner().invoke(programme, ["check", str(examples["supermarket"]), str(examples["russia"])])
    assert result.exit_code == 0
    assert result.stdout.count(": good: ") == 2
    assert "supermarket version 1, digest " in result.stdout


def test_check_tells_all_faults_of_all_files_and_fails(examples: dict[str, Path]) -> None:
    result = CliRunner().invoke(programme, ["check", str(examples["bad"]), str(examples["russia"])])
    assert result.exit_code == 1
    assert result.stdout.count(": good: ") == 1
    assert "bad.toml: vertion: expected a known field; did you mean 'version'?" in result.stderr
    assert "bad.toml: version: expected this field, not nothing" in result.stderr
    assert "bad.toml: currency: expected" in result.stderr
    assert "1 of 2 not usable" in result.stderr


@pytest.mark.parametrize("arguments", [["check"], ["check", "no-such-file.toml"], ["explain", "no-such-file.toml"]])
def test_a_file_that_is_not_there_is_a_usage_error(arguments: list[str]) -> None:
    assert CliRunner().invoke(programme, arguments).exit_code == 2


def test_explain_says_the_rules_in_their_order(examples: dict[str, Path]) -> None:
    result = CliRunner().invoke(programme, ["explain", str(examples["supermarket"])])
    assert result.exit_code == 0
    assert "A point is worth 1.00 USD. The smallest part is 0.01 of a point." in result.stdout
    assert "  3. base-silver: 1.5 % of everything, for silver, if it is the best of group 'standing'" in result.stdout
    assert "by law" in result.stdout
    assert "up to 50 %" in result.stdout
    russia = CliRunner().invoke(programme, ["explain", str(examples["russia"])])
    assert "Points are whole." in russia.stdout
    assert "from 500.00 RUB" in russia.stdout


def test_explain_says_what_a_bare_programme_does_not_do(tmp_path: Path) -> None:
    path = tmp_path / "bare.toml"
    path.write_text(
        'format = 1\nid = "p"\nversion = 1\ncurrency = "JPY"\ncurrency_exponent = 0\nredemption = { enabled = false }\n'
        '[[rules]]\nid = "r"\nstack = "exclusive"\npercent_basis_points = 1\n'
        'match = { skus = ["1", "2", "3", "4", "5", "6", "7"] }\n',
        encoding="utf-8",
    )
    text = CliRunner().invoke(programme, ["explain", str(path)]).stdout
    assert "100 JPY" in text
    assert "Paying by points: not offered" in text
    assert "0.01 % of SKU 1, 2, 3, 4, 5 and 2 more, and its lines earn nothing from later rules" in text


def test_explain_of_a_bad_file_tells_its_faults(examples: dict[str, Path]) -> None:
    result = CliRunner().invoke(programme, ["explain", str(examples["bad"])])
    assert result.exit_code == 1
    assert "vertion" in result.stderr

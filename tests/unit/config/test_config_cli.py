"""`tillside config`, as store IT calls it."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from till_config import load
from till_config.main import main

BAD = '[cloud]\nurl = "https://loyalty.example"\nspread = 5\n[bridge]\nport = 16732\n'
GOOD = '[cloud]\nurl = "https://loyalty.example"\n\n[[scanners]]\nname = "front"\nport = "/dev/ttyS0"\n'


def run(*arguments: str) -> Result:
    """The command, run in this process."""
    return CliRunner().invoke(main, ["config", *arguments], prog_name="tillside")


@pytest.fixture
def good(tmp_path: Path) -> str:
    """A file with nothing wrong."""
    (tmp_path / "good.toml").write_text(GOOD, "utf-8")
    return str(tmp_path / "good.toml")


@pytest.fixture
def bad(tmp_path: Path) -> str:
    """A file with two problems."""
    (tmp_path / "bad.toml").write_text(BAD, "utf-8")
    return str(tmp_path / "bad.toml")


def test_check_of_a_good_file_prints_ok(good: str) -> None:
    """And ends with 0."""
    result = run("check", good)
    assert (result.exit_code, result.output) == (0, "OK\n")


def test_check_of_a_bad_file_lists_its_problems(bad: str) -> None:
    """One problem a line on standard output, their number on standard error, status 1."""
    result = run("check", bad)
    assert result.exit_code == 1
    assert [line.removeprefix(bad).split(": expected")[0] for line in result.stdout.splitlines()] == [
        ":3:1: cloud.spread",
        ":5:8: bridge.port",
    ]
    assert result.stderr == "2 problems; the file is not used.\n"


def test_check_of_one_problem_counts_in_the_singular(tmp_path: Path) -> None:
    """A missing file is a problem as well."""
    result = run("check", str(tmp_path / "none.toml"))
    assert (result.exit_code, result.stderr) == (1, "1 problem; the file is not used.\n")


def test_show_prints_a_file_that_means_the_same(good: str, tmp_path: Path) -> None:
    """With every default filled in."""
    result = run("show", good)
    copy = tmp_path / "copy.toml"
    copy.write_text(result.output, "utf-8")
    assert load(copy) == load(good)
    assert "poll_interval_ms = 2000" in result.output


@pytest.mark.parametrize("command", [["show"], ["explain", "bridge.port", "--config"]])
def test_a_bad_file_is_not_shown_or_explained(command: list[str], bad: str) -> None:
    """Its problems are, with status 1 and no traceback."""
    result = run(*command, bad)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith("Error: the configuration can't be used:\n")
    assert "16732" in result.stderr


def test_explain_tells_the_place_of_a_value_that_the_file_sets(good: str) -> None:
    """File, line and column."""
    result = run("explain", "cloud.url", "--config", good)
    assert result.output.splitlines() == [
        'cloud.url = "https://loyalty.example"',
        f"  from:     {good}:2:1",
        '  default:  ""',
        "  expected: a text",
        "  meaning:  Address of the cloud: https, or http on this machine; empty means that there is none yet.",
    ]


def test_explain_tells_that_a_value_is_the_default(good: str) -> None:
    """When the file doesn't set it."""
    assert (
        "scanners[0].baud_rate = 9600\n  from:     the default\n"
        in run("explain", "scanners[0].baud_rate", "--config", good).output
    )


def test_explain_without_an_index_means_all_sections(good: str) -> None:
    """`scanners.port` is that of each scanner."""
    assert (
        f'scanners[0].port = "/dev/ttyS0"\n  from:     {good}:6:1\n'
        in run("explain", "scanners.port", "--config", good).output
    )


def test_explain_without_a_file_explains_the_default() -> None:
    """So that one can look before there is a file."""
    assert run("explain", "bridge.port").output.startswith("bridge.port = 17532\n  from:     the default\n")


def test_explain_of_a_required_key_says_that_it_must_be_given() -> None:
    """There is no default to show."""
    assert "default:  none, it must be given" in run("explain", "printers.name").output


@pytest.mark.parametrize(
    ("key", "answer"),
    [
        ("bridge.prot", "did you mean `bridge.port`?"),
        ("port", "there is `bridge.port`, `scanners.port`, `printers.port`"),
        ("bridge.port.x", "expected a key of the configuration, not 'bridge.port.x'"),
        ("scanners[7].port", "expected an index that exists"),
        ("bridge..port", "expected a key like"),
        ("", "expected a key like"),
    ],
)
def test_explain_of_an_unknown_key_helps_to_find_the_right_one(key: str, answer: str) -> None:
    """With status 1 and the nearest key."""
    result = run("explain", key)
    assert result.exit_code == 1
    assert answer in result.stderr


def test_defaults_prints_a_file_to_start_from(tmp_path: Path) -> None:
    """It passes the check."""
    result = run("defaults")
    file = tmp_path / "till.toml"
    file.write_text(result.output, "utf-8")
    assert run("check", str(file)).output == "OK\n"

"""The root of the `tillside` command loads a group when it is called, and only then."""

import importlib.metadata
import subprocess
import sys
from importlib.metadata import EntryPoint

import click
import pytest
from click.testing import CliRunner, Result

from till_config.main import COMMANDS_GROUP, SHORT_HELP, LazyGroup, main

HEAVY = ("PIL", "asyncio", "escpos", "httpx", "jinja2", "phonenumbers", "rich", "sqlite3", "starlette", "uvicorn")


def invoke(*points: tuple[str, str], arguments: list[str]) -> Result:
    """A root with those entry points (name, target), run in this process."""
    group = LazyGroup(entry_point_group="tillside.tests")
    group._found = {name: EntryPoint(name, target, "tillside.tests") for name, target in points}
    return CliRunner().invoke(group, arguments)


def test_version_is_that_of_the_distribution() -> None:
    """Read from the installed metadata."""
    result = CliRunner().invoke(main, ["--version"])
    assert result.output == f"tillside {importlib.metadata.version('tillside')}\n"


def test_help_lists_every_group_with_a_line_of_help() -> None:
    """One line for each name in the entry points, and no line for a group that isn't there."""
    names = {point.name for point in importlib.metadata.entry_points(group=COMMANDS_GROUP)}
    assert set(SHORT_HELP) == names
    output = CliRunner().invoke(main, ["--help"]).output
    assert [line.split()[0] for line in output.partition("Commands:\n")[2].splitlines()] == sorted(names)


@pytest.mark.parametrize("name", sorted(SHORT_HELP))
def test_every_group_can_be_loaded_and_has_help(name: str) -> None:
    """The entry points name what is there."""
    (point,) = importlib.metadata.entry_points(group=COMMANDS_GROUP, name=name)
    command = point.load()
    assert isinstance(command, click.Command)
    assert command.get_short_help_str()


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["config", "explain", "bridge.port"]])
def test_light_commands_import_no_heavy_package(arguments: list[str]) -> None:
    """`tillside --help` answers at once; the daemon's memory isn't spent on what it doesn't use."""
    code = (
        "import sys\n"
        "from till_config.main import main\n"
        f"main({arguments!r}, standalone_mode=False)\n"
        f"print('loaded:', *[name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert result.stderr == "loaded:\n"


def test_only_the_group_that_is_called_is_loaded() -> None:
    """The broken neighbour isn't touched."""
    points = (("good", "till_config.cli:config"), ("broken", "till_config.none:none"))
    assert invoke(*points, arguments=["good", "--help"]).exit_code == 0
    assert invoke(*points, arguments=["--help"]).exit_code == 0


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("till_config.none:none", "No module named 'till_config.none'"),
        ("till_config.cli:none", "no attribute 'none'"),
        ("till_config.cli:load", "expected a click command at till_config.cli:load, not function"),
    ],
)
def test_a_group_that_cannot_be_loaded_gives_one_clear_line(target: str, reason: str) -> None:
    """With status 1 and no traceback."""
    result = invoke(("broken", target), arguments=["broken", "run"])
    assert result.exit_code == 1
    assert reason in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_an_unknown_group_is_a_usage_error() -> None:
    """Status 2, as click has it."""
    result = CliRunner().invoke(main, ["nonsense"])
    assert result.exit_code == 2
    assert "No such command 'nonsense'" in result.stderr


def test_what_was_pasted_in_a_files_place_is_no_crash() -> None:
    """Longer than any name of a file: one line about it, not Python's."""
    done = CliRunner().invoke(main, ["cloud", "till", "list", "--db", "a" * 5_000])
    assert done.exit_code == 1
    assert "expected the name of a file, not 5000 characters: aaaa" in done.output
    assert len(done.output) < 200

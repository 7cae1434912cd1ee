"""Each `tillside ...` that a page, a message or a hint names is a command that there is, with options that it has."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from house.tree import report, texts
from till_config.main import main

IN_BLOCK = re.compile(r"^(?:\s*[$#] )?(?:sudo )?(?:\S*/)?(tillside [^\n]*(?:\\\n[^\n]*)*)", re.MULTILINE)
IN_LINE = re.compile(r"`(?:sudo )?(tillside [^`]+)`")
FENCED = re.compile(r"^ *```\w*[^\n]*\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
ENDS = re.compile(r"\s(?:[|;&#]|\d?>|<<?|\(|\|\|)")
WORD = re.compile(r"^[a-z][a-z-]*$")
MADE = ("docs/reference/cli.md",)
HISTORY = ("docs/decisions/", "CHANGELOG")
"""Tell of what was once."""
NO_COMMANDS = ("tillside wallet chain", "tillside rotating 1:")
"""Bytes that keys are made with."""
SAYING = ("agent/", "cloud/", "config/", "drivers/", "installer/", "loyalty/", "sync/")


def wrong_with(line: str) -> str:
    """What is not there; "" when all is."""
    cut = ENDS.split(line.replace("\\\n", " ").rstrip(".,:)"))[0]
    try:
        words = shlex.split(cut)[1:]
    except ValueError:
        words = cut.split()[1:]
    command: click.Command = main
    context = click.Context(main, info_name="tillside")
    options: set[str] = set()
    while True:
        options = {name for each in command.get_params(context) for name in (*each.opts, *each.secondary_opts)}
        following = next((word for word in words if not word.startswith("-")), "")
        if not isinstance(command, click.Group) or not WORD.match(following):
            break
        found = command.get_command(context, following)
        if found is None:
            # `tillside audit` alone is a group that takes no words of its own: whatever stands there was meant for one.
            return f"{context.command_path} has no {following}"
        words = words[words.index(following) + 1 :]
        command, context = found, click.Context(found, info_name=following, parent=context)
    asked = [word.partition("=")[0] for word in words if word.startswith("--") and word != "--"]
    lacking = [word for word in asked if word not in options and word not in ("--help", "--version")]
    return f"{context.command_path} has no {' '.join(lacking)}" if lacking else ""


def _named() -> Iterator[tuple[str, str]]:
    for name, text in texts().items():
        if name.endswith((".py", ".toml")) and name.startswith(SAYING):
            yield from ((name, line) for line in IN_LINE.findall(text) if not set('{\n"') & set(line))
        if not name.endswith(".md") or name in MADE or name.startswith(HISTORY):
            continue
        for block in FENCED.findall(text):
            yield from ((name, line) for line in IN_BLOCK.findall(block))
        yield from ((name, line.replace("\n", " ")) for line in IN_LINE.findall(FENCED.sub("", text)))


def test_every_command_that_a_page_or_a_message_names_is_there() -> None:
    """By its name and its options; who copies it gets no `No such option`."""
    found = list(_named())
    assert len(found) > 300
    report(
        [
            f"{name}: {line}: {wrong}"
            for name, line in dict.fromkeys(found)
            if line not in NO_COMMANDS and (wrong := wrong_with(line))
        ]
    )


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("tillside queue list --rejected", ""),
        ("tillside queue lists", "tillside queue has no lists"),
        ("tillside doctor --mend", "tillside doctor has no --mend"),
        ("tillside cloud till code TILL > code.txt --no", ""),
        ("tillside cloud wave start code 9.9 --stors pilot", "tillside cloud wave start has no --stors"),
    ],
)
def test_a_command_that_is_not_there_is_found_out(line: str, wrong: str) -> None:
    """And one that is there is left alone."""
    assert wrong_with(line) == wrong


def test_the_indexes_name_every_page() -> None:
    """Of how-tos, explanations, references and tutorials: nobody finds a page by chance."""
    index, how_to = texts()["docs/README.md"], texts()["docs/how-to/README.md"]
    pages = [
        Path(name)
        for name in texts()
        if re.match(r"docs/(how-to|explanation|tutorial|reference|operations)/.*\.md$", name)
    ]
    wanted = [page for page in pages if page.name != "README.md"]
    report([f"docs/README.md: {page}" for page in wanted if f"{page.parent.name}/{page.name}" not in index])
    report(
        [
            f"docs/how-to/README.md: {page}"
            for page in wanted
            if page.parent.name == "how-to" and page.name not in how_to
        ]
    )

"""Writes docs/reference/cli.md, whose name is its argument, from the commands themselves.

`make reference` calls it; a test holds the page to the commands.
"""

import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from till_config.main import main as root

PROGRAM = "tillside"
HEAD = """# Commands

<!-- Made from the commands by `make reference`; a test keeps it current. -->

`tillside --version` says which one is installed; `-h` after any command tells what stands here. Commands that look
into a running agent ask its bridge; `sync status` and `queue` read its journal when none runs. A command that can't do
what it is asked says so in one line on standard error and ends with status 1; 2 means that it was called wrongly.
"""


def commands(group: click.Command, path: tuple[str, ...], parent: click.Context | None) -> Iterator[click.Context]:
    """A context for each command that has no commands below it, by name; hidden ones are left out."""
    context = click.Context(group, info_name=path[-1], parent=parent)
    if not isinstance(group, click.Group):
        yield context
        return
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is not None and not command.hidden:
            yield from commands(command, (*path, name), context)


def page() -> str:
    """The whole page."""
    found = list(commands(root, (PROGRAM,), None))
    parts = [HEAD]
    group = ""
    for context in found:
        words = context.command_path.split()
        if words[1] != group:
            group = words[1]
            parts.append(f"\n## {PROGRAM} {group}\n" + ("\n" if len(words) == 2 else ""))
        if len(words) > 2:
            parts.append(f"\n### {context.command_path}\n\n")
        parts.append(section(context))
    return "".join(parts)


def section(context: click.Context) -> str:
    """One command: how it is called, what it does, its options."""
    usage = " ".join((context.command_path, *context.command.collect_usage_pieces(context)))
    rows = [row(option, context) for option in context.command.params if isinstance(option, click.Option)]
    text = f"```text\n{usage}\n```\n\n{about(context.command)}\n"
    if not rows:
        return text
    return text + "\n| option | value | meaning |\n|---|---|---|\n" + "".join(f"{line}\n" for line in rows)


def about(command: click.Command) -> str:
    """Its help as paragraphs."""
    text = inspect.cleandoc(command.help or command.short_help or "").replace("\f", "")
    return "\n\n".join(re.sub(r"\s+", " ", paragraph).strip() for paragraph in text.split("\n\n"))


def row(option: click.Option, context: click.Context) -> str:
    """An option's line of the table."""
    names = ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
    said = [option.help or ""]
    if option.required:
        said.append("Required.")
    elif option.show_default and option.default is not None:
        said.append(f"Default: `{option.default}`.")
    if option.multiple:
        said.append("May be repeated.")
    if option.envvar:
        said.append(f"Or the variable `{option.envvar}`.")
    meaning = " ".join(part if part.endswith((".", ")", "}")) else f"{part}." for part in said if part)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in (names, value(option, context), meaning)) + " |"


def value(option: click.Option, context: click.Context) -> str:
    """What may follow it."""
    if option.is_flag:
        return ""
    match option.type:
        case click.IntRange(min=least, max=None):
            return f"a whole number from {least}"
        case click.IntRange(min=least, max=largest):
            return f"a whole number from {least} to {largest}"
        case click.Choice(choices=choices):
            return ", ".join(f"`{choice}`" for choice in choices)
        case _:
            return f"`{option.make_metavar(context)}`"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")

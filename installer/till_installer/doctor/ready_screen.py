"""The certificate on a terminal."""

from till_installer.doctor.certificate import Certificate
from till_installer.doctor.ready_details import fix_of, found_of
from till_installer.doctor.ready_slip import mark
from till_installer.doctor.ready_words import words_of
from till_installer.doctor.showing import printable

_COLOURS = {"good": "green", "bad": "bold red", "noted": "yellow", "skipped": "bright_black"}


def show(certificate: Certificate) -> None:
    """A frame with the lines, then what stands in the way, each with its one fix."""
    from rich import box
    from rich.console import Console, Group
    from rich.panel import Panel
    from rich.table import Table
    from rich.text import Text

    words = words_of(certificate.language)
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row(words.till, Text(printable(certificate.till or "?")))
    table.add_row(words.store, Text(printable(f"{certificate.store} {certificate.store_name}".strip() or "?")))
    table.add_row(words.made, certificate.at)
    if certificate.ready:
        table.add_row(words.valid_until, certificate.valid_until)
    table.add_row(words.version, certificate.version)
    table.add_row("", "")
    for step in certificate.steps:
        found = found_of(step, certificate.language)
        detail = f"  {printable(found)}" if found and step.state != "bad" else ""
        table.add_row(words.steps[step.name], Text(mark(step, words), _COLOURS[step.state]) + Text(detail, "dim"))
    parts: list[Table | Text] = [table]
    for step in certificate.reasons:
        codes = f" ({', '.join(step.codes)})" if step.codes else ""
        parts.append(Text(f"\n{words.steps[step.name]}{codes}", "bold red"))
        parts.append(Text(printable(found_of(step, certificate.language))))
        if fix := fix_of(step, certificate.language):
            parts.append(Text(f"-> {printable(fix)}", "bold"))
    title = words.ready if certificate.ready else words.not_ready
    colour = "green" if certificate.ready else "red"
    # ASCII where the terminal's encoding has no lines to draw a frame with.
    Console(highlight=False).print(
        Panel(
            Group(*parts),
            title=Text(title, f"bold {colour}"),
            subtitle=f"{words.number} {certificate.number}",
            border_style=colour,
            box=box.ROUNDED,
            expand=False,
        )
    )

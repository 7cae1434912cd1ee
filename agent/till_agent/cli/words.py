"""Times, ages and points as people read them on a terminal; times in the machine's own zone."""

from collections.abc import Sequence
from datetime import UTC, datetime

import click


def moment(wall_ms: object) -> str:
    """UTC milliseconds as local date and time; "never" for 0."""
    if not isinstance(wall_ms, int) or wall_ms <= 0:
        return "never"
    try:
        return datetime.fromtimestamp(wall_ms / 1000, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    except (OverflowError, ValueError, OSError):
        return f"{wall_ms} ms"


def age(ms: object) -> str:
    """A length of time in its two largest units."""
    seconds = ms // 1000 if isinstance(ms, int) else 0
    days, seconds = divmod(seconds, 86_400)
    hours, seconds = divmod(seconds, 3_600)
    minutes, seconds = divmod(seconds, 60)
    parts = [f"{days} d" if days else "", f"{hours} h" if hours else "", f"{minutes} min" if minutes else ""]
    found = [part for part in parts if part][:2]
    return " ".join(found) or f"{seconds} s"


def points(minor: int, digits: int) -> str:
    """Whole minor points with their digits after the point: 538 are 5.38 where a point has two."""
    if not digits:
        return str(minor)
    whole, fraction = divmod(abs(minor), 10**digits)
    return f"{'-' if minor < 0 else ''}{whole}.{fraction:0{digits}d}"


def table(rows: Sequence[tuple[str, ...]]) -> None:
    """Columns as wide as they need; the first row is the heading. Control characters are shown, not obeyed."""
    clean = [tuple(cell if cell.isprintable() else repr(cell) for cell in row) for row in rows]
    widths = [max(len(row[column]) for row in clean) for column in range(len(clean[0]))]
    for row in clean:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())

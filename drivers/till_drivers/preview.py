"""A slip as a picture before it is printed: made from the very bytes that the printer would get."""

from collections.abc import Iterable
from pathlib import Path

from till_drivers.blocks import Block
from till_drivers.printers.profile import Profile
from till_drivers.printers.render import render
from till_drivers.simulators.escpos_interpreter import Interpreter
from till_drivers.simulators.paper import Paper, Slip


def to_png(blocks: Iterable[Block], profile: Profile, path: Path | None = None) -> bytes:
    """PNG of the slip, one pixel a dot; written to `path` too if given. Raises RenderError as `render` does."""
    from till_drivers.simulators.picture import slip_png

    picture = slip_png(to_slip(render(blocks, profile), profile))
    if path is not None:
        path.write_bytes(picture)
    return picture


def to_slip(data: bytes, profile: Profile) -> Slip:
    """What a printer of this profile would put on paper for one job's bytes; pieces cut apart are joined."""
    slips: list[Slip] = []
    paper = Paper(width_dots=profile.width_dots, columns=profile.columns, done=slips.append)
    interpreter = Interpreter()
    for element in [*interpreter.feed(data), *interpreter.finish()]:
        paper.put(element)
    paper.tear()
    marks = tuple(mark for slip in slips for mark in slip.marks)
    return Slip(number=1, marks=marks, columns=profile.columns, width_dots=profile.width_dots)

"""From blocks to the bytes that a printer's driver takes: ESC/POS, unless the driver draws slips itself."""

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

from till_drivers.blocks import Block
from till_drivers.exceptions import RenderError
from till_drivers.printers.profile import Profile

Draw = Callable[[Sequence[Block]], bytes]


@runtime_checkable
class DrawsItself(Protocol):
    """A printer's driver that does not take ESC/POS: `submit` gets as `data` what its `draw` gave.

    `draw` is called in a thread, on the agent's start-up state alone: it must not touch the device. It raises
    RenderError for blocks that can't be printed.
    """

    def draw(self, blocks: Sequence[Block]) -> bytes: ...


def drawing_for(driver: object, profile: Profile) -> Draw:
    """How slips for this driver are drawn. What it returns raises RenderError and nothing else."""
    if isinstance(driver, DrawsItself):
        own = driver

        def draw(blocks: Sequence[Block]) -> bytes:
            try:
                data = own.draw(blocks)
            except RenderError:
                raise
            except Exception as exc:
                raise RenderError(f"expected the printer's driver to draw the slip: {type(exc).__name__}") from exc
            if not isinstance(data, bytes):
                raise RenderError(f"expected bytes from the driver's draw, not {type(data).__name__}")
            return data

        return draw

    def render_escpos(blocks: Sequence[Block]) -> bytes:
        from till_drivers.printers.render import render

        return render(blocks, profile)

    return render_escpos

"""Slips as pictures, each dot, against files that a person has looked at: every template, language, width and kind.

`TILLSIDE_WRITE_GOLDEN=1 .venv/bin/pytest tests/unit/slips/test_slips_images.py` writes the files anew; look at those
that `git status` names before they are committed. Dots are compared, not the bytes of the files.
"""

import io
import os
from pathlib import Path

import pytest
from msgspec.structs import replace
from PIL import Image, ImageChops

from till_drivers.blocks import Block
from till_drivers.preview import to_png
from till_drivers.printers.profile import PROFILE_58MM, PROFILE_80MM
from till_drivers.slips.samples import sample_facts
from till_drivers.slips.template import SlipTemplate, default_template
from till_drivers.slips.words import LANGUAGES, SlipWords

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "slips"
PAPERS = {"58": PROFILE_58MM, "80": PROFILE_80MM}
TEMPLATES: dict[str, SlipTemplate] = {"default": default_template()}
PICTURES = {
    "sale": ("sale", "offline"),
    "offers": ("sale", "offers"),
    "return": ("return", "debt"),
    "void": ("void", "usual"),
    "quote": ("quote", "expiring"),
    "copy": ("sale", "usual"),
    "large": ("sale", "large"),
}
"""What is shown: a kind of slip in a situation."""


def blocks_of(template: str, picture: str, language: str) -> list[Block]:
    kind, situation = PICTURES[picture]
    words = SlipWords(language)
    facts = replace(sample_facts(kind, words, situation), copy=picture == "copy")
    return TEMPLATES[template].blocks(facts, words)


def small(png: bytes) -> bytes:
    """One bit a dot."""
    out = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("1", dither=Image.Dither.NONE).save(out, "PNG", optimize=True)
    return out.getvalue()


def dots(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data)).convert("L")


@pytest.mark.parametrize("paper", PAPERS)
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("template", TEMPLATES)
def test_slips_look_as_they_should(template: str, language: str, paper: str, tmp_path: Path) -> None:
    """All kinds of one template, language and width."""
    for picture in PICTURES:
        path = GOLDEN / f"{template}-{picture}-{language}-{paper}.png"
        made = small(to_png(blocks_of(template, picture, language), PAPERS[paper]))
        if os.environ.get("TILLSIDE_WRITE_GOLDEN") == "1" and not (path.exists() and same(path.read_bytes(), made)):
            path.write_bytes(made)
        if not same(path.read_bytes(), made):
            (tmp_path / path.name).write_bytes(made)
            pytest.fail(f"{path.name} looks otherwise now: see {tmp_path / path.name}")


def same(one: bytes, other: bytes) -> bool:
    first, second = dots(one), dots(other)
    return first.size == second.size and ImageChops.difference(first, second).getbbox() is None


def test_no_picture_is_left_over() -> None:
    """Of a template or kind that there is no more."""
    wanted = {
        f"{template}-{picture}-{language}-{paper}.png"
        for template in TEMPLATES
        for picture in PICTURES
        for language in LANGUAGES
        for paper in PAPERS
    }
    assert {path.name for path in GOLDEN.glob("*.png")} == wanted


def test_a_dot_is_noticed(tmp_path: Path) -> None:
    """One of some hundred thousand."""
    path = GOLDEN / "default-sale-ru-58.png"
    changed = Image.open(path).convert("1")
    changed.putpixel((5, 5), 255 - int(changed.getpixel((5, 5))))  # type: ignore[call-overload]  # one band
    changed.save(tmp_path / "changed.png")
    assert not same(path.read_bytes(), (tmp_path / "changed.png").read_bytes())
    assert same(path.read_bytes(), path.read_bytes())

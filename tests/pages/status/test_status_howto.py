"""What is written about the status page: its words are the page's own, its pictures small."""

import json
import re

from house.tree import ROOT
from till_agent.pages.library import ASSETS

PAGE = ROOT / "docs" / "how-to" / "use-the-status-page.md"
PICTURE_LIMIT_BYTES = 120_000


def test_it_speaks_of_what_is_on_the_page() -> None:
    """Cards and buttons by their English names."""
    text = PAGE.read_text(encoding="utf-8")
    words = json.loads((ASSETS / "status" / "words" / "en.json").read_text(encoding="utf-8"))
    titles = [words[key] for key in words if key.endswith(".title") and key != "support.title"]
    assert [title for title in titles if f"| {title} |" not in text] == []
    buttons = ("print.try", "scan.try", "sync.now", "support.open", "log.pause")
    assert [words[key] for key in buttons if f"*{words[key]}*" not in text] == []
    verdicts = [words[f"verdict.{level}"] for level in ("good", "warning", "error")]
    assert [verdict for verdict in verdicts if verdict.lower() not in text.lower()] == []


def test_its_pictures_are_small() -> None:
    """They come with every clone."""
    for name in re.findall(r"\]\(\.\./images/([a-z-]+\.png)\)", PAGE.read_text(encoding="utf-8")):
        assert (ROOT / "docs" / "images" / name).stat().st_size <= PICTURE_LIMIT_BYTES

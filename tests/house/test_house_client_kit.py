"""The client kit says what the bridge's description says: the same calls, the same fields."""

from house import client_kit
from house.tree import ROOT


def test_made_parts_of_the_client_kit_are_current() -> None:
    """Whoever changes the bridge writes the clients anew."""
    stale = [str(path.relative_to(ROOT)) for path, text in client_kit.made().items() if path.read_text("utf-8") != text]
    assert not stale, f"run `make reference`: {', '.join(stale)} is not as docs/reference/openapi.json has it"

"""The packaged defaults and the reference page are made from the settings structs, and kept current."""

import re
from pathlib import Path

import pytest
from msgspec import NODEFAULT

from till_config import Settings, load, schema
from till_config.reference import DEFAULTS_FILE, defaults_toml, reference_page, write
from till_config.rendering import MASK, masked

ROOT = Path(__file__).resolve().parents[3]
PAGE = Path("docs", "reference", "config.md")


def test_the_reference_page_is_current() -> None:
    """`make reference` writes it."""
    assert (ROOT / PAGE).read_text("utf-8") == reference_page()


def test_the_packaged_defaults_are_current() -> None:
    """`make reference` writes them."""
    assert DEFAULTS_FILE.read_text("utf-8") == defaults_toml()


def test_the_packaged_defaults_are_the_defaults() -> None:
    """Loading them changes nothing."""
    assert load(DEFAULTS_FILE) == Settings()


def test_the_examples_in_the_packaged_defaults_are_good(tmp_path: Path) -> None:
    """Taking the comment sign off the sections that may be repeated gives a file that loads."""
    text = re.sub(r"^# (?=#|\[\[|[a-z_]+ = )", "", defaults_toml(), flags=re.MULTILINE)
    text = text.replace('scopes = ["sale", "register"]', 'scopes = ["sale", "register", "admin"]')
    file = tmp_path / "till.toml"
    file.write_text(text, "utf-8")
    settings = load(file)
    assert (len(settings.scanners), len(settings.printers), len(settings.bridge.clients)) == (1, 1, 1)


def test_both_are_written_into_a_source_tree(tmp_path: Path) -> None:
    """With line ends that don't depend on the system."""
    files = write_into(tmp_path)
    assert [file.read_bytes() for file in files] == [
        DEFAULTS_FILE.read_bytes(),
        (ROOT / PAGE).read_bytes(),
    ]


def write_into(folder: Path) -> list[Path]:
    """Write into an empty tree that has the package's data folder."""
    (folder / "config" / "till_config" / "data").mkdir(parents=True)
    return write(folder)


@pytest.mark.parametrize("section", list(schema.sections()), ids=lambda section: section.name)
def test_every_key_says_what_it_means_and_has_its_unit_last(section: schema.Section) -> None:
    """A description that ends a sentence; times in ms, sizes in bytes; a default that its own rule accepts."""
    assert section.description.endswith(".")
    for key in section.keys.values():
        assert key.description.endswith("."), key.name
        assert not re.search(r"timeout$|interval$|spread$|budget$|size$", key.name), key.name


def test_every_key_is_on_the_page_and_required_ones_are_marked() -> None:
    """Nothing can be configured that isn't described."""
    chapters = dict(re.findall(r"^## `(.+?)`\n(.+?)(?=^## |\Z)", reference_page(), flags=re.MULTILINE | re.DOTALL))
    for section in schema.sections():
        rows = {row.split("`")[1]: row for row in chapters.pop(section.heading).splitlines() if row.startswith("| `")}
        plain = {key.name: key for key in section.keys.values() if schema.struct_inside(key.kind) is None}
        assert set(rows) == set(plain)
        for name, key in plain.items():
            assert (key.default is NODEFAULT) == ("*required*" in rows[name]), name
    assert not chapters


def test_what_looks_like_a_secret_is_masked() -> None:
    """No setting is a secret; if one slips in, or stands in an address, `show` and `explain` don't print it."""
    assert masked("token", "hush-hush") == MASK
    assert masked("identifier_key", "hush-hush") == MASK
    assert masked("url", "https://till:hush-hush@loyalty.example/") == f"https://{MASK}@loyalty.example/"
    assert masked("url", "https://loyalty.example/@") == "https://loyalty.example/@"
    assert masked("token", "") == ""
    assert masked("port", 1) == 1

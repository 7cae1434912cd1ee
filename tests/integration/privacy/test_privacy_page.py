"""Every command of the page on erasing, typed in its order on a chain that has the member."""

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from till_cloud.cli import cloud
from till_loyalty.masks import mask_phone
from till_loyalty.programme import Identifiers
from unit.cloud.cloud_kit import chain, programme
from unit.cloud.test_registration_cloud import phone_tag

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "how-to" / "erase-a-member.md"
PHONE = "+79990000101"


def test_the_page_on_erasing_does_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In its order: found, shown, erased, scrubbed, verified; and afterwards nobody has that phone."""
    monkeypatch.chdir(tmp_path)
    with chain(tmp_path / "cloud.db", rules=programme(identifiers=Identifiers(phone_countries=("RU",)))) as made:
        made.member("m-anna", points=500, tags=(phone_tag(made, PHONE),))
        made.centre.write(
            lambda c: c.execute(
                "UPDATE members SET name = 'Anna K', phone_masked = ? WHERE member_id = 'm-anna'", (mask_phone(PHONE),)
            )
        ).result()
    commands = [
        shlex.split(line)[2:]
        for block in re.findall(r"```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
        for line in block.splitlines()
    ]
    outputs = []
    for words in commands:
        done = CliRunner().invoke(cloud, words)
        assert done.exit_code == 0, (words, done.output)
        outputs.append(done.output)
    assert [words[:2] for words in commands] == [
        ["member", "show"],
        ["member", "export"],
        ["member", "erase"],
        ["privacy", "scrub"],
        ["verify", "--db"],
        ["privacy", "retention"],
        ["privacy", "retention"],
    ]
    assert "m-anna" in outputs[0].splitlines()[0]
    assert "Anna K" in outputs[1]
    assert "1 numbers" in outputs[2]
    assert CliRunner().invoke(cloud, commands[0]).exit_code == 1


def test_a_new_key_is_told_and_an_erasure_asks_first(tmp_path: Path) -> None:
    """`privacy new-key` counts the keys; without --yes nothing goes."""
    path = str(tmp_path / "cloud.db")
    with chain(tmp_path / "cloud.db") as made:
        made.member("m-1")
    told = CliRunner().invoke(cloud, ["privacy", "new-key", "--db", path]).output.splitlines()
    assert told[0] == "keys that open what tills seal: 2"
    assert "tillside cloud privacy keys" in told[1]
    refused = CliRunner().invoke(cloud, ["member", "erase", "m-1", "--db", path], input="n\n")
    assert refused.exit_code == 1
    assert "Erase m-1 for good?" in refused.output
    unknown = CliRunner().invoke(cloud, ["member", "erase", "m-9", "--db", path, "--yes"])
    assert unknown.exit_code == 1

"""Wallet codes as staff make them."""

import json
from pathlib import Path

import pytest

from kit.commands import tillside
from till_cloud.store import meta
from till_loyalty.identifiers import tag
from till_loyalty.programme import CardRange, Identifiers, RotatingCode
from unit.cloud.cloud_kit import chain, programme

CARD = "2900000000001"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """One member with a card."""
    path = tmp_path / "c.db"
    cards = Identifiers(cards=(CardRange(prefix="29", lengths=(13,), check="ean13"),), rotating=RotatingCode())
    with chain(path, rules=programme(identifiers=cards)) as world:
        world.member("m-1", tags=(tag(world.centre.read(meta.identifier_key), "card", CARD),))
    return path


def run(*words: str, status: int = 0) -> str:
    done = tillside("cloud", "wallet", *words, status=status)
    return done.stdout if status == 0 else done.output


def test_a_token_is_the_only_thing_on_the_standard_output(path: Path) -> None:
    """So that it can be piped to a program that draws QR codes."""
    text = run("token", "m-1", "--hours", "2", "--db", str(path))
    assert text.startswith("TSW1.")
    assert len(text.splitlines()) == 1
    assert "expected 1 to" in run("token", "m-1", "--hours", "0", "--db", str(path), status=1)
    assert "expected a member" in run("token", "m-2", "--db", str(path), status=1)


def test_what_google_is_to_be_given_is_json(path: Path) -> None:
    given = json.loads(run("google", CARD, "--db", str(path)))["rotatingBarcode"]
    assert given["valuePattern"].startswith(f"{CARD}-")
    assert given["totpDetails"]["algorithm"] == "TOTP_SHA1"
    assert "expected a member" in run("google", "2900000000018", "--db", str(path), status=1)


def test_a_secret_is_renewed_in_two_steps(path: Path) -> None:
    assert run("new-key", "--db", str(path)).split()[-1] == "2"
    assert "newest" in run("new-key", "--only", "--db", str(path))
    assert run("new-key", "--db", str(path)).split()[-1] == "2"

"""`tillside ready` on a real agent with simulated printer and scanner: the printed code is read back, or it is not."""

import json
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result

from integration.bridge.agent_kit import LiveAgent, enrol_by_hand, fill_cache, live_agent
from integration.devices.test_devices_cli import Shop
from till_config import load
from till_drivers.preview import to_slip
from till_drivers.printers.profile import PROFILE_58MM, PROFILE_80MM
from till_drivers.printers.render import render
from till_installer.doctor.certificate import Certificate, Step, digest, end_of_next_day, is_genuine, sealed, zone_of
from till_installer.doctor.ready_cli import ready
from till_installer.doctor.ready_slip import certificate_blocks
from till_installer.doctor.ready_words import WORDS
from till_sync.identity import load_identity, save_identity
from till_sync.keys import new_key, public_of

CODE = re.compile(r"TILLSIDE-TEST-[0-9A-F]{8}")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """One for all tests."""
    made = Shop(tmp_path_factory.mktemp("shop"))
    (made.folder / "root/etc").mkdir(parents=True)
    (made.folder / "root/etc/hosts").write_text("127.0.0.1 localhost\n")
    (made.folder / "root/proc").mkdir()
    yield made
    made.close()


@pytest.fixture(scope="module")
def agent(shop: Shop) -> Iterator[LiveAgent]:
    """It sells, has a key, and no cloud."""
    state = shop.folder / "state"
    enrol_by_hand(state)
    save_identity(state / "identity.json", load_identity(state / "identity.json").with_private_key(new_key()))
    fill_cache(state, as_of_ms=time.time_ns() // 1_000_000)
    with live_agent(load(shop.config)) as running:
        board = running.running.agent.board
        running.wait_for(lambda: {each.state for each in board.health()} == {"ready"})
        yield running


def _ready(shop: Shop, *words: str) -> Result:
    place = ["--root", str(shop.folder / "root"), "--config", str(shop.config)]
    return CliRunner().invoke(ready, [*place, *words], catch_exceptions=False)


class Reader:
    """A person who holds what comes out of the printer before the scanner; `misreads`: another code instead."""

    def __init__(self, shop: Shop, *, misreads: str = "") -> None:
        self.shop, self.misreads, self.ended = shop, misreads, threading.Event()
        self.seen = len(shop.printer.slips)
        self.thread = threading.Thread(target=self._hold, daemon=True)

    def __enter__(self) -> None:
        self.thread.start()

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self.thread.join(30)

    def _hold(self) -> None:
        while not self.ended.wait(0.1):
            found = [code for slip in list(self.shop.printer.slips)[self.seen :] for code in CODE.findall(slip.text())]
            if found:
                self.shop.scanner.scan(self.misreads or found[-1])


def test_ready_till_gets_a_certificate_that_is_its_own(shop: Shop, agent: LiveAgent) -> None:
    """Printer and scanner proven by one code; numbered, signed, valid to the end of tomorrow; printed; kept."""
    assert agent.running
    with Reader(shop):
        done = _ready(shop, "--json", "--print", "--wait", "30")
    certificate = msgspec.json.decode(done.stdout, type=Certificate)
    states = {each.name: (each.state, each.found, each.codes) for each in certificate.steps}
    assert done.exit_code == 0, states
    assert states["scanner"][:2] == ("good", "front")
    assert states["printer"][0] == states["sale"][0] == "good"
    assert states["cloud"][0] == "noted", "a till without a line sells, and its certificate says so"
    key = public_of(load_identity(shop.folder / "state/identity.json").private_key)
    assert is_genuine(certificate, key)
    assert not is_genuine(msgspec.structs.replace(certificate, till="another"), key)
    assert certificate.number == digest(certificate).hex()[:12].upper()
    agent.wait_for(lambda: certificate.number in shop.printer.slips[-1].text())
    assert "READY TO SELL" in shop.printer.slips[-1].text()

    kept = _ready(shop, "--cached", "--language", "en")
    assert kept.exit_code == 0
    assert certificate.number in kept.stdout


def test_ready_is_refused_when_the_code_is_not_read(shop: Shop, agent: LiveAgent) -> None:
    """Another code under the scanner, or none within the time: not ready, because of the scanner alone."""
    assert agent.running
    with Reader(shop, misreads="4600000000015"):
        done = _ready(shop, "--json", "--wait", "2")
    told = json.loads(done.stdout)
    assert done.exit_code == 1
    assert [each["name"] for each in told["steps"] if each["state"] == "bad"] == ["scanner"], told["steps"]
    assert "another code" in next(each["found"] for each in told["steps"] if each["name"] == "scanner")


def test_ready_is_refused_when_nothing_is_printed(shop: Shop, agent: LiveAgent) -> None:
    """A printer without paper: not ready, with what to do about it in the till's language; the scanner is not asked."""
    assert agent.running
    _behave(shop, "paper-out")
    try:
        done = _ready(shop, "--json", "--wait", "5", "--language", "ru")
    finally:
        _behave(shop, "normal")
        agent.wait_for(lambda: _printer_state(agent) == "ready")
    told = json.loads(done.stdout)
    steps = {each["name"]: each for each in told["steps"]}
    assert done.exit_code == 1
    assert steps["printer"]["state"] == "bad"
    assert steps["scanner"]["state"] in ("good", "skipped")


def _behave(shop: Shop, name: str) -> None:
    shop.do(shop.printer.behave(name))


def _printer_state(agent: LiveAgent) -> str:
    return next(each.state for each in agent.running.agent.board.health() if each.role == "printer")


def test_ready_says_what_was_not_tried(shop: Shop, agent: LiveAgent) -> None:
    """With --no-scan the slip is printed and nobody is asked; the certificate does not claim more."""
    assert agent.running
    told = json.loads(_ready(shop, "--json", "--no-scan").stdout)
    steps = {each["name"]: each["state"] for each in told["steps"]}
    assert steps["scanner"] == "skipped"
    assert steps["printer"] == "good"


def test_ready_needs_a_running_agent(tmp_path: Path) -> None:
    """Nothing is installed: not ready, and the reasons are there; no certificate is kept that says otherwise."""
    done = CliRunner().invoke(ready, ["--root", str(tmp_path), "--json"], catch_exceptions=False)
    told: dict[str, Any] = json.loads(done.stdout)
    assert done.exit_code == 1
    assert not told["ready"]
    assert next(each["name"] for each in told["steps"] if each["state"] == "bad") == "agent"
    none = CliRunner().invoke(ready, ["--root", str(tmp_path), "--cached", "--language", "en"])
    assert none.exit_code == 3
    assert "there is no certificate yet" in none.output


@pytest.mark.parametrize("language", sorted(WORDS))
@pytest.mark.parametrize("profile", [PROFILE_80MM, PROFILE_58MM], ids=["80", "58"])
def test_ready_slip_fits_the_paper_in_every_language(language: str, profile: Any) -> None:
    """Both forms, each line and reason on paper; one that is ready has an end, one that is not has reasons."""
    steps = tuple(Step(name=name, state="good") for name in WORDS["en"].steps)
    bad = Step(name="scanner", state="bad", found="front: lost", fix="Plug it in", codes=("scanner_absent",))
    words = WORDS[language]
    for is_ready in (True, False):
        certificate = sealed(
            Certificate(
                ready=is_ready, till="t-7", store="s-1", store_name="Shop", version="0.1.0", at_ms=0,
                at="2026-11-22 20:00", valid_until_ms=1, valid_until="2026-11-23 23:59", time_zone="Europe/Moscow",
                language=language, steps=steps if is_ready else (*steps[:2], bad, *steps[3:]),
            ),
            "",
        )  # fmt: skip
        blocks = certificate_blocks(certificate)
        assert to_slip(render(blocks, profile), profile).marks
        text = " ".join(str(value) for block in blocks for value in msgspec.to_builtins(block).values())
        assert (words.ready if is_ready else words.not_ready) in text
        assert ("2026-11-23 23:59" in text) == is_ready
        assert ("scanner_absent" in text) != is_ready
        assert certificate.number in text


def test_ready_holds_to_the_end_of_the_next_day_in_the_store() -> None:
    """By the store's own days, also in the night in which the clock is put back."""
    zone = zone_of("Europe/Kyiv")
    late = 1_792_875_600_000  # 2026-10-24 21:00 UTC, midnight in Kyiv: the day of 25 hours begins
    assert end_of_next_day(late, zone).strftime("%Y-%m-%d %H:%M %z") == "2026-10-26 23:59 +0200"

"""A running till whose chain sends it slip templates that do not work: slips come out, sales go on, and IT is told."""

import contextlib
import os
import time
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from integration.bridge.agent_kit import LiveAgent, body_of, live_agent, receipt
from integration.bridge.registration_kit import enrolled
from integration.bridge.serving_kit import cloud_served
from integration.bridge.test_bridge_offline_spending import KIM, chain, core
from till_agent.slips import templates
from till_cloud.cli.common import writing
from till_cloud.registry import upload
from till_config.settings import PrinterSettings
from till_loyalty.programme_document import parse_programme

SUPERMARKET = files("till_loyalty").joinpath("data", "examples", "supermarket.toml").read_text(encoding="utf-8")
BROKEN = "{{ text('OURS') }}\n{{ text(slip.nothing) }}"
TOO_LONG = "{{ text('OURS') }}\n{% for i in '" + "1" * 200 + "' %}{{ text('" + "x " * 400 + "') }}\n{% endfor %}"
GOOD = "{{ text('OURS') }}"
FAILED = "slip_template_failed"


class Paper:
    """A device file that takes slips and tells nothing."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.path = path
        self._file = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        self._printed = b""

    def has(self, said: str) -> bool:
        with contextlib.suppress(BlockingIOError):
            self._printed += os.read(self._file, 65_536)
        return said.encode("cp866") in self._printed

    def close(self) -> None:
        os.close(self._file)


@pytest.fixture
def paper(tmp_path: Path) -> Iterator[Paper]:
    made = Paper(tmp_path / "lp0")
    yield made
    made.close()


def send(database: Path, version: int, template: str) -> None:
    """A programme with that template, added as by a cloud that tries nothing out."""
    text = SUPERMARKET.replace("version = 1", f"version = {version}", 1)
    programme = parse_programme(f"{text}\n[[slips.templates]]\ntemplate = '''{template}'''\n".encode(), suffix=".toml")
    with writing(database) as writer:
        writer.call(lambda connection: upload(connection, programme, time.time_ns() // 1_000_000))


def told(till: LiveAgent) -> str:
    """What the till's status says of templates."""
    problems = body_of(till.call("GET", "/v1/status", client="admin"))["problems"]
    return next((str(each["text"]) for each in problems if each["code"] == FAILED), "")


def sold(till: LiveAgent, paper: Paper, uid: str) -> str:
    """Kim buys something; the slip as cash software gets it, once it is on paper."""
    wish: dict[str, Any] = receipt(10_000) | KIM
    assert body_of(till.call("POST", "/v1/quotes", wish | {"slip_preview": True}))["slip_preview"]
    body_of(till.call("PUT", f"/v1/sales/{uid}", wish | {"number": uid}))
    till.wait_for(lambda: paper.has(uid))
    # It is on paper a moment before that is noted.
    queue = till.running.agent.spool
    till.wait_for(lambda: getattr(queue.newest(f"sale:{uid}"), "state", "") == "accepted")
    return till.call("GET", f"/v1/sales/{uid}/slip").body.decode()


def test_a_bad_template_costs_neither_a_slip_nor_a_sale_and_it_is_told(tmp_path: Path, paper: Paper) -> None:
    """One that fails when it is tried out, one that fails when it is printed; then a good one takes their place."""
    database = chain(tmp_path)
    with contextlib.ExitStack() as stack:
        port = stack.enter_context(cloud_served(database))
        printer = PrinterSettings(name="main", driver="file", device=str(paper.path))
        settings = replace(enrolled(tmp_path, database, "t1", port), printers=(printer,))
        till = stack.enter_context(live_agent(settings))

        def pulled(version: int) -> None:
            till.wait_for(lambda: core(till).cache.programme().programme.version == version)

        till.wait_for(lambda: core(till).cache.member_count == 1)
        send(database, 2, BROKEN)
        pulled(2)
        till.wait_for(lambda: bool(core(till).watch.templates.trouble))
        assert "nothing" in told(till)
        assert "Начислено" in sold(till, paper, "sale-2")

        send(database, 3, TOO_LONG)
        pulled(3)
        till.wait_for(lambda: not core(till).watch.templates.trouble)
        assert "Начислено" in sold(till, paper, "sale-3")
        assert "lines" in told(till)
        assert not paper.has("OURS")

        send(database, 4, GOOD + "\n{{ text(slip.number) }}")
        pulled(4)
        till.wait_for(lambda: not core(till).watch.templates.trouble)
        assert "OURS" in sold(till, paper, "sale-4")
        assert told(till) == ""


def test_a_till_that_believes_every_template_is_noticed(
    tmp_path: Path, paper: Paper, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the packaged one behind it, a bad template costs the slip."""
    monkeypatch.setattr(
        templates.SlipTemplates,
        "blocks",
        lambda self, facts, words: self._wanted(facts.kind, words)[0][1].blocks(facts, words),
    )
    with pytest.raises((AssertionError, IndexError)):
        test_a_bad_template_costs_neither_a_slip_nor_a_sale_and_it_is_told(tmp_path, paper)

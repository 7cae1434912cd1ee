"""Every row of the table against a real agent with a journal: refused as it says, and nothing has happened."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.bridge_safety import hostile_page
from integration.bridge_safety.hostile import Row, sell
from integration.bridge_safety.hostile_operations import GUARDED, WHO_MAY, rows_of
from integration.bridge_safety.hostile_wire import TABLE
from integration.bridge_safety.hostile_world import World, told, world_at
from till_agent.bridge.operations import OPERATIONS
from till_agent.bridge.shapes import Operation
from till_sync.http import protocol

PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "bridge-safety.md"
QUICK = [(f"{group.title}: {row.name}", row) for group in TABLE if not group.hasty for row in group.rows]
HASTY = [(f"{group.title}: {row.name}", row) for group in TABLE if group.hasty for row in group.rows]

HASTY_HEAD_S = 0.2


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world_at(tmp_path_factory.mktemp("world")) as made:
        yield made


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world_at(tmp_path_factory.mktemp("hasty"), hasty=True) as made:
        yield made


@pytest.mark.parametrize("row", [row for _, row in QUICK], ids=[name for name, _ in QUICK])
def test_hostile_request_is_refused_and_does_nothing(world: World, row: Row) -> None:
    before = world.effects()
    assert told(world, row) == ""
    assert world.effects() == before


@pytest.mark.parametrize("row", [row for _, row in HASTY], ids=[name for name, _ in HASTY])
def test_slow_request_is_cut_off_and_does_nothing(hasty: World, row: Row, monkeypatch: pytest.MonkeyPatch) -> None:
    if row.status == 0:
        # For this row alone: all agents of this process hurry then, and under load others' heads come late.
        monkeypatch.setattr(protocol, "HEAD_TIMEOUT_S", HASTY_HEAD_S)
    before = hasty.effects()
    assert told(hasty, row) == ""
    assert hasty.effects() == before


@pytest.mark.parametrize("operation", GUARDED, ids=[each.id for each in GUARDED])
def test_operation_is_refused_to_those_whom_it_is_not_for(world: World, operation: Operation) -> None:
    """With a token that may do everything where it is not the token that is wrong."""
    before = world.effects()
    assert [f"{row.name}: {wrong}" for row in rows_of(operation) if (wrong := told(world, row))] == []
    assert world.effects() == before


def test_each_operation_is_for_those_who_may_and_no_others() -> None:
    """The scopes as they were meant, and an operation that is new has its own."""
    meant = {each: scope for scope, names in WHO_MAY.items() for each in names.split()}
    assert {each.id: each.scope for each in OPERATIONS} == meant


def test_request_with_nothing_wrong_is_seen_to_do_something(world: World) -> None:
    """The control of the table: what the rows begin with passes, and what it does is noticed."""
    before = world.effects()
    reply = world.send(Row("", sell(first="PUT /v1/sales/control HTTP/1.1"), 200, ""))
    assert reply is not None
    assert reply.status == 200
    assert world.effects() != before


def test_table_is_as_large_as_promised_and_says_nothing_twice() -> None:
    requests = [row.request for _, row in QUICK + HASTY]
    assert len(set(requests)) == len(requests) >= 60
    assert len({name for name, _ in QUICK + HASTY}) == len(requests)


def test_page_in_docs_is_the_table() -> None:
    """`PYTHONPATH=tests python -m integration.bridge_safety.hostile_page docs/reference/bridge-safety.md` makes it."""
    if not PAGE.exists():
        pytest.skip("docs are not here: the wheel alone is under test")
    assert PAGE.read_text(encoding="utf-8") == hostile_page.page()

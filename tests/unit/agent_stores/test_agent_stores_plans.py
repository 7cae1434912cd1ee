"""How SQLite finds what the journal is asked for: along rows or an index, never by sorting all there ever were."""

import sqlite3
from pathlib import Path

import pytest

from kit.loops import run
from till_agent.balances import OwnEffects
from till_agent.journal import DiskJournal, schema
from unit.agent_stores.stores_kit import Identity, place

SORTED = {"OF_KIND": "registrations alone, of which a till has few, and once at a start"}

STATEMENTS = {
    name: text
    for name, text in vars(schema).items()
    if name.isupper() and isinstance(text, str) and text.startswith(("SELECT", "UPDATE", "DELETE"))
}


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A journal as a till makes it, with the tables that come only when they are needed."""
    where = place(tmp_path_factory.mktemp("plans"), Identity())

    async def make() -> None:
        made = DiskJournal(where, OwnEffects())
        await made.start()
        await made.stop()

    run(make())
    with sqlite3.connect(where.path) as connection:
        connection.execute(schema.CREATE_LINKS)
        connection.execute(schema.CREATE_PRUNED)
    connection.close()
    return where.path


@pytest.mark.parametrize("name", STATEMENTS)
def test_nothing_is_sorted_that_grows_with_the_queue(journal: Path, name: str):
    """A slice of rows by the index of uids would sort all sales for each slice: seconds a minute with a long queue."""
    connection = sqlite3.connect(f"file:{journal}?mode=ro", uri=True)
    try:
        text = STATEMENTS[name]
        plan = connection.execute(f"EXPLAIN QUERY PLAN {text}", [None] * text.count("?")).fetchall()
    finally:
        connection.close()
    steps = [str(step[-1]) for step in plan]
    assert any("TEMP B-TREE" in step for step in steps) == (name in SORTED), steps

"""What is shown, and told to staff, after ops were journalled anew that the cloud has had already."""

from pathlib import Path

import msgspec
import pytest

from integration.agent_stores.salvage_kit import POINTS, fill, spoil
from kit.loops import run
from till_agent.balances import OwnEffects
from till_agent.journal import open_journal
from till_sync.wire import OpResult
from unit.agent_stores.stores_kit import Identity, place


@pytest.mark.parametrize(("included", "counted"), [((1, 8), 0), ((1, 6), 2), ((0, 0), 7), (None, 7)])
def test_what_the_cached_balances_include_counts_no_second_time(
    tmp_path: Path, included: tuple[int, int] | None, counted: int
) -> None:
    """Ops behind a hole have new ids, but a page said that the cloud has those of the old ones."""
    identity = Identity()
    fill(tmp_path, identity, 8, acked=0)
    spoil(tmp_path, 3)

    async def work() -> None:
        effects = OwnEffects()
        where = msgspec.structs.replace(place(tmp_path, identity), included=lambda: included)
        journal = await open_journal(where, effects, floor=included)
        try:
            assert journal.figures.epoch == 2
            assert journal.figures.waiting == 7
            assert effects.effect(("m-1",), included or (0, 0)) == counted * POINTS
            await journal.verify()
        finally:
            assert await journal.stop()

    run(work())


def test_a_document_that_the_cloud_has_had_already_is_no_refusal_to_staff(tmp_path: Path) -> None:
    """It is counted apart, also after a restart; real refusals are told as before."""
    identity = Identity()
    fill(tmp_path, identity, 4, acked=0)
    codes = ("sale_repeated", "subject_invalid", "return_repeated", "void_repeated")
    results = tuple(OpResult(seq=seq, status="rejected", code=code) for seq, code in enumerate(codes, 1))

    async def work() -> None:
        for again in (False, True):
            journal = await open_journal(place(tmp_path, identity), OwnEffects())
            try:
                if not again:
                    await journal.record(1, 4, results)
                assert (journal.figures.rejected, journal.figures.repeated) == (1, 3)
                assert len(await journal.list_rejected()) == 4
            finally:
                assert await journal.stop()

    run(work())

"""After a month without a line one page includes 100,000 own ops: they are forgotten while sales go on."""

import asyncio
import itertools

from kit.loops import run
from till_agent import own_facts
from till_agent.balances import SLICE, OwnEffects
from till_agent.journal.schema import row_id

OPS = 20 * SLICE


def filled() -> OwnEffects:
    effects = OwnEffects()
    for seq in range(1, OPS + 1):
        effects.add_row(row_id(1, seq), f"m-{seq % 7}", 5)
    return effects


def test_the_loop_has_its_turn_after_each_slice() -> None:
    """No sale waits for all of them; meanwhile each counts right."""
    effects = filled()

    async def work() -> list[int]:
        left = []
        effects.forget_soon((1, OPS - 1))
        while len(effects) > 1:
            left.append(len(effects))
            assert effects.effect(("m-3",), (1, OPS - 1)) == 0
            await asyncio.sleep(0)
        assert effects.effect((f"m-{OPS % 7}",), (1, OPS - 1)) == 5
        return left

    left = run(work())
    assert len(left) >= OPS // SLICE - 1
    assert max(before - after for before, after in itertools.pairwise(left)) <= SLICE


def test_a_newer_page_goes_on_where_the_former_stopped() -> None:
    """Both are through in the end, once."""
    effects = filled()

    async def work() -> None:
        effects.forget_soon((1, OPS // 2))
        effects.forget_soon((1, OPS))
        for _ in range(OPS // SLICE + 2):
            await asyncio.sleep(0)

    run(work())
    assert len(effects) == 0


def test_an_op_that_counts_again_is_not_forgotten_with_the_others() -> None:
    """The cloud was restored from an older backup while the rest was being forgotten: its ops wait again."""
    effects = filled()

    async def work() -> None:
        effects.forget_soon((1, OPS))
        assert effects.effect(("m-1",), (0, 0)) > 0
        effects.add_row(row_id(1, 1), "m-1", 5)
        for _ in range(OPS // SLICE + 2):
            await asyncio.sleep(0)

    run(work())
    assert effects.effect(("m-1",), (0, 0)) >= 5
    assert len(effects) == OPS - SLICE + 1


def test_what_an_op_changed_of_facts_goes_in_slices_too() -> None:
    """They are the slower part."""
    facts = own_facts.OwnFacts()
    packed = _packed()
    for seq in range(1, 31):
        facts.add_row(row_id(1, seq), "m-1", packed)
    assert facts.forget(row_id(1, 30), 10)
    assert len(facts) == 20
    assert not facts.forget(row_id(1, 30), 20)
    assert len(facts) == 0


def _packed() -> bytes:
    from till_agent.journal.changes import pack_change
    from till_sync.ops import GrantReleaseBody, encode_body

    body = GrantReleaseBody(uid="r", store="s1", at_wall_ms=1, at_mono_ms=1, boot="b", member_id="m-1", points=10)
    return pack_change("grant-release", encode_body(body))

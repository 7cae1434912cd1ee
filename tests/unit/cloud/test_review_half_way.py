"""An op is applied whole or not at all: what is refused has moved no point."""

from pathlib import Path

import pytest

from till_cloud.ingest import sales
from till_cloud.verify import verify
from till_loyalty.exceptions import InvariantError, LoyaltyError
from unit.cloud.cloud_desk import Desk
from unit.cloud.cloud_kit import chain


def test_an_op_that_fails_after_its_points_moved_is_no_verdict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the batch is kept, so the till keeps it; a `rejected` with points moved would stand for ever."""
    with chain(tmp_path / "c.db") as world:
        world.member("m-1")
        desk = Desk(world)
        desk.pull()

        def fails(*_: object, **__: object) -> None:
            raise LoyaltyError("expected something else", code="zone_unknown")

        desk.sell("a", "m-1", 10_000)
        with monkeypatch.context() as patch:
            patch.setattr(sales, "after_sale", fails)
            with pytest.raises(InvariantError, match="zone_unknown"):
                desk.push()
        assert world.balances("m-1") == (0, 0, 0)
        assert world.rows("SELECT count(*) FROM ops") == [(0,)]
        desk.acked = 0
        assert desk.push()[0].status == "applied"
        assert world.balances("m-1") == (1000, 0, 0)
        assert world.centre.read(verify).holds

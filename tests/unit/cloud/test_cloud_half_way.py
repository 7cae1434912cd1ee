"""An op is applied whole or not at all: what is refused has moved no point."""

from pathlib import Path

import pytest

from till_cloud.exceptions import RefusedError
from till_cloud.ingest import sales
from till_cloud.verify import verify
from till_loyalty.exceptions import LedgerError
from unit.cloud.cloud_desk import Desk
from unit.cloud.cloud_kit import chain


def test_an_op_that_fails_after_its_points_moved_is_no_verdict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of it is kept; and where no sale was applied yet, the till keeps it: the cloud may be broken."""
    with chain(tmp_path / "c.db") as world:
        world.member("m-1")
        desk = Desk(world)
        desk.pull()

        def fails(*_: object, **__: object) -> None:
            raise LedgerError("expected something else", code="points_insufficient")

        desk.sell("a", "m-1", 10_000)
        with monkeypatch.context() as patch:
            patch.setattr(sales, "after_sale", fails)
            with pytest.raises(RefusedError, match="kind sale") as refused:
                desk.push()
        assert (refused.value.problem.status, refused.value.code) == (503, "cloud_defect")
        assert world.balances("m-1") == (0, 0, 0)
        assert world.rows("SELECT count(*) FROM ops") == [(0,)]
        desk.acked = 0
        assert desk.push()[0].status == "applied"
        assert world.balances("m-1") == (1000, 0, 0)
        assert world.centre.read(verify).holds


def test_a_store_whose_time_zone_is_gone_loses_no_sale(tmp_path: Path) -> None:
    """The till keeps its ops until the cloud is mended; none is rejected for what is not its fault."""
    with chain(tmp_path / "c.db") as world:
        world.member("m-1")
        desk = Desk(world)
        desk.pull()
        desk.sell("a", "m-1", 10_000)
        world.centre.write(lambda c: c.execute("UPDATE stores SET time_zone = 'Mars/Olympus'")).result()
        with pytest.raises(RefusedError, match="LoyaltyError at") as refused:
            desk.push()
        assert (refused.value.problem.status, refused.value.problem.retryable) == (503, True)
        assert world.rows("SELECT count(*) FROM ops") == [(0,)]
        world.centre.write(lambda c: c.execute("UPDATE stores SET time_zone = 'Europe/Moscow'")).result()
        desk.acked = 0
        assert desk.push()[0].status == "applied"

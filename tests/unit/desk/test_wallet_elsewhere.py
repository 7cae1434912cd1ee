"""Wallet codes of members whom this till does not hold: the cloud says who they are, and which codes were used."""

import pytest
from msgspec.structs import replace

from fakes.till import anna
from till_agent.api import HoldCreate, Identify
from till_agent.exceptions import DeskProblem
from till_sync.wallet_use import WalletUse
from till_sync.wire import MemberFacts
from unit.desk.meeting_cases import Cloud, till
from unit.desk.wallet_cases import WalletTill


def stranger(cloud: Cloud) -> WalletTill:
    """A till that never saw Anna."""
    here = WalletTill()
    here.cache.members.clear()
    till(cloud, made=here)
    return here


def text_of(here: WalletTill, kind: str) -> str:
    return here.token(10) if kind == "token" else here.phone()


def used(here: WalletTill, kind: str) -> MemberFacts:
    """What the cloud says of her when a sale of another store used that very code."""
    began_s = here.clock.wall // 1000 // 30 * 30
    return MemberFacts(wallet=WalletUse(token=10) if kind == "token" else WalletUse(rotating=began_s))


@pytest.mark.parametrize("kind", ["token", "rotating"])
def test_a_code_that_another_store_used_is_used(kind: str) -> None:
    """Whoever photographed it gets no further here, whatever they try first, nor by a second try."""
    for first in ("identify", "quote"):
        cloud = Cloud()
        here = stranger(cloud)
        text = text_of(here, kind)
        cloud.rows = (anna(facts=used(here, kind)),)
        assert getattr(here, first)(text) == "wallet_used"
        assert [here.identify(text), here.quote(text), here.sell(text)] == ["wallet_used"] * 3
    here = stranger(cloud)
    with pytest.raises(DeskProblem, match="wallet_used"):
        here.run(here.desk.hold(HoldCreate(sale_uid="s1", member=Identify(scan=text), points=100)))


@pytest.mark.parametrize("kind", ["token", "rotating"])
def test_a_code_that_nobody_used_is_good_for_its_receipt(kind: str) -> None:
    """Also when its time is over meanwhile: it was shown in time."""
    here = stranger(Cloud(anna()))
    text = text_of(here, kind)
    assert [here.identify(text), here.quote(text)] == ["m-anna"] * 2
    here.later(20 * 60)
    assert [here.sell(text), here.identify(text)] == ["sold s1", "wallet_used"]


def test_a_code_taken_without_a_line_counts_anew_when_the_cloud_says_who_it_is() -> None:
    """For its receipt too: nobody has paid yet. One that is paid is a fact."""
    cloud = Cloud(online=False)
    here = stranger(cloud)
    text = here.token(10)
    assert [here.identify(text), here.quote(text)] == ["m-anna"] * 2
    cloud.online = here.gateway.online = True
    row = anna(facts=used(here, "token"))
    cloud.rows = (replace(row, balance=900),)
    assert here.identify(text) == "wallet_used"
    here = stranger(Cloud(online=False))
    assert here.identify(text) == "m-anna"
    here.know(row)
    assert here.sell(text) == "sold s1"

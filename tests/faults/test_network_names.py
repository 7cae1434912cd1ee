"""Who the other end is: certificates that are not the cloud's, and a name that can't be resolved. A till trusts what
its system trusts; a chain's own authority is made known by the system's store, or by SSL_CERT_FILE."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.cashier import Cashier
from kit.chain import Chain
from kit.mending import check_acknowledged, heal, ops_at_cloud
from kit.network import Certificates, Network
from kit.waiting import PATIENCE_S
from kit.world import Till, World, an_environment

pytestmark = pytest.mark.faults

SEED = 20171223
SALES = 3
BAD = ("expired", "for another host", "of an unknown authority")


@pytest.fixture
def secured(tmp_path: Path, forking_chain: Chain) -> Iterator[tuple[World, Certificates]]:
    """A world whose line shows a good certificate of the chain's own authority, which its processes trust."""
    certificates = Certificates(tmp_path)
    with (
        World(tmp_path, forking_chain, Network(tls=certificates.good)) as world,
        an_environment(SSL_CERT_FILE=str(certificates.authority_file)),
    ):
        world.start_cloud()
        yield world, certificates


def till_of(world: World, mutant: str = "") -> Till:
    return world.till(url=f"https://127.0.0.1:{world.line.port}").start(mutant).wait_members()


def meet(
    world: World, certificates: Certificates, till: Till, kind: str, cashier: Cashier, patience_s: float = PATIENCE_S
) -> None:
    """Sales while somebody shows a bad certificate; AssertionError when the till sends them anything."""
    cashier.sell()
    heal(world, till)
    acked = till.last_seq()
    world.line.cut()
    world.line.tls = certificates.bad[kind]
    seen = len(world.line.seen)
    world.line.mend()
    cashier.sell(SALES)
    till.wait_status(
        lambda s: s["sync"]["last_error"].startswith("certificate_refused:") and not s["sync"]["online"],
        "the certificate to be refused",
        patience_s=patience_s,
    )
    cashier.sell(SALES)
    check_acknowledged(world, till, acked)
    assert ops_at_cloud(world, till) == acked
    assert len(world.line.seen) == seen, "nothing may be said to a stranger, least of all the token"
    world.line.cut()
    world.line.tls = certificates.good
    world.line.mend()
    heal(world, till)


def test_a_bad_certificate_hears_nothing_from_a_till(secured: tuple[World, Certificates]) -> None:
    """Expired, for another host, of an unknown authority: sales go on, IT is told, and a good one is found again."""
    world, certificates = secured
    till = till_of(world)
    cashier = Cashier(till, random.Random(SEED))
    for kind in BAD:
        meet(world, certificates, till, kind, cashier)
    world.prove(till, cashier.answers, set(cashier.tried))


@pytest.mark.mutants
def test_a_till_that_trusts_anybody_is_found_out(secured: tuple[World, Certificates]) -> None:
    """Mutant: it takes any certificate for the cloud's."""
    world, certificates = secured
    till = till_of(world, "trusts-anybody")
    with pytest.raises(AssertionError):
        meet(world, certificates, till, "expired", Cashier(till, random.Random(SEED)), patience_s=5)


def test_a_name_that_can_not_be_resolved_stops_nobody(tmp_path: Path, forking_chain: Chain) -> None:
    """DNS is dead for a while; the till goes on by itself when it is back."""
    with World(tmp_path, forking_chain, Network()) as world:
        world.start_cloud()
        till = world.till(url=f"http://localhost:{world.line.port}").start("finds-no-names").wait_members()
        cashier = Cashier(till, random.Random(SEED))
        cashier.sell()
        heal(world, till)
        acked = till.last_seq()
        (tmp_path / "no-names").touch()
        world.line.cut()  # or a kept connection would do without a name
        world.line.mend()
        cashier.sell(SALES)
        till.wait_status(
            lambda s: s["sync"]["last_error"].startswith("cloud_unreachable:") and not s["sync"]["online"],
            "the till to notice",
        )
        till.wait_status(lambda s: "name resolution" in s["sync"]["last_error"], "the till to say what is wrong")
        check_acknowledged(world, till, acked)
        (tmp_path / "no-names").unlink()
        heal(world, till)
        world.prove(till, cashier.answers, set(cashier.tried))

"""A till whose PC is replaced: another machine takes its place with a new code, and what it sells counts."""

from kit.bridge import receipt
from kit.chain import ANNA
from kit.processes import free_port
from kit.world import World


def test_a_new_pc_takes_the_tills_place_and_its_sales_reach_the_cloud(world: World) -> None:
    """It begins in an epoch of its own, spends and gives back nothing twice; the old PC is refused and says so."""
    world.start_cloud()
    old = world.till().start().wait_members()
    old.pos.sell("pc-1", receipt(10_000, member={"card": ANNA.card}))
    old.drain()
    code = world.command("cloud", "till", "code", "till-1").out.strip()

    new = world.till("new-pc", printer_port=free_port())
    new.command("agent", "enrol", "--code", code)
    new.start().wait_members()
    sold = new.pos.sell("pc-3", receipt(20_000, member={"card": ANNA.card}))
    assert sold["op"] == "till-1:2:1"
    new.drain()
    assert new.pos.ask("GET", "/v1/sales/pc-3")["sync"] in ("applied", "adjusted")

    old.wait_status(lambda s: "sync_halted" in {each["code"] for each in s["problems"]}, "the old PC to be refused")
    assert "token_invalid" in old.status()["sync"]["last_error"]
    assert old.pos.sell("pc-2", receipt(1_000))["uid"] == "pc-2", "it still sells, and keeps what it sold"
    old.stop()
    new.stop()
    world.verify()


def test_a_cloud_that_is_put_back_from_a_backup_gets_again_what_it_lacks(world: World) -> None:
    """By the commands of the page: backup, verify, `init --restored`. The till sends again what was sold since."""
    world.start_cloud()
    till = world.till().start().wait_members()
    till.pos.sell("before", receipt(10_000, member={"card": ANNA.card}))
    till.drain()
    backup = world.folder / "backup.db"
    world.command("cloud", "backup", backup)
    till.pos.sell("since", receipt(20_000, member={"card": ANNA.card}))
    till.drain()
    known = till.pos.identify(card=ANNA.card)["balance_points"]

    world.stop_cloud()
    for lost in world.folder.glob("cloud.db*"):
        lost.unlink()
    backup.rename(world.cloud_db)
    world.command("cloud", "init", "--restored")
    world.start_cloud()
    till.pos.sell("after", receipt(1_000))
    till.drain()
    till.wait_members()
    shown = world.command("cloud", "member", "show", "--card", ANNA.card, "--json").out
    assert f'"balance": {known},' in shown
    assert till.pos.identify(card=ANNA.card)["balance_points"] == known
    assert till.status()["sync"]["last_seq"] == 3
    till.stop()
    world.verify()

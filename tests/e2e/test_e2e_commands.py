"""Every command that store IT and the chain's staff have, run for real: with its process up, and with it down."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest

from kit.bridge import receipt
from kit.chain import ANNA, Chain
from kit.processes import Ran, run
from kit.waiting import wait_for
from kit.world import Till, World


class Shop(NamedTuple):
    """Two tills with a sale each: the agent of one runs, that of the other has been stopped."""

    world: World
    up: Till
    down: Till


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, chain: Chain) -> Iterator[Shop]:
    """Made once; the commands under test change nothing."""
    with World(tmp_path_factory.mktemp("commands"), chain) as world:
        world.start_cloud()
        up, down = (world.till(name).start().wait_members() for name in ("till-1", "till-2"))
        for till in (up, down):
            till.pos.sell(f"{till.name}-a", receipt(10_000, member={"card": ANNA.card}))
            till.drain()
        world.line.cut()
        down.pos.sell("till-2-b", receipt(2_000))
        down.stop()
        world.line.mend()
        up.drain()
        yield Shop(world, up, down)


UP_AND_DOWN = (
    (("sync", "status"), "acknowledged           1 of 1", "acknowledged           1 of 2"),
    (("sync", "status", "--json"), '"acked_seq": 1', '"waiting": 1'),
    (("queue", "list"), "0 operations wait", "till-2-b"),
    (("queue", "list", "--newest"), "till-1-a", "till-2-a"),
    (("queue", "list", "--json"), '"waiting": 0', '"uid": "till-2-b"'),
    (("queue", "show", "1"), '"uid": "till-1-a"', '"uid": "till-2-a"'),
)


@pytest.mark.parametrize(("words", "up", "down"), UP_AND_DOWN, ids=[" ".join(row[0]) for row in UP_AND_DOWN])
def test_what_can_be_read_is_read_with_the_agent_up_or_down(
    shop: Shop, words: tuple[str, ...], up: str, down: str
) -> None:
    """The running agent is asked; without one, its journal is read, and that is said."""
    asked = shop.up.command(*words)
    assert up in asked.out
    assert asked.err == ""
    read = shop.down.command(*words)
    assert down in read.out
    assert "no agent is running" in read.err


def test_an_exchange_needs_a_running_agent(shop: Shop) -> None:
    """`sync now` works with one, and says in one line what is missing without."""
    assert "line                   up" in shop.up.command("sync", "now").out
    missing = shop.down.command("sync", "now", status=1)
    assert missing.err.count("\n") == 1
    assert "no agent is running" in missing.err


def test_an_operation_that_is_not_there_is_said_to_be_missing(shop: Shop) -> None:
    """By the agent and by its journal alike."""
    for till in (shop.up, shop.down):
        assert "Error" in till.command("queue", "show", "99", status=1).err


def test_devices_are_listed_with_the_agents_word_or_without(shop: Shop) -> None:
    """What is configured, and how it is, if there is an agent to ask."""
    rows = [line.split() for line in shop.up.command("devices").out.splitlines()]
    assert any(row[:2] == ["scanner", "scanner"] and "absent" in row for row in rows)
    assert "no agent is running" in shop.down.command("devices").err
    assert json.loads(shop.up.command("devices", "--json").out)["devices"][0]["role"] == "scanner"


def test_a_second_agent_on_the_same_state_is_refused(shop: Shop) -> None:
    """One line, status 1; the first one goes on."""
    refused = shop.up.command("agent", "run", status=1)
    assert "another agent is running" in refused.err
    assert shop.up.pos.send("GET", "/livez").status_code == 200


def test_a_till_is_not_enrolled_twice_by_mistake(shop: Shop) -> None:
    """Not while it runs, and not while it does not."""
    for till in (shop.up, shop.down):
        assert f"is till {till.name} already" in till.command("agent", "enrol", "--code", "guess", status=1).err


def test_the_path_of_a_token_is_told_and_not_the_token(shop: Shop) -> None:
    """For whoever configures the cash software."""
    told = shop.up.command("agent", "token", "pos").out.strip()
    token = Path(told).read_text().strip()
    assert token
    assert token not in told
    assert Path(told).stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("which", ["up", "down"])
def test_configuration_commands_need_no_agent(shop: Shop, which: str) -> None:
    """check, show, explain: the same with an agent and without."""
    till = getattr(shop, which)
    folder = shop.world.folder
    assert run("config", "check", till.config, folder=folder).out == "OK\n"
    assert f'state_dir = "{till.state_dir}"' in run("config", "show", till.config, folder=folder).out
    explained = till.command("config", "explain", "cloud.poll_interval_ms").out
    assert "cloud.poll_interval_ms = 200" in explained
    assert f"{till.config.name}:" in explained


def test_a_bad_configuration_is_told_with_every_place(shop: Shop) -> None:
    """File, line and column of each problem; status 1."""
    bad = shop.world.folder / "bad.toml"
    bad.write_text('[bridge]\nport = "many"\n[clowd]\n', encoding="utf-8")
    found = run("config", "check", bad, folder=shop.world.folder, status=1)
    assert "bad.toml:2:" in found.out
    assert "bad.toml:3:" in found.out
    assert "cloud" in found.out


def test_slips_are_previewed_with_nothing_running(shop: Shop) -> None:
    """As text in each language, and as a picture."""
    for language, word in (("en", "Earned"), ("ru", "Начислено")):
        assert word in run("slip", "preview", "--lang", language, folder=shop.world.folder).out
    picture = shop.world.folder / "preview.png"
    run("slip", "preview", "--png", picture, folder=shop.world.folder)
    assert picture.read_bytes().startswith(b"\x89PNG")


def staff(world: World) -> dict[str, Ran]:
    """Every command of the chain's staff that shows something."""
    commands = (
        ("member", "show", ANNA.member_id),
        ("member", "show", "--card", ANNA.card),
        ("member", "show", "--phone", "8 999 000 01 01"),
        ("ledger", "show", ANNA.member_id),
        ("till", "list"),
        ("store", "list"),
        ("programme", "list"),
        ("flags",),
        ("verify",),
    )
    with ThreadPoolExecutor(2) as pool:
        done = pool.map(lambda words: world.command("cloud", *words), commands)
        return {" ".join(words): ran for words, ran in zip(commands, done, strict=True)}


def test_the_chains_staff_see_the_same_with_the_cloud_up_or_down(world: World) -> None:
    """Members, ledger, tills, verification; and a member that nobody knows."""
    world.start_cloud()
    till = world.till().start().wait_members()
    till.pos.sell("staff-1", receipt(10_000, member={"card": ANNA.card}))
    till.drain()
    till.stop()
    # What was earned is lent to the till, some seconds later; then nothing moves any more.
    wait_for(lambda: "till-1" in world.command("cloud", "grant", "list").out, "points at hand of the till")
    up = staff(world)
    world.stop_cloud()
    down = staff(world)
    assert {name: ran.out for name, ran in up.items()} == {name: ran.out for name, ran in down.items()}
    assert "52.50" in up["member show m-anna"].out or "5250" in up["member show m-anna"].out
    assert ANNA.phone not in up["member show m-anna"].out
    assert "staff-1" in up["ledger show m-anna"].out
    assert "till-1" in up["till list"].out
    assert '"holds": true' in up["verify"].out
    assert "nobody has this" in world.command("cloud", "member", "show", "m-nobody", status=1).err

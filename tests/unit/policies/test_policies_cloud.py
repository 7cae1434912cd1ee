"""Policies at the cloud: checked, merged by scope, signed for one till, staged for waves."""

import json
from pathlib import Path

import pytest

from kit.commands import tillside
from till_cloud import policies
from till_cloud.exceptions import AdminError, RefusedError
from till_cloud.store import tills
from till_cloud.store.policies import Scope
from till_cloud.waves.moving import StartOrder, advance, start
from till_config import ConfigError
from till_sync import keys
from till_sync.heartbeat import Policy, policy_bytes
from unit.cloud.cloud_kit import Chain, chain

TILL = "K-01"


@pytest.fixture
def world(tmp_path: Path):
    with chain(tmp_path / "c.db") as made:
        for name in (TILL, "K-02"):
            made.centre.write(lambda c, name=name: tills.add_till(c, name, "s1", 0)).result()
        yield made


def put(world: Chain, text: str, scope: Scope = "chain", name: str = "", *, staged: bool = False) -> int:
    return (
        world.centre.write(
            lambda c: policies.put(c, scope, name, text, file="p.toml", staged=staged, now_ms=world.wall())
        )
        .result()
        .version
    )


def wanted(world: Chain, till: str = TILL) -> Policy:
    return world.centre.read(lambda c: policies.policy_for(c, tills.till(c, till), world.wall()))


def body(policy: Policy) -> str:
    return "".join(line + "\n" for line in policy.text.splitlines() if not line.startswith("#"))


def test_a_till_wins_over_its_store_and_that_over_the_chain(world: Chain) -> None:
    """Key by key, devices by name; each till's text names what it is made of."""
    put(
        world,
        '[agent]\nlanguage = "ru"\nlog_level = "info"\n[[printers]]\nname = "receipt"\ncolumns = 48\ncut = true\n',
    )
    put(world, '[agent]\nlanguage = "kk"\n[[printers]]\nname = "receipt"\ncolumns = 32\n', "store", "s1")
    put(world, '[agent]\nlanguage = "uk"\n', "till", TILL)
    one, two = wanted(world), wanted(world, "K-02")
    rest = 'log_level = "info"\n\n[[printers]]\nname = "receipt"\ncolumns = 32\ncut = true\n'
    assert body(one) == '[agent]\nlanguage = "uk"\n' + rest
    assert body(two) == '[agent]\nlanguage = "kk"\n' + rest
    assert (one.version, two.version) == (3, 2)
    assert "# store s1: version 2" in one.text


def test_it_is_signed_for_one_till_alone(world: Chain) -> None:
    """By the key that tills know from their enrolment."""
    put(world, '[agent]\nlanguage = "kk"\n')
    policy = wanted(world)
    public = world.rows("SELECT value FROM meta WHERE name = 'voucher_public_key'")[0][0]
    signature = bytes.fromhex(policy.signature)
    assert keys.verify(public, policy_bytes(TILL, policy.version, policy.text), signature)
    assert not keys.verify(public, policy_bytes("K-02", policy.version, policy.text), signature)


def test_a_bad_policy_never_becomes_a_version(world: Chain) -> None:
    """Checked as tills check it, with places of the file; nor does one of a store that nobody added."""
    with pytest.raises(ConfigError, match=r"p\.toml:2:1: cloud\.url"):
        put(world, '[cloud]\nurl = "https://elsewhere.example"\n')
    with pytest.raises(AdminError):
        put(world, "", "store", "s9")
    with pytest.raises(RefusedError) as caught:
        wanted(world)
    assert (caught.value.problem.status, caught.value.code) == (404, "no_policy")


def test_taking_one_away_is_a_version_that_tills_hear_of(world: Chain) -> None:
    """Else they would keep the last one for ever."""
    put(world, '[agent]\nlanguage = "kk"\n', "store", "s1")
    world.centre.write(lambda c: policies.remove(c, "store", "s1", now_ms=0)).result()
    now = wanted(world)
    assert now.version == 2
    assert body(now).strip() == ""


def test_a_staged_policy_reaches_the_tills_of_its_wave_alone_until_that_is_done(world: Chain) -> None:
    """Those outside keep the former one; the number that the wave names is told, so that heartbeats answer for it."""
    for name in (TILL, "K-02"):
        world.centre.write(lambda c, name=name: tills.enrol(c, name, f"{name:a<64}", 1, public_key="")).result()
    first = put(world, '[agent]\nlanguage = "ru"\n')
    staged = put(world, '[agent]\nlanguage = "kk"\n', staged=True)
    assert wanted(world).version == first
    order = StartOrder(kind="config", version=str(staged), sizes=(1, 0))
    wave = world.centre.write(lambda c: start(c, order, world.wall())).result()
    reached = [row[0] for row in world.rows("SELECT till FROM wave_tills")]
    assert len(reached) == 1
    tills_now = {till: wanted(world, till).version for till in (TILL, "K-02")}
    assert tills_now == {till: staged if till in reached else first for till in tills_now}
    later = put(world, '[agent]\nlog_level = "debug"\n', "store", "s1")
    assert wanted(world, reached[0]).version == staged
    assert 'log_level = "debug"' in wanted(world, reached[0]).text
    for _ in range(2):
        world.centre.write(lambda c: advance(c, "config", world.wall(), without_soak=True)).result()
    assert world.rows("SELECT state FROM waves WHERE wave = ?", wave.wave) == [("done",)]
    assert {wanted(world, till).version for till in (TILL, "K-02")} == {later}
    assert 'language = "kk"' in wanted(world, "K-02").text


def test_the_commands(world: Chain, tmp_path: Path) -> None:
    """put, show, list, remove; a bad file ends with its problems and status 1."""
    db = str(world.centre.path)
    good, bad = tmp_path / "good.toml", tmp_path / "bad.toml"
    good.write_text('[agent]\nlanguage = "kk"\n')
    bad.write_text("[bridge]\nport = 1\n[slip]\n")

    def run(*words: str, status: int = 0) -> str:
        return tillside("cloud", "policy", *words, "--db", db, status=status).output

    assert run("put", str(good), "--store", "s1") == "Policy 1 of store s1 is on its way to the tills.\n"
    said = run("put", str(bad), status=1)
    assert f"{bad}:2:1: bridge.port" in said
    assert f"{bad}:3:1: slip" in said
    assert run("show", "--store", "s1") == good.read_text()
    assert 'language = "kk"' in run("show", "--till", TILL)
    assert run("remove", "--store", "s1") == "Policy 2: store s1 has none any more.\n"
    rows = json.loads(run("list", "--json"))
    assert [(row["version"], row["counts"], row["removed"]) for row in rows] == [(2, True, True), (1, False, False)]
    run("put", str(good), "--store", "s1", "--till", TILL, status=2)

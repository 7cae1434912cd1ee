"""Settings that a running agent takes in: what counts at once, what needs a restart, and that it is all or nothing."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from integration.bridge.agent_kit import ANNA_CARD, TILL, LiveAgent, enrol_by_hand, fill_cache, live_agent
from kit.bridge import receipt
from till_agent.audit_trail import AUDIT_FILE, read
from till_agent.reloading import parts as reloading_parts
from till_agent.reloading import policies
from till_agent.reloading.policies import PolicyKeeper
from till_agent.reloading.starting import LAST_GOOD_FILE, is_signed, settings_at_start
from till_config import ConfigError
from till_sync import keys
from till_sync.exceptions import CloudRefused
from till_sync.files import replace_file
from till_sync.heartbeat import Policy, policy_bytes
from till_sync.identity import IDENTITY_FILE, load_identity, save_identity

PRIVATE = keys.new_key()
ORIGIN = "https://pos.example"


def text_of(folder: Path, more: str = "", *, language: str = "ru", rate: int = 10_000, devices: str = "") -> str:
    return (
        f'[agent]\nstate_dir = "{folder / "state"}"\nlanguage = "{language}"\n'
        f"[bridge]\nport = 0\nrate_limit_per_second = {rate}\n{more}\n{devices}"
    )


def printer(folder: Path, name: str, file: str) -> str:
    return f'[[printers]]\nname = "{name}"\ndriver = "file"\ndevice = "{folder / file}"\nstatus = false\n'


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The file of a till with a printer; the till is enrolled and knows Anna."""
    state = tmp_path / "state"
    enrol_by_hand(state)
    fill_cache(state)
    for name in ("one", "two"):
        (tmp_path / name).touch()
    file = tmp_path / "till.toml"
    file.write_text(text_of(tmp_path, devices=printer(tmp_path, "receipt", "one")))
    return file


@contextmanager
def started(config: Path) -> Iterator[LiveAgent]:
    start = settings_at_start(config)
    with live_agent(start.settings, start) as live:
        yield live


def reloaded(live: LiveAgent, status: int = 200) -> dict:
    answer = live.call("POST", "/v1/admin/reload", client="admin")
    assert answer.status == status, answer.json
    return answer.json


def problems(live: LiveAgent) -> set[str]:
    return {each["code"] for each in live.call("GET", "/v1/status", client="admin").json["problems"]}


def test_what_can_count_at_once_does_and_the_rest_is_named(config: Path) -> None:
    """Language, origins, rate, pages, poll: now. Port, body limit: named, told in the status, and as they were."""
    with started(config) as live:
        assert live.call("GET", "/v1/status", origin=ORIGIN).status == 403
        more = f'allowed_origins = ["{ORIGIN}"]\nbody_limit_bytes = 65536\n'
        more += "[cloud]\npoll_interval_ms = 700\n[pages]\npanel = false\n"
        config.write_text(text_of(config.parent, more, language="kk", rate=9_999).replace("port = 0", "port = 18555"))
        told = reloaded(live)
        assert sorted(told["applied"]) == [
            "agent.language",
            "bridge.allowed_origins",
            "bridge.rate_limit_per_second",
            "cloud.poll_interval_ms",
            "pages.panel",
            "printers.receipt",
        ]
        assert sorted(told["restart_needed"]) == ["bridge.body_limit_bytes", "bridge.port"]
        assert "restart_needed" in problems(live)
        assert live.call("GET", "/v1/status", client="admin", origin=ORIGIN).status == 200
        assert live.call("GET", "/panel/").status == 404
        assert live.running.agent.settings.bridge.port == 0
        refused = live.call("POST", "/v1/members/identify", {"card": "not a card"}).json
        assert "карта" in refused["cashier"].lower()
        assert live.call("GET", "/v1/status", client="admin").json["devices"] == []
        assert reloaded(live)["applied"] == []
        config.write_text(text_of(config.parent))
        reloaded(live)
        assert "restart_needed" not in problems(live)


def test_a_bad_file_changes_nothing_and_is_told_until_it_is_mended(config: Path) -> None:
    """Every problem in the answer, the first in the status; the settings before stay, key by key."""
    with started(config) as live:
        before = live.running.agent.settings
        config.write_text(text_of(config.parent, "port = 1\n", language="kk"))
        answer = reloaded(live, 422)
        assert answer["code"] == "config_bad"
        config.write_text(text_of(config.parent, language="kz", rate=0))
        answer = reloaded(live, 422)
        assert [problem.split(": ")[1] for problem in answer["problems"]] == [
            "agent.language",
            "bridge.rate_limit_per_second",
        ]
        assert live.running.agent.settings == before
        assert "config_bad" in problems(live)
        config.write_text(text_of(config.parent, language="kk"))
        assert "agent.language" in reloaded(live)["applied"]
        assert "config_bad" not in problems(live)


def test_only_the_device_that_changed_is_begun_again(config: Path) -> None:
    """Slips go to the printer that the settings name now; one that was not touched goes on as it was."""
    folder = config.parent
    with started(config) as live:
        parts = live.running.agent.parts
        assert parts is not None
        untouched = parts._slip_printers["receipt"].driver
        config.write_text(
            text_of(
                folder,
                '[slips]\nprinter = "second"\n',
                devices=printer(folder, "receipt", "one") + printer(folder, "second", "two"),
            )
        )
        assert sorted(reloaded(live)["applied"]) == ["printers.second", "slips.printer"]
        assert parts._slip_printers["receipt"].driver is untouched
        sold = live.call("PUT", "/v1/sales/r-1", receipt(10_000, member={"card": ANNA_CARD}))
        assert sold.status == 200, sold.json
        assert live.call("GET", "/v1/sales/r-1").json["slip"]["printer"] == "second"
        config.write_text(text_of(folder, devices=printer(folder, "second", "two")))
        reloaded(live)
        assert [each["device"] for each in live.call("GET", "/v1/status", client="admin").json["devices"]] == ["second"]


def test_a_device_that_cannot_be_built_keeps_everything_as_it_was(config: Path) -> None:
    """All or nothing: the language of the same file does not count either."""
    with started(config) as live:
        bad = '[[scanners]]\nname = "s"\ndriver = "nobodys"\nport = "/dev/null"\n'
        config.write_text(text_of(config.parent, language="kk", devices=bad))
        assert reloaded(live, 422)["code"] == "device_unusable"
        assert live.running.agent.language == "ru"
        assert [each["device"] for each in live.call("GET", "/v1/status", client="admin").json["devices"]] == [
            "receipt"
        ]


def test_a_change_that_fails_half_way_is_undone(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Printers were changed already when the rest failed: they are put back, and the answer says so."""
    folder = config.parent
    with started(config) as live:
        real, calls = reloading_parts.use, []

        def fails_once(*args: object) -> None:
            calls.append(args)
            if len(calls) == 1:
                raise OSError("on purpose")
            real(*args)  # type: ignore[arg-type]  # handed on as they came

        monkeypatch.setattr(reloading_parts, "use", fails_once)
        config.write_text(text_of(folder, language="kk", devices=printer(folder, "receipt", "two")))
        assert reloaded(live, 422)["code"] == "reload_failed"
        assert live.running.agent.language == "ru"
        assert live.running.agent.settings.printers[0].device == str(folder / "one")
        sold = live.call("PUT", "/v1/sales/r-1", receipt(10_000, member={"card": ANNA_CARD}))
        assert sold.status == 200
        assert live.call("GET", "/v1/sales/r-1").json["slip"]["printer"] == "receipt"


def test_no_sale_fails_while_settings_are_taken_in(config: Path) -> None:
    """Sixty sales from two cash programs, and one reload after the other: another printer, language and rate."""
    folder, failed, ended = config.parent, [], threading.Event()
    with started(config) as live:

        def sell(name: str) -> None:
            for number in range(30):
                answer = live.call("PUT", f"/v1/sales/{name}-{number}", receipt(10_000, member={"card": ANNA_CARD}))
                if answer.status != 200:
                    failed.append(answer.json)
            ended.set()

        tills = [threading.Thread(target=sell, args=(name,)) for name in "ab"]
        for thread in tills:
            thread.start()
        turns = 0
        while not ended.is_set() or turns < 4:
            turns += 1
            language, file = ("kk", "two") if turns % 2 else ("ru", "one")
            config.write_text(
                text_of(folder, language=language, rate=9_000 + turns, devices=printer(folder, "receipt", file))
            )
            assert "printers.receipt" in reloaded(live)["applied"]
        for thread in tills:
            thread.join()
        assert failed == []
        assert live.call("GET", "/v1/sync", client="admin").json["last_seq"] == 60


def test_the_last_good_file_is_what_a_start_with_a_bad_one_works_by(config: Path) -> None:
    """A till sells whatever was typed last night, and says what is wrong; one that never ran lists every problem."""
    config.write_text(text_of(config.parent, language="kz"))
    with pytest.raises(ConfigError, match=r"till\.toml:3:12: agent\.language"):
        settings_at_start(config)
    good = text_of(config.parent, language="uk")
    config.write_text(good)
    with started(config):
        pass
    assert (config.parent / "state" / LAST_GOOD_FILE).read_text() == good
    assert audited(config) == ["config_applied"]
    for bad in (good.replace("uk", "kz"), good.replace("[bridge]", "[bridge"), "\x00", None):
        if bad is None:
            config.unlink()
        else:
            config.write_text(bad.replace("\x00", f'state_dir = "{config.parent / "state"}"\n[['))
        if bad is None:
            continue
        start = settings_at_start(config)
        assert start.settings.agent.language == "uk"
        assert "till.toml:" in start.config_trouble
    config.write_text(good.replace("uk", "kz"))
    with started(config) as live:
        assert "config_bad" in problems(live)
        assert live.call("PUT", "/v1/sales/r-1", receipt(1_000)).status == 200
    assert (config.parent / "state" / LAST_GOOD_FILE).read_text() == good


def audited(config: Path) -> list[str]:
    lines, bad = read(config.parent / "state" / AUDIT_FILE)
    assert bad is None
    return [line.what for line in lines]


def test_what_was_taken_in_and_what_was_not_is_written_down(config: Path) -> None:
    """Once for each text; never the words that somebody typed, for one may be a password."""
    config.write_text(text_of(config.parent, language="uk"))
    with started(config) as live:
        reloaded(live)
        config.write_text(text_of(config.parent, language="kk"))
        reloaded(live)
        config.write_text(text_of(config.parent, language="swordfish"))
        assert live.call("POST", "/v1/admin/reload", client="admin").status == 422
    with started(config):
        pass
    path = config.parent / "state" / AUDIT_FILE
    assert audited(config) == ["config_applied", "config_applied", "config_refused"]
    assert read(path)[0][1].facts["keys"] == "agent.language"
    assert "swordfish" not in path.read_text()


def signed(version: int, text: str, *, till: str = TILL, key: str = PRIVATE) -> Policy:
    return Policy(version=version, text=text, signature=keys.sign(key, policy_bytes(till, version, text)).hex())


class FakeLine:
    """The cloud, as the keeper of policies sees it."""

    cloud_key = keys.public_of(PRIVATE)

    def __init__(self) -> None:
        self.gives: Policy | None = None

    async def policy(self) -> Policy:
        if self.gives is None:
            raise CloudRefused("none", status=404, code="no_policy")
        return self.gives


def know_the_cloud(config: Path) -> None:
    path = config.parent / "state" / IDENTITY_FILE
    save_identity(path, load_identity(path).with_cloud_key(FakeLine.cloud_key))


@contextmanager
def under_policy(config: Path) -> Iterator[tuple[LiveAgent, FakeLine, PolicyKeeper]]:
    know_the_cloud(config)
    line = FakeLine()
    with started(config) as live:
        agent = live.running.agent
        assert agent._reloader is not None
        keeper = PolicyKeeper(
            agent._reloader,
            live.running.state_dir,
            line=lambda: line,
            identity=lambda: agent.identity,
            clock=agent.clock,
        )
        agent.policies = keeper
        yield live, line, keeper


def test_a_policy_is_obeyed_at_once_and_over_restarts(config: Path) -> None:
    """Over the file in force; the next start reads it from the disk, with no cloud."""
    with under_policy(config) as (live, line, keeper):
        live.on_loop(keeper.look)
        assert keeper.version == 0
        line.gives = signed(3, '[agent]\nlanguage = "ky"\n[[printers]]\nname = "receipt"\ncolumns = 32\n')
        live.on_loop(lambda: keeper.fetch(3))
        assert (keeper.version, live.running.agent.language) == (3, "ky")
        config.write_text(text_of(config.parent, language="uk", devices=printer(config.parent, "receipt", "one")))
        assert reloaded(live) == {"applied": [], "restart_needed": [], "policy_version": 3}
        assert live.running.agent.language == "ky", "the policy is stronger than the file"
    assert settings_at_start(config).settings.printers[0].columns == 32
    assert settings_at_start(config).settings.agent.language == "ky"


def test_a_policy_that_does_not_fit_is_refused_as_a_whole(config: Path) -> None:
    """The former stays in force, the status says which and why, and a heartbeat can tell its number."""
    with under_policy(config) as (live, line, keeper):
        line.gives = signed(3, '[agent]\nlanguage = "ky"\n')
        live.on_loop(keeper.look)
        line.gives = signed(4, '[agent]\nlanguage = "kk"\n[slips]\nprinter = "nobody"\n')
        live.on_loop(keeper.look)
        assert (keeper.version, keeper.refused, live.running.agent.language) == (3, 4, "ky")
        found = live.call("GET", "/v1/status", client="admin").json["problems"]
        assert any(each["code"] == "policy_refused" and "policy 4:4:11" in each["text"] for each in found)
        line.gives = signed(5, '[agent]\nlanguage = "kk"\n')
        live.on_loop(lambda: keeper.fetch(5))
        assert (keeper.version, keeper.refused) == (5, 0)
        assert "policy_refused" not in problems(live)
        assert audited(config)[1:] == ["policy_applied", "policy_refused", "policy_applied"]


def test_a_policy_that_the_disk_did_not_take_is_tried_again(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk is no fault of the policy; one that was refused for itself is not asked for again and again."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with under_policy(config) as (live, line, keeper):
        line.gives = signed(3, '[agent]\nlanguage = "ky"\n')
        with monkeypatch.context() as patch:
            patch.setattr(policies, "keep_policy", full)
            live.on_loop(keeper.look)
            assert (keeper.version, keeper.refused, live.running.agent.language) == (0, 3, "ru")
        live.on_loop(keeper.look)
        assert (keeper.version, keeper.refused, live.running.agent.language) == (3, 0, "ky")


def test_a_policy_that_fails_unforeseen_ends_no_looking(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next one may mend it."""

    def breaks(*_: object) -> None:
        raise ArithmeticError

    with under_policy(config) as (live, line, keeper):
        line.gives = signed(3, '[agent]\nlanguage = "ky"\n')
        with monkeypatch.context() as patch:
            patch.setattr(policies, "keep_policy", breaks)
            live.on_loop(keeper.look)
        line.gives = signed(4, '[agent]\nlanguage = "kk"\n')
        live.on_loop(keeper.look)
        assert (keeper.version, live.running.agent.language) == (4, "kk")


def test_a_policy_that_the_cloud_did_not_sign_for_this_till_is_no_policy(config: Path) -> None:
    """Neither over the line nor on the disk, where somebody may have edited it."""
    text = '[agent]\nlanguage = "ky"\n'
    bad = (
        signed(1, text, till="t2"),
        signed(1, text, key=keys.new_key()),
        Policy(version=2, text=text, signature=signed(1, text).signature),
        Policy(version=1, text=text),
    )
    with under_policy(config) as (live, line, keeper):
        for each in bad:
            line.gives = each
            live.on_loop(keeper.look)
            assert keeper.version == 0
    kept = config.parent / "state" / "policy.json"
    replace_file(kept, b'{"version": 1, "text": "[agent]\\nlanguage = \\"ky\\"\\n", "signature": ""}')
    start = settings_at_start(config)
    assert start.settings.agent.language == "ru"
    assert "policy.json" in start.policy_trouble
    assert is_signed(signed(1, text), TILL, FakeLine.cloud_key)

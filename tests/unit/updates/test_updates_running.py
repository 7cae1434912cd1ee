"""`update run` and the stick: what is wanted is fetched, handed on, told; and nothing is done that must not be."""

import msgspec
import pytest

from kit.updates import Shop
from till_installer.layout import UPDATE_STATE_FILE, UPDATE_WANTED_FILE
from till_installer.update import exceptions as refusals
from till_installer.update import stick
from till_installer.update.fetching import FolderFetcher
from till_installer.update.running import Runner
from till_installer.upgrade.record import Records
from till_sync.heartbeat import UpdateState, Wanted

HOUR_MS = 3_600_000


class Till:
    """A till with version 1.0.0, whose upgrader keeps what it was given."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.layout = shop.trust()
        self.layout.state_dir.mkdir(parents=True)
        (self.layout.versions / "1.0.0").mkdir(parents=True)
        self.layout.current.symlink_to("versions/1.0.0")
        self.applied: list[bytes] = []
        self.now_ms = 1_800_000_000_000
        self.source = shop.repo.public
        self.while_fetching = lambda *_: None
        self.outcome = "done"

    def want(self, **wanted) -> None:
        (self.layout.state_dir / UPDATE_WANTED_FILE).write_bytes(msgspec.json.encode(Wanted(**wanted)))

    def apply(self, archive) -> UpdateState:
        self.applied.append(archive.read_bytes())
        return UpdateState(stage=self.outcome, to_version="1.1.0")

    def runner(self) -> Runner:
        return Runner(
            layout=self.layout,
            fetcher=lambda: FolderFetcher(self.source),
            apply=self.apply,
            progress=self.while_fetching,
            wall_ms=lambda: self.now_ms,
        )

    def told(self) -> UpdateState:
        path = self.layout.state_dir / UPDATE_STATE_FILE
        return msgspec.json.decode(path.read_bytes(), type=UpdateState) if path.exists() else UpdateState()


@pytest.fixture
def till(tmp_path):
    shop = Shop(tmp_path)
    shop.release("1.1.0")
    return Till(shop)


def test_what_is_wanted_is_put_in_place(till):
    """The very bytes that were signed; the download is removed afterwards."""
    till.want(release="1.1.0")
    assert till.runner().run().outcome == "applied"
    assert till.applied == [b"bundle" * 5_000]
    assert not list((till.layout.updates_dir / "downloads").glob("*.tar.gz"))


@pytest.mark.parametrize("source", ["line", "stick"])
def test_what_was_taken_back_is_not_fetched_once_more(till, tmp_path, source):
    """The checked copy stays for `--again`, until it is in place; what lies at its source is never touched."""
    if source == "stick":
        stick.make(till.shop.repo, tmp_path)
        till.source = stick.found_on(tmp_path)
    there = sorted(path for path in till.source.rglob("*") if path.is_file())
    fetched: list[object] = []
    till.while_fetching = lambda *told: fetched.append(told)
    till.outcome = "rolled_back"
    assert till.runner().take("1.1.0").state.stage == "rolled_back"
    (kept,) = (till.layout.updates_dir / "downloads").glob("*.tar.gz")
    begun = len(fetched)
    till.outcome = "done"
    assert till.runner().take("1.1.0", again=True).state.stage == "done"
    assert (len(fetched), kept.exists(), till.applied) == (begun, False, [b"bundle" * 5_000] * 2)
    assert begun > 0
    assert sorted(path for path in till.source.rglob("*") if path.is_file()) == there


@pytest.mark.parametrize("wanted", [None, Wanted(), Wanted(release="1.0.0"), b"{", b"[1]"])
def test_nothing_to_do(till, wanted):
    """No wish, an empty one, what runs already, and a file that is none."""
    if wanted is not None:
        body = wanted if isinstance(wanted, bytes) else msgspec.json.encode(wanted)
        (till.layout.state_dir / UPDATE_WANTED_FILE).write_bytes(body)
    assert till.runner().run().outcome == "nothing"
    assert till.applied == []


def test_a_paused_wave_is_not_begun_and_not_gone_on_with(till):
    """Also when the halt comes while the bundle is on its way."""
    till.want(release="1.1.0", paused=True)
    with pytest.raises(refusals.PausedError):
        till.runner().run()
    till.want(release="1.1.0")
    till.while_fetching = lambda *_: till.want(release="1.1.0", paused=True)
    with pytest.raises(refusals.PausedError):
        till.runner().run()
    assert till.applied == []


def test_a_wish_that_is_gone_when_the_bundle_is_here_is_not_carried_out(till):
    """The agent takes the file away when the wave halts before this till had begun."""
    till.want(release="1.1.0")
    till.while_fetching = lambda *_: (till.layout.state_dir / UPDATE_WANTED_FILE).unlink(missing_ok=True)
    with pytest.raises(refusals.PausedError):
        till.runner().run()
    assert till.applied == []


def test_each_till_has_a_moment_of_its_own_within_the_spread(till):
    """Drawn once; a clock that was set back does not put it off for ever; `--now` does not wait."""
    till.want(release="1.1.0", spread_ms=1000 * HOUR_MS)
    first = till.runner().run()
    assert (first.outcome, till.applied) == ("later", [])
    assert till.now_ms <= first.at_ms < till.now_ms + 24 * HOUR_MS
    assert till.runner().run() == first
    till.now_ms -= 10_000 * HOUR_MS
    assert till.runner().run().at_ms < till.now_ms + 24 * HOUR_MS
    assert till.runner().run(at_once=True).outcome == "applied"


def test_its_moment_comes(till):
    """Without anybody's doing."""
    till.want(release="1.1.0", spread_ms=HOUR_MS)
    till.runner().run()
    till.now_ms += HOUR_MS
    assert till.runner().run().outcome == "applied"


def test_a_version_that_was_taken_back_here_is_not_tried_again(till):
    """A timer would try for ever; a person may once more."""
    Records(till.layout).refuse("1.1.0", "unhealthy")
    till.want(release="1.1.0")
    with pytest.raises(refusals.FailedBeforeError, match="unhealthy"):
        till.runner().run()
    assert till.runner().run(again=True).outcome == "applied"


def test_a_refusal_is_told_to_the_cloud_and_a_line_that_is_gone_is_none(till, tmp_path):
    """By its code; the stage of a broken line stays `downloading`, since the next run goes on."""
    till.want(release="7.0.0")
    with pytest.raises(refusals.UnknownReleaseError):
        till.runner().run()
    assert (till.told().stage, till.told().code) == ("refused", "update_unknown_release")
    till.source = tmp_path / "gone"
    with pytest.raises(refusals.UnreachableError):
        till.runner().run()
    assert (till.told().stage, till.told().code) == ("downloading", "update_unreachable")
    assert till.layout.current.readlink().name == "1.0.0"


def test_a_fetch_beside_a_change_of_version_says_nothing_of_its_own(till):
    """What the cloud must hear is how the version fares that is being proven."""
    records = Records(till.layout)
    records.tell(UpdateState(stage="proving", to_version="1.0.5"))
    records.marker_path.write_bytes(b"{}")
    till.want(release="1.1.0")
    till.while_fetching = lambda *_: seen.append(till.told().stage)
    seen = []
    till.runner().run()
    assert set(seen) == {"proving"}


def test_an_older_wish_is_refused_and_is_no_news(till):
    """After a wave was withdrawn a till that went ahead keeps what it has."""
    till.shop.release("0.9.0")
    till.want(release="0.9.0")
    with pytest.raises(refusals.OlderReleaseError):
        till.runner().run()
    assert till.told() == UpdateState()


def test_a_stick_carries_the_newest_and_a_till_takes_it_from_there(till, tmp_path):
    """Nothing but the stick is read; a second `make` brings it up to date."""
    folder = tmp_path / "usb"
    folder.mkdir()
    stick.make(till.shop.repo, folder)
    till.shop.release("1.2.0", b"newer")
    releases, _ = stick.make(till.shop.repo, folder)
    assert [each.version for each in releases] == ["1.2.0"]
    till.source = stick.found_on(folder)
    till.runner().take("1.2.0")
    assert till.applied == [b"newer"]


def test_a_stick_ages_and_one_that_was_signed_for_longer_does_so_later(tmp_path):
    """20 days after: over by the server's timestamp, good by the one that was made for the stick."""
    shop = Shop(tmp_path, days_ago=20)
    shop.release("1.1.0")
    till = Till(shop)
    for days, name in ((0, "short"), (60, "long")):
        (tmp_path / name).mkdir()
        stick.make(shop.repo, tmp_path / name, days=days, online=shop.signer("online") if days else None)
    till.source = stick.found_on(tmp_path / "short")
    with pytest.raises(refusals.ExpiredError, match="make it again"):
        till.runner().take("1.1.0")
    till.source = stick.found_on(tmp_path / "long")
    assert till.runner().take("1.1.0").outcome == "applied"


def test_the_line_goes_on_after_a_stick_and_an_older_stick_is_refused(till, tmp_path):
    """The server's next timestamp is above the stick's."""
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        stick.make(till.shop.repo, tmp_path / name, days=60, online=till.shop.signer("online"))
    till.source = stick.found_on(tmp_path / "second")
    till.runner().take("1.1.0")
    till.source = stick.found_on(tmp_path / "first")
    with pytest.raises(refusals.OlderMetadataError):
        till.runner().take("1.1.0")
    till.source = till.shop.repo.public
    assert till.runner().take("1.1.0").outcome == "applied"


def test_the_servers_own_timestamp_comes_after_the_sticks(till, tmp_path):
    """Else the line would serve one that is good for 60 days, and a server that was taken over could stop there."""
    stick.make(till.shop.repo, tmp_path, days=60, online=till.shop.signer("online"))
    stamp = next(each for each in till.shop.repo.show().roles if each.role == "timestamp")
    assert stamp.days_left < 15


def test_a_stick_is_not_signed_for_ever(till, tmp_path):
    """A lost one is good as long; and without the online key it can't be signed at all."""
    for days, online in ((91, till.shop.signer("online")), (30, None)):
        with pytest.raises(refusals.RepositoryError, match="days"):
            stick.make(till.shop.repo, tmp_path, days=days, online=online)

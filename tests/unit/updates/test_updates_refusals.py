"""Each way to cheat a till over its updates is refused, by its own code and exit status; the till keeps what it has."""

import json
import shutil

import pytest

from kit.updates import Shop
from till_installer.update import client as client_module
from till_installer.update import exceptions as refusals
from till_installer.update.client import install_root
from till_installer.update.fetching import HttpFetcher


@pytest.fixture
def shop(tmp_path):
    made = Shop(tmp_path)
    made.release("1.0.0", b"old" * 1000)
    made.trust()
    made.release("1.1.0")
    return made


def _newest(folder, role):
    return max((folder / "metadata").glob(f"*.{role}.json"), key=lambda path: int(path.name.partition(".")[0]))


def _edit(path, change):
    """Change what is signed, and leave the signatures."""
    data = json.loads(path.read_bytes())
    change(data["signed"])
    path.write_text(json.dumps(data))


def test_a_whole_bundle_is_taken_and_not_fetched_again(shop):
    """The bytes are those that were signed; a second fetch needs no targets at all."""
    got = shop.fetch()
    assert got.read_bytes() == b"bundle" * 5_000
    served = shop.copy()
    for path in (served / "targets").glob("*.tar.gz"):
        path.unlink()
    assert shop.fetch(served) == got


def test_an_altered_bundle(shop):
    """One byte, the same length."""
    served = shop.copy()
    path = next((served / "targets").glob("*1.1.0*"))
    path.write_bytes(b"B" + path.read_bytes()[1:])
    with pytest.raises(refusals.TargetAlteredError):
        shop.fetch(served)
    assert not list((shop.layout.updates_dir / "downloads").iterdir())


def test_an_altered_list_of_releases(shop):
    """It is a target like the bundles."""
    served = shop.copy()
    for path in (served / "targets").glob("*.releases.json"):
        path.write_bytes(path.read_bytes().replace(b"1.1.0", b"1.9.0"))
    with pytest.raises(refusals.MetadataAlteredError):
        shop.fetch(served, version="1.9.0")


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets"])
def test_altered_metadata(shop, role):
    """Under the signatures of the whole."""
    served = shop.copy()
    path = served / "metadata/timestamp.json" if role == "timestamp" else _newest(served, role)
    _edit(path, lambda signed: signed.update(expires="2040-01-01T00:00:00Z"))
    with pytest.raises(refusals.MetadataAlteredError):
        shop.fetch(served)


@pytest.mark.parametrize("text", ["", "<html>sign in to the store's wifi</html>", '{"signed": 1}', "[" * 5000])
def test_metadata_that_is_none(shop, text):
    """A captive portal, a broken disk."""
    served = shop.copy()
    (served / "metadata/timestamp.json").write_text(text)
    with pytest.raises(refusals.MetadataAlteredError):
        shop.fetch(served)


def test_metadata_that_is_older_than_what_was_seen(shop):
    """A whole former publication put back, with all its signatures, and not expired."""
    before = shop.copy("before")
    shop.release("1.2.0")
    shop.fetch(version="1.2.0")
    with pytest.raises(refusals.OlderMetadataError):
        shop.fetch(before)


def test_a_snapshot_that_goes_back_is_older_whoever_signed_it(shop):
    """Who has the online key can't take a release back behind the targets that a till has seen."""
    shop.fetch()
    old = shop.folder / "old-targets.json"
    shutil.copy(shop.repo.metadata / "1.targets.json", old)
    for path in shop.repo.metadata.glob("[2-9].targets.json"):
        path.unlink()
    shop.repo.publish(shop.signer("online"))
    with pytest.raises(refusals.OlderMetadataError):
        shop.fetch()


@pytest.mark.parametrize(("days", "role"), [(20, "timestamp"), (40, "snapshot"), (400, "targets"), (800, "root")])
def test_what_is_past_its_date(tmp_path, days, role):
    """Each role in its turn; all others are signed anew today. It says that the clock may be wrong."""
    shop = Shop(tmp_path, days_ago=days if role == "root" else 0)
    if role != "root":
        shop.at(days)
    shop.release("1.1.0")
    shop.trust()
    if role in ("root", "targets"):
        shop.at(0)
        if role == "root":
            shop.repo.renew("targets")
            shop.repo.sign(shop.signer("targets1"))
        shop.repo.publish(shop.signer("online"))
    elif role == "snapshot":
        shop.at(0)
        shop.repo._refresh(shop.signer("online"), snapshot=False)
    with pytest.raises(refusals.ExpiredError, match="clock"):
        shop.fetch()


def test_genuine_files_of_different_publications(shop):
    """The snapshot of before under its new name: signed, not expired, and not what the timestamp names."""
    served = shop.copy()
    new = _newest(served, "snapshot")
    number = int(new.name.partition(".")[0])
    shutil.copy(served / f"metadata/{number - 1}.snapshot.json", new)
    with pytest.raises(refusals.MixedError):
        shop.fetch(served)


def test_targets_of_another_publication(shop):
    """The same a step further down."""
    served = shop.copy()
    new = _newest(served, "targets")
    shutil.copy(served / f"metadata/{int(new.name.partition('.')[0]) - 1}.targets.json", new)
    with pytest.raises(refusals.MixedError):
        shop.fetch(served)


def test_metadata_without_an_end(shop):
    """It is read to its cap and no further."""
    served = shop.copy()
    with (served / "metadata/timestamp.json").open("ab") as file:
        file.truncate(3_000_000)
    with pytest.raises(refusals.EndlessError):
        shop.fetch(served)


def test_a_bundle_without_an_end(shop):
    """Nothing past the signed length is written."""
    served = shop.copy()
    with next((served / "targets").glob("*1.1.0*")).open("ab") as file:
        file.truncate(50_000_000)
    with pytest.raises(refusals.EndlessError):
        shop.fetch(served)


def test_metadata_by_keys_that_are_not_trusted(tmp_path, shop):
    """Another chain's repository, whole in itself."""
    other = Shop(tmp_path / "other")
    other.release("1.1.0")
    with pytest.raises(refusals.WrongKeysError):
        shop.fetch(other.repo.public)


def test_a_root_that_too_few_have_signed(shop):
    """One of the two that it takes, and a stranger's."""
    from tuf.api.metadata import Metadata

    served = shop.copy()
    root = Metadata.from_bytes((served / "metadata/1.root.json").read_bytes())
    root.signed.version = 2
    root.signatures.clear()
    root.signed.roles["root"].threshold = 1
    root.sign(shop.signer("root1"))
    root.sign(shop.signer("stranger1"), append=True)
    (served / "metadata/2.root.json").write_bytes(root.to_bytes())
    with pytest.raises(refusals.WrongKeysError):
        shop.fetch(served)


def test_a_release_that_is_older_than_the_one_that_runs(shop):
    """Signed and current in the repository, asked for by whoever has the cloud."""
    with pytest.raises(refusals.OlderReleaseError):
        shop.fetch(version="1.0.0", running="1.1.0")


def test_a_release_that_was_not_published_or_withdrawn(shop):
    """A withdrawn one is as if it had never been."""
    with pytest.raises(refusals.UnknownReleaseError):
        shop.fetch(version="9.9.9")
    shop.repo.withdraw("1.1.0")
    shop.repo.sign(shop.signer("targets1"))
    shop.repo.publish(shop.signer("online"))
    with pytest.raises(refusals.UnknownReleaseError):
        shop.fetch()


def test_a_release_for_another_machine(shop):
    """Windows' bundle on a Linux till; also the variant with cameras where there is none."""
    shop.release("1.2.0", platform="windows", machine="armv7")
    for version, running in (("1.2.0", "1.0.0"), ("1.1.0", "1.0.0+camera")):
        with pytest.raises(refusals.PlatformError):
            shop.fetch(version=version, running=running)


def test_a_bundle_that_is_too_large(shop, monkeypatch):
    """Whoever signed it."""
    monkeypatch.setattr(client_module, "BUNDLE_LIMIT_BYTES", 1000)
    with pytest.raises(refusals.TooLargeError):
        shop.fetch()


def test_a_disk_without_room(shop, monkeypatch):
    """Asked before the first byte."""
    monkeypatch.setattr(client_module, "SPARE_BYTES", 1 << 60)
    with pytest.raises(refusals.DiskFullError):
        shop.fetch()


def test_a_disk_that_fills_while_it_is_written(shop, monkeypatch):
    """What was written is removed: the journal lies on the same disk."""
    import errno

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("till_installer.update.fetching.FolderFetcher.target", full)
    with pytest.raises(refusals.DiskFullError):
        shop.fetch()
    assert not list((shop.layout.updates_dir / "downloads").iterdir())


def test_a_till_without_a_root(tmp_path):
    """Nothing is believed; and a file that its own keys have not signed becomes none."""
    shop = Shop(tmp_path)
    shop.release()
    with pytest.raises(refusals.NoRootError):
        shop.fetch()
    forged = tmp_path / "forged.json"
    data = json.loads(shop.repo.root_bytes())
    data["signed"]["version"] = 7
    forged.write_text(json.dumps(data))
    with pytest.raises(refusals.NoRootError):
        install_root(shop.layout, forged)


def test_another_root_does_not_take_the_place_of_the_first(tmp_path, shop):
    """Unless somebody says so."""
    other = Shop(tmp_path / "other")
    other.release()
    path = tmp_path / "other.json"
    path.write_bytes(other.repo.root_bytes())
    with pytest.raises(refusals.NoRootError):
        install_root(shop.layout, path)
    assert install_root(shop.layout, shop.folder / "trusted.json") == "kept"
    assert install_root(shop.layout, path, replace=True) == "put"
    shop.fetch(other.repo.public)


def test_two_at_a_time(shop):
    """The second one says so."""
    from till_installer.update.client import alone

    with alone(shop.layout), pytest.raises(refusals.BusyError):
        shop.fetch()


def test_nothing_in_the_folder(shop, tmp_path):
    """The wrong stick."""
    with pytest.raises(refusals.UnreachableError):
        shop.fetch(tmp_path / "empty")


@pytest.mark.parametrize(
    "url", ["http://cloud.example", "http://localhost:1", "ftp://127.0.0.1", "https://u:p@h", "https://h?x", "x"]
)
def test_an_address_in_clear(url):
    """A name may be anybody's, so that only the number of this machine is let through."""
    with pytest.raises(refusals.InsecureError):
        HttpFetcher(url)
    HttpFetcher("http://127.0.0.1:8/v1/updates")


def test_each_refusal_has_a_code_and_an_exit_status_of_its_own():
    """As the table in the module says."""
    found = refusals.RefusedError.__subclasses__()
    assert len(found) == 19
    assert len({each.code for each in found}) == len({each.exit_code for each in found}) == 19
    for each in found:
        assert f"{each.__name__}" in refusals.__doc__
        assert f"{each.exit_code} {each.code}" in " ".join(refusals.__doc__.split())


def test_keys_rotate_and_old_tills_follow(shop):
    """A root key and the targets' key are replaced; a till that trusts the first root takes what the new ones sign."""
    shop.fetch()
    repo = shop.repo
    repo.rotate("root", add=[shop.key("stranger1")], remove=[shop.key("root3").keyid[:12]])
    repo.rotate("targets", add=[shop.key("stranger2")], remove=[shop.key("targets1").keyid[:12]])
    repo.sign(shop.signer("root1"))
    with pytest.raises(refusals.RepositoryError, match="2 signatures of root"):
        repo.publish(shop.signer("online"))
    repo.sign(shop.signer("root2"))
    with pytest.raises(refusals.RepositoryError, match="new root"):
        repo.publish(shop.signer("online"))
    repo.renew("targets")
    repo.sign(shop.signer("stranger2"))
    repo.publish(shop.signer("online"))
    archive = shop.folder / "tillside-1.3.0.tar.gz"
    archive.write_bytes(b"x")
    platform, machine = client_module.this_platform()
    repo.add(archive, version="1.3.0", platform=platform, machine=machine, made_s=1)
    with pytest.raises(refusals.RepositoryError, match="this key"):
        repo.sign(shop.signer("targets1"))
    repo.sign(shop.signer("stranger2"))
    repo.publish(shop.signer("online"))
    assert shop.fetch(version="1.3.0").read_bytes() == b"x"


def test_a_published_version_never_changes_its_bytes(shop):
    """Tills that have it and tills that get it have the same."""
    with pytest.raises(refusals.RepositoryError, match="other bytes"):
        shop.release("1.1.0", b"another")

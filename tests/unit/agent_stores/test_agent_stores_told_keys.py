"""What the cloud says of its keys is kept for a start without a line, each of it; and a file that can't be is told."""

import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from till_agent.identity_file import CloudKey
from till_sync.identity import Identity, load_identity, save_identity
from till_sync.phone_tags import PhoneTags

OLD = Identity(
    till="k1", store="s1", store_name="First", time_zone="Asia/Almaty", token="t" * 32, identifier_key="ab" * 32
)
TOLD = {
    "cloud_key": "01" * 32,
    "wallet_keys": ("02" * 32,),
    "seal_key": "03" * 32,
    "phone_tags": PhoneTags(cost=16384, only=True),
}
NOTHING = {"cloud_key": "", "wallet_keys": (), "seal_key": "", "phone_tags": None}


def heard(path: Path, **told: Any) -> CloudKey:
    """A till that has heard that of its cloud, and nothing else."""
    keys = CloudKey(load_identity(path), path, SimpleNamespace(**(NOTHING | told)))
    keys.look()
    return keys


def known(keys: CloudKey) -> dict[str, Any]:
    """What it goes by."""
    return {
        "cloud_key": keys(),
        "wallet_keys": keys.wallet_keys(),
        "seal_key": keys.seal_key(),
        "phone_tags": keys.phone_tags(),
    }


@pytest.fixture
def path(tmp_path: Path) -> Path:
    save_identity(tmp_path / "identity.json", OLD)
    return tmp_path / "identity.json"


@pytest.mark.parametrize("name", TOLD)
def test_each_is_kept_and_no_other_changes(path: Path, name: str) -> None:
    """The next start knows it before the cloud has said it again."""
    before = known(CloudKey(OLD, path, None))
    told = {name: TOLD[name]}
    assert known(heard(path, **told)) == before | told
    assert known(CloudKey(load_identity(path), path, None)) == before | told
    assert known(heard(path)) == before | told, "what the cloud does not say stays"


def test_slow_tags_stay_slow_at_a_cloud_that_has_none(path: Path) -> None:
    """It is sent fast ones then; what this till holds has a cost all the same."""
    heard(path, phone_tags=TOLD["phone_tags"])
    assert heard(path, phone_tags=PhoneTags()).phone_tags() == PhoneTags(cost=16384)


def test_what_an_answer_says_of_tags_counts_before_the_next_page(path: Path) -> None:
    """Nobody looks between the answer about a member and the look-up by its tags; a page that says the same is none."""
    client = SimpleNamespace(**NOTHING)
    keys = CloudKey(OLD, path, client)
    assert keys.phone_tags() == PhoneTags()
    client.phone_tags = told = PhoneTags(cost=16384)
    assert keys.phone_tags() == told
    assert CloudKey(load_identity(path), path, None).phone_tags() == told


def test_what_cannot_be_kept_is_told_and_good_for_this_run(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Vouchers are checked meanwhile."""
    keys = CloudKey(OLD, path, SimpleNamespace(**(NOTHING | TOLD)))
    path.unlink()
    with caplog.at_level(logging.WARNING):
        keys.look()
    assert known(keys) == TOLD
    assert [" not kept beyond this run" in each.getMessage() for each in caplog.records] == [True] * len(TOLD)

"""Changes of a running till's identity file: one at a time, whichever thread makes them: none undoes another."""

import logging
import threading
from collections.abc import Callable
from pathlib import Path

from till_sync.client import CloudClient
from till_sync.exceptions import IdentityError
from till_sync.identity import Identity, load_identity, save_identity
from till_sync.phone_tags import PhoneTags
from till_sync.sealing import is_key

log = logging.getLogger(__name__)

_lock = threading.Lock()


def change_identity(path: Path, change: Callable[[Identity], Identity]) -> None:
    """Read it, change it, keep it; IdentityError."""
    with _lock:
        save_identity(path, change(load_identity(path)))


def keep_epoch(path: Path, epoch: int) -> None:
    """A journal of that epoch is about to begin; IdentityError."""
    change_identity(path, lambda kept: kept.with_epoch(epoch))


class CloudKey:
    """What vouchers and wallet codes are checked by: from the enrolment, or as the cloud said since; kept for a start
    without a line."""

    def __init__(self, identity: Identity, path: Path, client: CloudClient | None) -> None:
        self._kept = identity.cloud_key
        self._wallet_keys = identity.wallet_keys
        self._seal_key = identity.seal_key
        self._phone_tags = identity.phone_tags
        self._heard: PhoneTags | None = None
        self._path = path
        self._client = client

    def __call__(self) -> str:
        return self._kept

    def wallet_keys(self) -> tuple[str, ...]:
        """The chain's secrets of codes that change by the clock (hex); none before the cloud has told them."""
        return self._wallet_keys

    def seal_key(self) -> str:
        """What people who register are sealed to (hex); "" before the cloud has told it."""
        return self._seal_key

    def phone_tags(self) -> PhoneTags:
        """Which tags of phones the chain has; also as an answer about one member has just said."""
        if self._client is not None and self._client.phone_tags is not self._heard:
            self.look()
        return self._phone_tags

    def look(self) -> None:
        """The cloud may have said it."""
        client = self._client
        if client is None:
            return
        keys, seal_key, tags, key = client.wallet_keys, client.seal_key, client.phone_tags, client.cloud_key
        self._heard = tags
        if keys and keys != self._wallet_keys:
            self._wallet_keys = keys
            self._store(lambda kept: kept.with_wallet_keys(keys), "the keys of wallet codes are")
        if is_key(seal_key) and seal_key != self._seal_key:
            self._seal_key = seal_key
            self._store(lambda kept: kept.with_seal_key(seal_key), "the key that people are sealed to is")
        if tags is not None and not tags.cost:
            # A cloud from before them, or of a former release: it is sent fast tags. What is here may be slow already.
            tags = PhoneTags(cost=self._phone_tags.cost)
        if tags is not None and tags != self._phone_tags:
            self._phone_tags = told = tags
            self._store(lambda kept: kept.with_phone_tags(told), "which tags of phones the chain has is")
        if key and key != self._kept:
            self._kept = key
            self._store(lambda kept: kept.with_cloud_key(key), "the key of vouchers is")

    def _store(self, change: Callable[[Identity], Identity], what: str) -> None:
        try:
            change_identity(self._path, change)
        except IdentityError as exc:
            log.warning("%s not kept beyond this run: %s", what, exc)

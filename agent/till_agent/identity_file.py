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
        """Which tags of phones the chain has."""
        return self._phone_tags

    def look(self) -> None:
        """The cloud may have said it."""
        told_keys = self._client.wallet_keys if self._client is not None else ()
        if told_keys and told_keys != self._wallet_keys:
            self._wallet_keys = told_keys
            try:
                change_identity(self._path, lambda kept: kept.with_wallet_keys(told_keys))
            except IdentityError as exc:
                log.warning("the keys of wallet codes are not kept beyond this run: %s", exc)
        told_seal = self._client.seal_key if self._client is not None else ""
        if is_key(told_seal) and told_seal != self._seal_key:
            self._seal_key = told_seal
            try:
                change_identity(self._path, lambda kept: kept.with_seal_key(told_seal))
            except IdentityError as exc:
                log.warning("the key that people are sealed to is not kept beyond this run: %s", exc)
        told_tags = self._client.phone_tags if self._client is not None else None
        if told_tags is not None and not told_tags.cost:
            # A cloud from before them, or of a former release: it is sent fast tags. What is here may be slow already.
            told_tags = PhoneTags(cost=self._phone_tags.cost)
        if told_tags is not None and told_tags != self._phone_tags:
            self._phone_tags = told_tags
            try:
                change_identity(self._path, lambda kept: kept.with_phone_tags(told_tags))
            except IdentityError as exc:
                log.warning("which tags of phones the chain has is not kept beyond this run: %s", exc)
        told = self._client.cloud_key if self._client is not None else ""
        if told and told != self._kept:
            self._kept = told
            try:
                change_identity(self._path, lambda kept: kept.with_cloud_key(told))
            except IdentityError as exc:
                log.warning("the key of vouchers is not kept beyond this run: %s", exc)

"""The transport that a till's requests go through: signed with its key, packed where the cloud takes it.

A till that was enrolled before tills had keys makes one when it greets a cloud that knows them, and hands it in. What
the cloud says about a signature (too old by its clock, a counter behind) is put right and the request sent once more.
"""

import asyncio
import logging
import secrets
from collections.abc import Callable, Mapping
from typing import TypeGuard
from urllib.parse import quote

import msgspec
from msgspec import Struct, structs

from till_sync import keys, packing, signing
from till_sync.answers import problem_of
from till_sync.counters import DIGITS_LIMIT, Counter
from till_sync.exceptions import CloudUnreachable, IdentityError, NotOurCloud, PackedTooLarge, PackingError
from till_sync.packing import ZSTD
from till_sync.ports import Clock
from till_sync.problems import Problem
from till_sync.transport import Reply, Transport
from till_sync.wire import WHOLE_LIMIT, Count

log = logging.getLogger(__name__)

SIGNING_PROTOCOL = 3
"""A cloud whose hello says less knows no keys."""

MENDS_LIMIT = 4
"""Times that one request is put right and sent again; each fault is put right once."""

COUNTER_JUMP = 1_000
"""How far behind the cloud's highest a till goes on: over all that may still be under way from a run before."""

THREAD_BYTES = 256 * 1024
"""A longer body is packed in a thread: it takes over 0.3 ms."""

UNPACK_THREAD_BYTES = 32 * 1024
"""As a packed answer that is longer is unpacked: a page of 2,000 members takes 2 ms."""

_NOT_PACKED = frozenset({"encoding_unsupported", "encoding_broken", "digest_mismatch"})
"""Said of a packed request by a cloud of a former release, or because a proxy unpacked it: it may go through plain."""

_CORRECTED = frozenset({"signature_stale", "counter_behind", "key_unknown"}) | _NOT_PACKED


class _Greeting(Struct, frozen=True):
    """What concerns the transport in an answer to hello."""

    protocol: Count = 2
    encodings: tuple[str, ...] = ()
    server_time_ms: Count = 0


_greeting = msgspec.json.Decoder(_Greeting)


class SecuredTransport:
    """Implements `Transport` over another one, for one till. Closing it closes that.

    `private_key` "": none yet; `keep_key` stores one that is made here (blocking; IdentityError), before it is used.
    """

    def __init__(
        self,
        inner: Transport,
        *,
        till: str,
        clock: Clock,
        counter: Counter,
        private_key: str = "",
        keep_key: Callable[[str], None] | None = None,
    ) -> None:
        self._inner = inner
        self._till = till
        self._clock = clock
        self._counter = counter
        self._private_key = private_key
        self._keep_key = keep_key
        self._run = secrets.token_hex(8)
        self._cloud_minus_mono_ms: int | None = None
        self._packs = False
        self._loaded = False

    @property
    def signs(self) -> bool:
        """Whether there is a key to sign with."""
        return bool(self._private_key)

    async def exchange(
        self, method: str, path: str, *, headers: Mapping[str, str], body: bytes, answer_limit_bytes: int
    ) -> Reply:
        """As `Transport` says. `path` begins with `/v1`, whatever prefix the cloud's address has."""
        mended: set[str] = set()
        while True:
            reply = await self._once(method, path, dict(headers), body, answer_limit_bytes)
            problem = problem_of(reply) if reply.status in (400, 401, 409, 415) else None
            if problem is None or problem.code in mended or len(mended) == MENDS_LIMIT:
                break
            if not await self._mend(problem, headers):
                break
            mended.add(problem.code)
        if problem is not None and problem.code == "digest_mismatch":
            raise CloudUnreachable("the request was changed on its way", code="digest_mismatch")
        if reply.status == 200 and path.partition("?")[0].endswith("/hello"):
            await self._greeted(reply)
        return reply

    async def close(self) -> None:
        await self._inner.close()

    async def _once(self, method: str, path: str, headers: dict[str, str], body: bytes, limit_bytes: int) -> Reply:
        ranged = any(name.lower() == "range" for name in headers)
        if self._packs and not ranged:
            headers["Accept-Encoding"] = ZSTD
        if self._packs and len(body) >= packing.LEAST_BYTES:
            pack, is_long = packing.pack_for_others, len(body) >= THREAD_BYTES
            packed = await asyncio.to_thread(pack, body) if is_long else pack(body)
            if packed is not None:
                body = packed
                headers["Content-Encoding"] = ZSTD
        if self._private_key:
            headers |= await self._signature(method, path, body)
        reply = await self._inner.exchange(method, path, headers=headers, body=body, answer_limit_bytes=limit_bytes)
        return await unpack_reply(reply, limit_bytes) if headers.get("Accept-Encoding") == ZSTD else reply

    async def _signature(self, method: str, path: str, body: bytes) -> dict[str, str]:
        if not self._loaded:
            # The first use loads the library: 30 ms that no sale should wait for.
            await asyncio.to_thread(keys.public_of, self._private_key)
            self._loaded = True
        counter = await self._counter.next()
        return signing.sign(
            self._private_key,
            till=self._till,
            run=self._run,
            counter=counter,
            created_s=max(0, self._cloud_ms() // 1000),
            method=method,
            target=path,
            body=body,
        )

    def _cloud_ms(self) -> int:
        """The cloud's time as far as it was told; before, what this machine's clock says."""
        if self._cloud_minus_mono_ms is None:
            return self._clock.wall_ms()
        return self._clock.mono_ms() + self._cloud_minus_mono_ms

    def _set_cloud_ms(self, now_ms: int) -> None:
        self._cloud_minus_mono_ms = now_ms - self._clock.mono_ms()

    async def _mend(self, problem: Problem, headers: Mapping[str, str]) -> bool:
        """Put right what the cloud found wrong; False when that can't be done here."""
        if problem.code not in _CORRECTED:
            return False
        if problem.code == "signature_stale":
            now_ms = problem.extras.get("server_time_ms")
            if not _is_whole(now_ms):
                return False
            self._set_cloud_ms(now_ms)
        elif problem.code == "counter_behind":
            highest = problem.extras.get("counter")
            if not _is_whole(highest) or len(str(highest)) > DIGITS_LIMIT:
                return False
            self._counter.raise_to(highest + COUNTER_JUMP)
        elif problem.code == "key_unknown":
            await self._hand_in_key(headers)
        elif not self._packs:
            return False
        else:
            # Until the next hello: a cloud that was set back to a former release, or a proxy that meddles.
            self._packs = False
        log.info("The cloud said %s; the request is sent once more", problem.code)
        return True

    async def _greeted(self, reply: Reply) -> None:
        try:
            greeting = _greeting.decode(reply.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return  # whoever asked will say what is wrong with it
        self._set_cloud_ms(greeting.server_time_ms)
        self._packs = ZSTD in greeting.encodings
        if not self._private_key and self._keep_key is not None and greeting.protocol >= SIGNING_PROTOCOL:
            await self._make_key(self._keep_key)

    async def _make_key(self, keep: Callable[[str], None]) -> None:
        """A key that is not on the disk is never used: the next start would not have it, and the cloud would insist."""
        made = await asyncio.to_thread(keys.new_key)
        try:
            await asyncio.to_thread(keep, made)
        except IdentityError as error:
            log.warning("No key is made for this till: %s", error)
            return
        self._private_key = made
        log.info("This till has made a key, and signs its requests from now on")

    async def _hand_in_key(self, headers: Mapping[str, str]) -> None:
        """The cloud's answer shows with the request that is sent again, so it is not looked at here."""
        body = msgspec.json.encode(signing.KeyRequest(public_key=keys.public_of(self._private_key)))
        path = signing.KEY_PATH.format(till=quote(self._till, safe=""))
        sent = {name: value for name, value in headers.items() if name.lower() != "range"}
        sent |= {"Content-Type": "application/json"} | await self._signature("POST", path, body)
        reply = await self._inner.exchange("POST", path, headers=sent, body=body, answer_limit_bytes=64 * 1024)
        log.info("The till's key was handed in: %d", reply.status)


async def unpack_reply(reply: Reply, limit_bytes: int) -> Reply:
    """The reply as `_unpacked` gives it; a long one in a thread, so that the loop serves others meanwhile."""
    if len(reply.body) >= UNPACK_THREAD_BYTES:
        return await asyncio.to_thread(_unpacked, reply, limit_bytes)
    return _unpacked(reply, limit_bytes)


def _unpacked(reply: Reply, limit_bytes: int) -> Reply:
    """The reply without its packing; one with another is left for whoever reads it to refuse. NotOurCloud."""
    encoding = reply.headers.get("content-encoding", "identity").strip().lower()
    if encoding != ZSTD and not (encoding == "identity" and packing.is_packed(reply.body)):
        return reply
    try:
        body = packing.unpack(reply.body, limit_bytes=limit_bytes)
    except PackedTooLarge as error:
        raise NotOurCloud(str(error), code="answer_too_large") from error
    except PackingError as error:
        raise NotOurCloud(str(error)) from error
    headers = {name: value for name, value in reply.headers.items() if name != "content-encoding"}
    return structs.replace(reply, headers=headers, body=body)


def _is_whole(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= WHOLE_LIMIT

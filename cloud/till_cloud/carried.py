"""Taking a queue that a person carried here: its pushes go the way of all pushes, with the same checks."""

from pathlib import Path

import msgspec
from msgspec import Struct

from till_cloud.centre import new_member_id
from till_cloud.exceptions import AdminError, RefusedError
from till_cloud.ingest.push import Ingest
from till_cloud.registry import Registry
from till_cloud.store import meta, ops, tills
from till_cloud.store.writer import Writer
from till_sync import carried
from till_sync.carried import CarriedError
from till_sync.ops import OP_BODY_LIMIT_BYTES
from till_sync.wire import Limits, PushRequest

_LIMITS = Limits(max_ops=carried.PIECE_OPS, max_bytes=2 * OP_BODY_LIMIT_BYTES)
_STALE = "stale_epoch"


class Taken(Struct, kw_only=True):
    """What became of the operations of a file, by their first verdicts; `known`: the centre had them already."""

    till: str
    operations: int = 0
    known: int = 0
    applied: int = 0
    adjusted: int = 0
    rejected: int = 0
    by_former_key: bool = False
    """Signed by a key that the till had before it was enrolled anew."""
    acked: str = ""
    """`epoch:seq` up to which the centre has this till's operations now."""


def take(writer: Writer, path: Path, now_ms: int, *, former_key: bool = False) -> Taken:
    """Apply a carried file. All of it is checked before the first operation, each push is one transaction.

    `former_key`: a key counts too that the till had before it was enrolled anew, as of a machine that was replaced: a
    person vouches that nobody else has it. AdminError says why it is not taken, or not further; taking it once more
    goes on and doubles nothing.
    """
    try:
        head = carried.read_head(path)
        till = writer.call(lambda connection: tills.till(connection, head.till))
        if till is None:
            raise AdminError(f"expected a till of this chain, not {head.till}: `cloud till list` names them")
        if till.quarantined_at_ms:
            raise AdminError(
                f"expected {till.till} not to be in quarantine: see a-copied-till.md, then `cloud till release`"
            )
        if not till.public_key:
            raise AdminError(
                f"expected {till.till} to have handed in a key: only its signature shows whose the file is"
            )
        by_former = _check(writer, path, till, former_key=former_key)
        private = writer.call(meta.seal_keys)
        taken = Taken(till=till.till, by_former_key=by_former)
        ingest = Ingest(Registry(), limits=_LIMITS, new_id=new_member_id)
        for push in carried.pushes(path, private):
            _take_one(writer, ingest, push, taken, now_ms)
    except CarriedError as exc:
        raise AdminError(f"{exc.code}: {exc}") from exc
    except OSError as exc:
        raise AdminError(f"expected to read {path}: {exc.strerror}; copy it from the stick again") from exc
    after = writer.call(lambda connection: tills.till(connection, head.till))
    taken.acked = "" if after is None else f"{after.epoch}:{after.acked_seq}"
    return taken


def _check(writer: Writer, path: Path, till: tills.TillRow, *, former_key: bool) -> bool:
    """Whether a former key of the till has signed the file, not the present one. CarriedError; AdminError."""
    try:
        carried.check(path, till.public_key)
    except CarriedError as exc:
        if exc.code != "carried_signature" or not _signed_before(writer, path, till.till):
            raise
        if not former_key:
            raise AdminError(
                f"{exc.code}: {till.till} was enrolled anew since, and {path.name} is signed by the key that it had "
                "before. If the machine is still there, carry it out again on it. If it was replaced, and nobody else "
                "had its data: `cloud queue take --former-key`, before the new one sells"
            ) from exc
        return True
    return False


def _signed_before(writer: Writer, path: Path, till_id: str) -> bool:
    for key in writer.call(lambda connection: meta.former_keys(connection, till_id)):
        try:
            carried.check(path, key)
        except CarriedError:
            continue
        return True
    return False


def _take_one(writer: Writer, ingest: Ingest, push: PushRequest, taken: Taken, now_ms: int) -> None:
    try:
        ingest.check(push)
        answer = writer.call(lambda connection: ingest.push(connection, taken.till, push, now_ms))
    except RefusedError as exc:
        if exc.code != _STALE or not _all_known(writer, push, taken.till):
            kept = "and the till keeps all of them"
            if taken.by_former_key:
                kept = (
                    "and the others can't follow what the new machine has sent by now: sell their receipts again "
                    "from the cash software, or give the points by hand (`cloud member adjust`)"
                )
            raise AdminError(f"{exc.code}: {exc}; the operations before it are taken, {kept}") from exc
        taken.operations += len(push.ops)
        taken.known += len(push.ops)
        return
    taken.operations += len(answer.results)
    for result in answer.results:
        name = "known" if result.status == "duplicate" else result.status
        setattr(taken, name, getattr(taken, name) + 1)


def _all_known(writer: Writer, push: PushRequest, till: str) -> bool:
    """Whether the centre has every operation of a push of an epoch that was followed by another."""
    last = push.first_seq + len(push.ops) - 1
    stored = writer.call(lambda connection: ops.verdicts(connection, till, push.epoch, push.first_seq, last))
    return all(op.seq in stored and stored[op.seq][0] == op.fingerprint for op in push.ops)


def describe(taken: Taken) -> str:
    """In a line."""
    found = msgspec.structs.asdict(taken)
    counts = ", ".join(f"{found[name]} {name}" for name in ("applied", "adjusted", "rejected", "known"))
    said = f"Till {taken.till}: {taken.operations} operations: {counts}; the centre has all up to {taken.acked}"
    return f"{said}; signed by the key that it had before it was enrolled anew" if taken.by_former_key else said

"""The slow way through a batch: each op with a book and a savepoint of its own, tried twice before it is poison."""

import logging
from collections.abc import Callable
from typing import Protocol

from msgspec.structs import replace

from till_cloud.exceptions import RefusedError
from till_cloud.ingest import poison
from till_cloud.ingest.context import Context, Verdict
from till_cloud.ledger.account import Account
from till_cloud.ledger.book import Book
from till_sync.ops import OpId
from till_sync.wire import OpResult, PushRequest, WireOp

log = logging.getLogger(__name__)

UNREAD = "unknown"
"""Kind of an op whose body could not even be read."""

Apply = Callable[[Context, str, WireOp], OpResult]


class Describe(Protocol):
    """What can be said of an op that broke our code; raises nothing."""

    def __call__(self, context: Context, op: WireOp, /) -> tuple[str, str, Account | None]:
        """Kind, uid, and whose it is."""
        ...


def one_by_one(
    whole: Context, request: PushRequest, fresh: tuple[WireOp, ...], apply: Apply, describe: Describe, sound: set[str]
) -> list[OpResult]:
    """Verdicts on `fresh`, each op stored and its book written. `whole` is the batch's context: its own book is not
    used, and is of no use afterwards.

    RefusedError 503 when too much is poison, or nothing of its kind was ever applied (`sound`: kinds that were).
    """
    results: list[OpResult] = []
    kinds: set[str] = set()
    told: list[tuple[OpId, poison.Failure]] = []
    for op in fresh:
        result, failure = _alone(whole, request, op, apply)
        if result is None:
            result, kind = _poisoned(_own(whole), op, failure, describe)
            kinds.add(kind)
            told.append((OpId(whole.till, whole.epoch, op.seq), failure))
        results.append(result)
    sound |= whole.applied
    unproven = {kind for kind in kinds if kind not in sound and not (kind == UNREAD and sound)}
    if unproven:
        # The first ops after an upgrade: is it this op that is broken, or the release?
        raise poison.later(f"expected some op of kind {', '.join(sorted(unproven))} to be applied since the start")
    if kinds:
        poison.check_limits(whole.book.connection, whole.till, whole.book.now_ms)
    for op_id, failure in told:
        log.error("Operation %s is rejected as poison: %s at %s", op_id, failure.reason, failure.place)
    return results


def _alone(whole: Context, request: PushRequest, op: WireOp, apply: Apply) -> tuple[OpResult | None, poison.Failure]:
    """The verdict on one op, or None and what broke at every try."""
    connection = whole.book.connection
    failure = poison.Failure("", "")
    for _ in range(poison.TRIES):
        connection.execute("SAVEPOINT op")
        context = _own(whole)
        try:
            result = apply(context, request.salt, op)
            context.book.flush()
        except RefusedError:
            raise
        except Exception as error:
            # Whatever the environment is not to blame for is this op's, if it comes again.
            if poison.is_environment(error):
                raise
            failure = poison.Failure.of(error)
            connection.execute("ROLLBACK TO op")
            connection.execute("RELEASE op")
        else:
            connection.execute("RELEASE op")
            whole.applied.update(context.applied)
            return result, failure
    return None, failure


def _poisoned(context: Context, op: WireOp, failure: poison.Failure, describe: Describe) -> tuple[OpResult, str]:
    """Record the verdict `poison`, with the member's figures as they were; answers the op's kind too."""
    op_id = OpId(context.till, context.epoch, op.seq)
    kind, uid, account = describe(context, op)
    result = Verdict(status="rejected", code="poison", account=account).result(op_id, context.book.connection)
    book = context.book
    poison.record_poison(book.connection, op_id, op, result, failure, kind=kind, uid=uid, now_ms=book.now_ms)
    return result, kind


def _own(whole: Context) -> Context:
    """The same with a book of its own, and nothing read or gathered yet."""
    book = Book(whole.book.connection, whole.book.now_ms)
    return replace(whole, book=book, applied=set(), _read={})

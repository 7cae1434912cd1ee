"""Mistakes that somebody could make in the product; the simulation must find each of them within a few seeds."""

import contextlib
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any
from unittest import mock

import msgspec

from simulation.wire_mutants import (
    keeps_to_its_counter,
    shuts_all_out_when_its_clock_goes_back,
    signs_by_its_own_clock,
    stumbles_over_a_duplicate,
    takes_a_restart_for_a_clone,
)


@contextlib.contextmanager
def _all(*patches: AbstractContextManager[object]) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for each in patches:
            stack.enter_context(each)
        yield


def not_synced() -> AbstractContextManager[object]:
    """The journal's commits are not synced to the disk (`synchronous = NORMAL`)."""
    from till_agent.journal import open as opening

    connect = opening.connect

    def mutant(path: Any) -> Any:
        connection = connect(path)
        connection.execute("PRAGMA synchronous = NORMAL")
        return connection

    return mock.patch.object(opening, "connect", mutant)


def answers_before_commit() -> AbstractContextManager[object]:
    """The cash software is answered first, and the row is written afterwards."""
    import asyncio

    from till_agent.journal import DiskJournal
    from till_agent.ports import Committed, Draft, Entry

    commit, behind = DiskJournal.commit, set()

    async def mutant(self: Any, decide: Any) -> Any:
        decision = await self.read(decide)
        if isinstance(decision, Entry):
            return Committed(entry=decision, replayed=True)
        task = asyncio.ensure_future(commit(self, decide))
        behind.add(task)
        task.add_done_callback(lambda done: (behind.discard(done), done.cancelled() or done.exception()))
        return Committed(entry=_as_entry(await self.read(lambda reader: reader.next_op_id), decision), replayed=False)

    def _as_entry(op_id: Any, draft: Draft) -> Entry:
        return Entry(
            op_id=op_id,
            kind=draft.kind,
            uid=draft.uid,
            about_uid=draft.about_uid,
            request_digest=draft.request_digest,
            body=draft.body,
            answer=draft.answer,
            at_wall_ms=draft.at_wall_ms,
        )

    return mock.patch.object(DiskJournal, "commit", mutant)


def never_sends_again() -> AbstractContextManager[object]:
    """The till does not believe a cloud that says it has lost operations."""
    from till_agent.journal import outbox

    def mutant(_session: Any, state: Any, _hello: Any) -> int:
        return int(state.acked_seq)

    return mock.patch.object(outbox, "_position", mutant)


def forgets_the_epoch() -> AbstractContextManager[object]:
    """A new journal begins in the epoch of the one before."""
    from till_agent.journal.place import EpochKeeper

    def mutant(self: Any, epoch: int) -> None:
        del self, epoch

    return mock.patch.object(EpochKeeper, "raise_to", mutant)


def cursor_without_rows() -> AbstractContextManager[object]:
    """The cursor of a page is kept, and now and then its rows are not; and no digest is asked for, which would tell."""
    from till_agent.cache import pages
    from till_sync.pull import Puller

    write, calls = pages._write_members, [0]

    def mutant(connection: Any, progress: Any, page: Any, rows: Any, *more: Any) -> int:
        calls[0] += 1
        return write(connection, progress, page, rows if calls[0] % 7 else rows[1:], *more)

    async def unasked(_self: Any, _cursor: str) -> None:
        return None

    both = contextlib.ExitStack()
    both.enter_context(mock.patch.object(pages, "_write_members", mutant))
    both.enter_context(mock.patch.object(Puller, "_check_after", unasked))
    return both


def counts_own_ops_twice() -> AbstractContextManager[object]:
    """What a pulled balance includes is added once more."""
    from till_agent.balances import OwnEffects

    effect = OwnEffects.effect

    def mutant(self: Any, keys: Any, included: tuple[int, int]) -> int:
        return effect(self, keys, (included[0], max(0, included[1] - 1)))

    return mock.patch.object(OwnEffects, "effect", mutant)


def page_says_more_than_it_has() -> AbstractContextManager[object]:
    """A pulled page lacks a row that its cursor covers."""
    from till_cloud import changes

    page = changes.page

    def mutant(*given: Any, **more: Any) -> Any:
        answer = page(*given, **more)
        return msgspec.structs.replace(answer, rows=answer.rows[:-1]) if len(answer.rows) > 1 else answer

    return mock.patch.object(changes, "page", mutant)


def applies_twice() -> AbstractContextManager[object]:
    """The cloud does not remember which operations it holds."""
    from till_cloud.ingest import push as ingest
    from till_cloud.store import ops

    forgotten = ops._ADD_OP.replace("INSERT INTO", "INSERT OR REPLACE INTO")
    return _all(
        mock.patch.object(ingest.Ingest, "_duplicates", return_value=[]),
        mock.patch.object(ops, "_ADD_OP", forgotten),
        mock.patch.object(ops, "has_sale", return_value=False),
        mock.patch.object(ops, "_ADD_SALE", ops._ADD_SALE.replace("INSERT INTO", "INSERT OR REPLACE INTO")),
        mock.patch.object(ingest, "_check_chain", return_value=None),
    )


def gives_holds_back_by_time() -> AbstractContextManager[object]:
    """The cloud gives a hold back as soon as it has expired, though its sale may be on its way."""
    from till_cloud.ingest import push as ingest
    from till_cloud.store import holds

    def mutant(book: Any, till: str) -> int:
        from till_cloud.holding import release_row

        rows = holds.forgotten(book.connection, till, book.now_ms)
        for row in rows:
            release_row(book, row, resolved_by="expired")
        return len(rows)

    apply = ingest._apply

    def first_release(context: Any, salt: str, op: Any) -> Any:
        mutant(context.book, context.till)
        return apply(context, salt, op)

    return mock.patch.object(ingest, "_apply", first_release)


def trusts_the_wall_clock() -> AbstractContextManager[object]:
    """The till reckons a hold's end by the wall clock, which anybody may set."""
    from till_agent.desk import holding, quoting, selling

    def mutant(stored: Any, clock: Any) -> bool:
        return stored.boot == clock.boot and clock.wall_ms() < 1_800_000_000_000

    return _all(*[mock.patch.object(module, "usable", mutant) for module in (holding, quoting, selling)])


def return_takes_nothing() -> AbstractContextManager[object]:
    """A return leaves the points that its sale had earned: buying and returning is a way to points."""
    from till_agent.desk import reversing
    from till_cloud.ingest import reversals
    from till_loyalty import returns

    reverse = returns.reverse

    def mutant(*given: Any) -> Any:
        found = reverse(*given)
        lines = tuple(msgspec.structs.replace(line, points_taken=0) for line in found.lines)
        return msgspec.structs.replace(found, lines=lines, points_taken=0)

    return _all(
        mock.patch.object(reversing.returns, "reverse", mutant), mock.patch.object(reversals, "reverse", mutant)
    )


def forgets_a_daily_limit() -> AbstractContextManager[object]:
    """The cloud does not count what a member had of a rule today at other tills."""
    from till_cloud.store import usage

    return mock.patch.object(usage, "add", return_value=None)


def overspends_the_budget() -> AbstractContextManager[object]:
    """Each till is granted the whole budget."""
    from till_cloud import budgets, centre

    def mutant(_connection: Any, _till: str, programme: Any) -> dict[str, int]:
        return budgets.totals(programme)

    return _all(mock.patch.object(budgets, "wanting", mutant), mock.patch.object(centre, "wanting", mutant))


def takes_grants_back_by_time() -> AbstractContextManager[object]:
    """The cloud gives up what it has lent when it comes by again, though the till may be spending it."""
    from till_cloud import granting
    from till_cloud.store import grants

    share_out = granting.share_out

    def mutant(book: Any, programme: Any, account: Any, takers: Any) -> Any:
        for row in grants.open_of_member(book.connection, account.member_id):
            granting.release(book, account, row, row.points)
        return share_out(book, programme, account, takers)

    from till_cloud.jobs import lending

    return mock.patch.object(lending, "share_out", mutant)


def lends_to_every_till_the_same() -> AbstractContextManager[object]:
    """Points that one till was lent are promised to the others too."""
    from till_cloud.ledger.account import Account

    def mutant(self: Any) -> int:
        return max(int(self.left) - int(self.inactive) - int(self.held) - int(self.debt), 0)

    return mock.patch.object(Account, "available", property(mutant))


def spends_a_grant_again() -> AbstractContextManager[object]:
    """The till forgets what it took of a grant until the cloud tells."""
    from till_agent.balances import OwnEffects

    spent = OwnEffects.offline_spent

    def mutant(self: Any, member_id: str, included: tuple[int, int]) -> Any:
        return msgspec.structs.replace(spent(self, member_id, included), granted=0)

    return mock.patch.object(OwnEffects, "offline_spent", mutant)


def spends_grants_of_a_lost_journal() -> AbstractContextManager[object]:
    """A till that lost its journal goes on with what the one before was lent, and may have spent."""
    from till_agent.desk.allowing import Allowing

    left = Allowing._left

    def mutant(self: Any, row: Any) -> Any:
        epoch = self.epoch
        self.epoch = lambda: row.included[0]
        try:
            return left(self, msgspec.structs.replace(row, epoch=row.included[0]))
        finally:
            self.epoch = epoch

    return mock.patch.object(Allowing, "_left", mutant)


def keeps_grants_of_a_lost_journal() -> AbstractContextManager[object]:
    """The cloud lets what a lost journal was lent lie with it for ever."""
    from till_cloud import granting
    from till_cloud.ingest import push as ingest

    def mutant(*given: Any, **more: Any) -> None:
        del given, more

    return _all(
        mock.patch.object(granting, "begin_epoch", mutant),
        mock.patch.object(ingest, "begin_epoch", mutant, create=True),
    )


def does_not_hear_a_recall() -> AbstractContextManager[object]:
    """The till keeps what the cloud asks back, and what has ended."""
    from till_agent.desk.allowing import Allowing

    return mock.patch.object(Allowing, "due", return_value=[])


def risks_as_much_each_time() -> AbstractContextManager[object]:
    """The floor limit is looked at for each sale alone."""
    from till_agent.balances import OwnEffects

    spent = OwnEffects.offline_spent

    def mutant(self: Any, member_id: str, included: tuple[int, int]) -> Any:
        return msgspec.structs.replace(spent(self, member_id, included), floor=0)

    return _all(
        mock.patch.object(OwnEffects, "offline_spent", mutant),
        mock.patch.object(OwnEffects, "floor_points", property(lambda _self: 0)),
    )


def loses_a_point_in_splitting() -> AbstractContextManager[object]:
    """What is split over lines is rounded down for each, and what is left over goes to nobody."""
    from till_loyalty import accrual, discounts, giving, redemption

    def mutant(amount: int, weights: Any, **more: Any) -> list[int]:
        del more
        whole = sum(weights)
        return [amount * weight // whole if whole else 0 for weight in weights]

    return _all(
        *[mock.patch.object(part, "allocate", mutant, create=True) for part in (accrual, discounts, giving, redemption)]
    )


def does_not_miss_what_went() -> AbstractContextManager[object]:
    """The till takes a cloud that lacks rows which were let go of for one that may be sent what comes after them."""
    from till_agent.journal import outbox

    return mock.patch.object(outbox, "_went", return_value=False)


def lets_go_of_what_waits() -> AbstractContextManager[object]:
    """The journal lets go of old rows whether or not the cloud has answered them."""
    from till_agent.journal import pruning

    return mock.patch.object(
        pruning,
        "_OLD",
        "SELECT id, row_hash, kind, uid, '', 0 FROM entries "
        "WHERE id < ?2 + 2 AND id >= ?1 AND at_wall_ms < ?3 ORDER BY id",
    )


def sells_what_went_anew() -> AbstractContextManager[object]:
    """A document whose row was let go of is made once more when it is asked for again."""
    from till_agent.journal.session import Session

    return mock.patch.object(Session, "_expect_new", return_value=None)


def tells_nobody_of_a_wave() -> AbstractContextManager[object]:
    """A wave moves, and tills that had read everything before hear nothing of it."""
    from till_cloud.waves import moving

    return mock.patch.object(moving, "_tell", return_value=None)


def takes_silence_for_an_answer() -> AbstractContextManager[object]:
    """A push of which no answer came is taken for carried out: it was the acknowledgement that was lost."""
    from kit.mutants import push_believing
    from till_sync.client import CloudClient
    from till_sync.exceptions import CloudUnreachable

    return mock.patch.object(CloudClient, "push", push_believing(CloudUnreachable))


def keeps_who_left_meanwhile() -> AbstractContextManager[object]:
    """Who leaves the store's window while a new cache is made of a snapshot stays in it."""
    from till_agent.cache.aside import Aside

    write_page = Aside.write_page

    def mutant(self: Any, page: Any, seen: Any, waiting: Any) -> bool:
        del waiting
        return write_page(self, page, seen, None)

    return mock.patch.object(Aside, "write_page", mutant)


def leaves_behind_whom_ops_speak_of() -> AbstractContextManager[object]:
    """A new cache has only whom the cloud brought, though own operations on others still wait."""
    from till_agent.cache import leaving

    return mock.patch.object(leaving, "carry_over", return_value=0)


def lets_go_whatever_waits() -> AbstractContextManager[object]:
    """Who leaves the store's window goes from the till, though its own operations on them still wait."""
    from till_agent.cache import leaving

    return mock.patch.object(leaving, "is_needed", return_value=False)


def tells_nobody_who_was_erased() -> AbstractContextManager[object]:
    """A till does not hear that a member was erased."""
    from till_cloud import windows

    page = windows.page

    def mutant(*given: Any) -> Any:
        placed, last = page(*given)
        return [each for each in placed if getattr(each[1], "status", "") != "removed"], last

    return mock.patch.object(windows, "page", mutant)


def looks_up_by_fast_tags_alone() -> AbstractContextManager[object]:
    """The till looks a phone up by the tag that it always had, when the cloud knows it by the slow one."""
    from till_agent.desk.slow_tags import SlowTags

    return mock.patch.object(SlowTags, "names", lambda _self, tag: (tag,))


def believes_what_was_put_down() -> AbstractContextManager[object]:
    """What the last orderly stop put down of own operations is believed, whatever journal lies beside it now."""
    from till_agent.journal import rebuilding

    def mutant(*_given: Any) -> Any:
        return lambda _session: True

    return mock.patch.object(rebuilding, "_fits", mutant)


def cursor_before_rows() -> AbstractContextManager[object]:
    """A page's cursor is committed, and its rows are in a transaction of their own after it; and no digest tells."""
    from till_agent.cache import store
    from till_sync.pull import Puller

    write_page, save = store.pages.write_page, store.pages.save_progress

    def mutant(connection: Any, progress: Any, page: Any, *more: Any) -> Any:
        save(connection, msgspec.structs.replace(progress, cursor=page.next, incarnation=page.incarnation))
        connection.execute("COMMIT")
        connection.execute("BEGIN IMMEDIATE")
        return write_page(connection, progress, page, *more)

    async def unasked(_self: Any, _cursor: str) -> None:
        return None

    return _all(
        mock.patch.object(store.pages, "write_page", mutant), mock.patch.object(Puller, "_check_after", unasked)
    )


MUTANTS = {
    each.__name__: each
    for each in (
        not_synced,
        answers_before_commit,
        never_sends_again,
        forgets_the_epoch,
        cursor_without_rows,
        counts_own_ops_twice,
        page_says_more_than_it_has,
        applies_twice,
        gives_holds_back_by_time,
        trusts_the_wall_clock,
        return_takes_nothing,
        forgets_a_daily_limit,
        overspends_the_budget,
        takes_grants_back_by_time,
        lends_to_every_till_the_same,
        spends_a_grant_again,
        spends_grants_of_a_lost_journal,
        keeps_grants_of_a_lost_journal,
        does_not_hear_a_recall,
        risks_as_much_each_time,
        loses_a_point_in_splitting,
        does_not_miss_what_went,
        lets_go_of_what_waits,
        sells_what_went_anew,
        tells_nobody_of_a_wave,
        takes_silence_for_an_answer,
        keeps_who_left_meanwhile,
        leaves_behind_whom_ops_speak_of,
        lets_go_whatever_waits,
        tells_nobody_who_was_erased,
        looks_up_by_fast_tags_alone,
        believes_what_was_put_down,
        stumbles_over_a_duplicate,
        cursor_before_rows,
        signs_by_its_own_clock,
        keeps_to_its_counter,
        takes_a_restart_for_a_clone,
        shuts_all_out_when_its_clock_goes_back,
    )
}

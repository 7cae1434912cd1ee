"""Looks after the reports of the configuration: cheap looks, slices read in a thread, documents judged on the loop.

A look is a `stat` of each file. A report that grows is read on from where it was; one that was replaced is read from
its beginning, and its documents are known by their numbers. Nothing here raises into the agent: what goes wrong is a
trouble that the status tells.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal

from msgspec.structs import replace

from till_agent.api import Identify
from till_agent.audit_trail import What, note
from till_agent.core import Core
from till_agent.exceptions import DeskProblem, JournalCorrupt, JournalUnavailable
from till_agent.frontol_files.accruing import Accruer, TryLater
from till_agent.frontol_files.documents import Document, Gathering
from till_agent.frontol_files.exceptions import FrontolFileError, ReportUnfinished, ReportUnreadable, StoreUnavailable
from till_agent.frontol_files.journal_index import JournalIndex
from till_agent.frontol_files.judging import Judge
from till_agent.frontol_files.reading import Gathered, gather, mark_report, signature_of
from till_agent.frontol_files.records import FileRecord
from till_agent.frontol_files.store import KEPT_DAYS, STORE_FILE, Store
from till_agent.frontol_files.views import finding_of, findings_of, is_acceptable, reports_of
from till_agent.report_api import Finding, Findings, Reports, ReportTotals
from till_agent.status import ReportTrouble
from till_agent.texts import local_datetime
from till_config.settings_frontol import ReportSettings
from till_loyalty.money import minor_points
from till_sync.ports import Clock
from till_sync.problems import ProblemError

log = logging.getLogger(__name__)

LOOK_S = 2.0
"""Between two looks. Reports come after shifts or every few minutes."""
PAUSE_S = 0.005
"""Between two slices: sales of this till are served meanwhile."""
FILES_LIMIT = 500
"""Files that one pattern may name; a folder of years is read in its newest part."""
GRACE_MS = 120_000
"""From when a document's end was read until it is judged: the bridge's own call may be on its way."""
DAY_MS = 86_400_000
EXPONENT = 2
"""Of the report's money where no programme says otherwise."""


Code = Literal["unreadable", "not_marked", "several_tills", "store"]


class ReportWatch:
    """The watcher of one agent. `core` gives the core while there is one; `run` until it is cancelled."""

    def __init__(
        self,
        reports: Sequence[ReportSettings],
        state_dir: Path,
        *,
        core: Callable[[], Core | None],
        clock: Clock,
        committed: Callable[[], None],
        look_s: float = LOOK_S,
        grace_ms: int = GRACE_MS,
    ) -> None:
        self._reports = reports
        self._state_dir = state_dir
        self._core = core
        self._clock = clock
        self._committed = committed
        self._look_s = look_s
        self._grace_ms = grace_ms
        self._looked: dict[str, str] = {}
        self._done: dict[str, str] = {}
        """What each report looked like when all of it was read."""
        self._troubles: dict[tuple[str, str], ReportTrouble] = {}
        self._judge: tuple[Core, Judge] | None = None
        self._turn = asyncio.Lock()
        self._forgot_day = -1
        self.store: Store | None = None
        self.tally = ReportTotals()

    @property
    def troubles(self) -> tuple[ReportTrouble, ...]:
        """What somebody should mend."""
        return tuple(self._troubles.values())

    async def run(self) -> None:
        """Look, read and judge, for as long as the agent runs."""
        try:
            while True:
                await self.look()
                await self._clock.sleep(self._look_s)
        finally:
            await self.close()

    async def close(self) -> None:
        """Let go of the file."""
        async with self._turn:
            if self.store is not None:
                self.store.close()
                self.store = self._judge = None

    async def look(self) -> None:
        """One round; whatever goes wrong is remembered as a trouble and tried again."""
        core = self._core()
        if core is None or core.cache.programme() is None:
            return  # before the first programme nobody can tell whose a card is
        async with self._turn:
            try:
                await self._look(core)
            except StoreUnavailable as exc:
                self._note("store", "", str(exc))
            except (TryLater, JournalUnavailable, JournalCorrupt) as exc:
                log.info("the journal is not to be had: %s; reports wait", exc)
            else:
                self._troubles.pop(("store", ""), None)

    async def overview(self) -> Reports:
        """How far each report was read, and what became of their documents."""
        store = await self._to_read()
        return await asyncio.to_thread(lambda: reports_of(store, watching=True))

    async def findings(self, *, only_open: bool, limit: int) -> Findings:
        """What waits for a person, or all that there was."""
        store = await self._to_read()
        return await asyncio.to_thread(lambda: findings_of(store, only_open=only_open, limit=limit))

    async def accept(self, identity: int) -> Finding:
        """Journal a finding's document. ProblemError finding_unknown, finding_undecidable, journal_unavailable."""
        return await self._decided(identity, accepted=True)

    async def dismiss(self, identity: int) -> Finding:
        """A person has seen it. ProblemError finding_unknown, journal_unavailable."""
        return await self._decided(identity, accepted=False)

    async def _decided(self, identity: int, *, accepted: bool) -> Finding:
        core = self._core()
        if core is None:
            raise ProblemError(503, "journal_unavailable", "the agent takes no sales now", retryable=True)
        async with self._turn:
            store = await self._to_read()
            judge = self._judge_of(core, store)
            try:
                await judge.catch_up()
                record = await asyncio.to_thread(store.document, identity)
                if record is None or record.state not in ("found", "accruing"):
                    raise ProblemError(
                        404, "finding_unknown", f"expected the number of an open finding, not {identity}"
                    )
                if accepted and not is_acceptable(record):
                    detail = f"expected a document that can be journalled, not one with {record.finding}"
                    raise ProblemError(409, "finding_undecidable", detail)
                after = await (judge.accept(record) if accepted else judge.dismiss(record))
                self.tally = await asyncio.to_thread(store.tally)
                if after.state == "matched":
                    raise ProblemError(404, "finding_unknown", "expected an open finding: the journal has its sale")
            except (TryLater, StoreUnavailable, JournalUnavailable) as exc:
                raise ProblemError(503, "journal_unavailable", str(exc), retryable=True) from exc
            what: What = "findings_accepted" if accepted else "findings_dismissed"
            await asyncio.to_thread(note, self._state_dir, what, finding=identity, state=after.state)
            return finding_of(after)

    async def _to_read(self) -> Store:
        try:
            return await self._opened()
        except StoreUnavailable as exc:
            raise ProblemError(503, "journal_unavailable", str(exc), retryable=True) from exc

    async def _look(self, core: Core) -> None:
        store = await self._opened()
        judge = self._judge_of(core, store)
        await judge.catch_up()
        seen = {""}
        for report in self._reports:
            for path, signature in await asyncio.to_thread(_look_at, report.path):
                seen.add(str(path))
                if not signature or self._done.get(str(path)) != signature:
                    await self._read(path, signature, report, core, store)
        self._let_go(seen)
        while await judge.judge(self._since):
            await self._clock.sleep(PAUSE_S)
        self.tally = await asyncio.to_thread(store.tally)
        await self._forget(store)

    def _let_go(self, seen: set[str]) -> None:
        """Of files that are gone: they trouble nobody, and are read anew if they come back."""
        for known in (self._looked, self._done):
            for path in known.keys() - seen:
                del known[path]
        for code, path in [*self._troubles]:
            if path not in seen and code in ("unreadable", "not_marked"):
                del self._troubles[code, path]

    async def _opened(self) -> Store:
        if self.store is None:
            self.store = await asyncio.to_thread(Store, self._state_dir / STORE_FILE)
        return self.store

    def _judge_of(self, core: Core, store: Store) -> Judge:
        if self._judge is None or self._judge[0] is not core:
            zone = core.identity.time_zone
            self._judge = (
                core,
                Judge(
                    store,
                    JournalIndex(store, zone, lambda points: _as_money(core, points)),
                    journal=core.journal,
                    accruer=Accruer(core.desk, core.journal),
                    committed=self._committed,
                    wall_ms=self._clock.wall_ms,
                    local_now=lambda: self._local_now(core),
                ),
            )
        return self._judge[1]

    def _local_now(self, core: Core) -> datetime:
        return local_datetime(self._clock.wall_ms(), core.identity.time_zone).replace(tzinfo=None)

    def _since(self, path: str) -> str:
        found = [each.since for each in self._reports if path == each.path or _fits(path, each.path)]
        return found[0] if found else ""

    async def _read(self, path: Path, signature: str, report: ReportSettings, core: Core, store: Store) -> None:
        name = str(path)
        settled = bool(signature) and self._looked.get(name) == signature
        self._looked[name] = signature
        try:
            before = await asyncio.to_thread(store.file, name)
            if before is not None and before.signature == signature and before.state == "read":
                self._done[name] = signature
                return
            await self._read_on(path, report, core, store, settled=settled)
        except ReportUnfinished as exc:
            await self._note_file(store, name, "unfinished", str(exc))
        except FrontolFileError as exc:
            if isinstance(exc, StoreUnavailable):
                raise
            await self._note_file(store, name, "unreadable", str(exc))
            self._note("unreadable", name, str(exc))
        else:
            self._troubles.pop(("unreadable", name), None)

    async def _read_on(self, path: Path, report: ReportSettings, core: Core, store: Store, *, settled: bool) -> None:
        programme = core.cache.programme()
        exponent = programme.programme.currency_exponent if programme else EXPONENT
        while True:
            found = await asyncio.to_thread(
                gather, store, path, encoding=report.encoding, exponent=exponent, settled=settled
            )
            closed = await self._named(core, await asyncio.to_thread(self._ours, store, report, found))
            await self._name_open(core, found.still_open)
            now_ms = self._clock.wall_ms()
            await asyncio.to_thread(
                store.commit_slice,
                *(found.record, closed, found.refused, found.still_open),
                policy=report.policy,
                ready_ms=now_ms + self._grace_ms,
                now_ms=now_ms,
            )
            if not found.more:
                break
            settled = False
            await self._clock.sleep(PAUSE_S)
        if found.record.offset == found.record.size and settled:
            await self._finish(path, report, found, store)

    async def _finish(self, path: Path, report: ReportSettings, found: Gathered, store: Store) -> None:
        """All of it is read and written down: tell Frontol, and don't open it again until it changes."""
        record = found.record
        if found.head.mark == "#" and report.mark_read:
            try:
                if not await asyncio.to_thread(mark_report, path, record, report.encoding):
                    return
            except (FrontolFileError, OSError) as exc:
                self._note("not_marked", str(path), str(exc))
            else:
                record.mark = "@"
                self._troubles.pop(("not_marked", str(path)), None)
        record.state, record.read_ms = "read", self._clock.wall_ms()
        record.signature = await asyncio.to_thread(signature_of, path)
        await asyncio.to_thread(store.put_file, record)
        self._done[str(path)] = record.signature

    def _ours(self, store: Store, report: ReportSettings, found: Gathered) -> list[Document]:
        """Documents of this till. Without `workplaces` the first till of a database is ours, and another is told of:
        whose journal is not here can't be held against it."""
        ours: set[str] = {str(each) for each in report.workplaces}
        if not ours and found.closed:
            key = f"till:{found.head.database}"
            mine = store.meta(key) or found.closed[0].till
            store.put_meta(key, mine)
            ours = {mine}
        others = sorted({each.till for each in found.closed} - ours)
        if others and not report.workplaces:
            text = f"tills {', '.join([*sorted(ours), *others])} in one report"
            self._note("several_tills", found.record.path, text)
        return [each for each in found.closed if each.till in ours]

    async def _named(self, core: Core, documents: list[Document]) -> list[Document]:
        named: list[Document] = []
        for each in documents:
            references, unnamed = await _references(core, each.cards)
            together = tuple(dict.fromkeys((*each.references, *references)))
            named.append(replace(each, cards=(), references=together, unnamed=each.unnamed + unnamed))
        return named

    async def _name_open(self, core: Core, gatherings: list[Gathering]) -> None:
        """Before a document that is still open is written down: its cards are not."""
        for each in gatherings:
            if each.cards:
                references, unnamed = await _references(core, tuple(each.cards))
                each.references = list(dict.fromkeys((*each.references, *references)))
                each.unnamed = max(each.unnamed, unnamed)
                each.cards = []

    async def _note_file(self, store: Store, path: str, state: str, error: str) -> None:
        record = await asyncio.to_thread(store.file, path) or FileRecord(path=path)
        if (record.state, record.error) == (state, error):
            return  # the same as at the last look
        record.state, record.error = state, error
        await asyncio.to_thread(store.put_file, record)

    def _note(self, code: Code, path: str, detail: str) -> None:
        if (code, path) not in self._troubles:
            log.warning("a sales report: %s: %s", code, detail)
        self._troubles[code, path] = ReportTrouble(code=code, path=path, detail=detail)

    async def _forget(self, store: Store) -> None:
        now_ms = self._clock.wall_ms()
        if now_ms // DAY_MS == self._forgot_day:
            return
        self._forgot_day = now_ms // DAY_MS
        before_ms = now_ms - KEPT_DAYS * DAY_MS
        day = local_datetime(max(0, before_ms), "UTC").date().isoformat()
        await asyncio.to_thread(store.forget_before, before_ms, day)


def paths_of(pattern: str) -> list[Path]:
    """The files that a path of the configuration names, the newest FILES_LIMIT, oldest first."""
    path = Path(pattern)
    if "*" not in path.name:
        return [path]
    try:
        found = [(each.stat().st_mtime_ns, each) for each in path.parent.glob(path.name) if each.is_file()]
    except OSError:
        return []
    return [each for _, each in sorted(found)[-FILES_LIMIT:]]


def _look_at(pattern: str) -> list[tuple[Path, str]]:
    """The files of a pattern that are there, and what tells whether one has changed; "" for what can't be told."""
    found: list[tuple[Path, str]] = []
    for path in paths_of(pattern):
        try:
            signature = signature_of(path)
        except ReportUnreadable:
            found.append((path, ""))
        else:
            found += [(path, signature)] if signature else []
    return found


def _fits(path: str, pattern: str) -> bool:
    return Path(path).parent == Path(pattern).parent and Path(path).match(Path(pattern).name)


async def _references(core: Core, cards: tuple[str, ...]) -> tuple[tuple[str, ...], int]:
    """Whose cards these are, as the till calls them, and how many name nobody."""
    found: list[str] = []
    unnamed = 0
    for card in cards:
        try:
            found.append((await core.desk.identify(Identify(code=card[:2000]), alone=True)).reference)
        except DeskProblem:
            unnamed += 1
    return tuple(dict.fromkeys(found)), unnamed


def _as_money(core: Core, points: int) -> int:
    """What points are worth, as reports tell them."""
    programme = core.cache.programme()
    if programme is None:
        return points
    rules = programme.programme
    return points * rules.point_value_minor // minor_points(rules.points_exponent)

"""Which snapshot is the newest, and its bytes by ranges."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from till_cloud import former, snapshots, windows
from till_cloud.centre import Centre
from till_cloud.exceptions import RefusedError
from till_cloud.store.snapshots import SnapshotRow
from till_cloud.store.tills import TillRow
from till_sync.wire import PATHS, SnapshotAnswer

CHUNK_BYTES = 512 * 1024
"""Of the file that is read, and sent, at once."""

_encode = msgspec.json.Encoder().encode


class _SnapshotResponse(FileResponse):
    """Range, If-Range and 416 are Starlette's."""

    chunk_size = CHUNK_BYTES


class SnapshotRoutes:
    """Handlers over one centre; `check` raises unless the request comes from the till of that id."""

    def __init__(self, centre: Centre, check: Callable[[Request, str], TillRow]) -> None:
        self._centre = centre
        self._check = check
        self._folder: Path = snapshots.folder_of(centre.path)

    def routes(self) -> list[Route]:
        return [
            Route(PATHS["snapshot"], self.newest, methods=["GET"]),
            Route(PATHS["snapshot_bytes"], self.file, methods=["GET"]),
        ]

    async def newest(self, request: Request) -> Response:
        till = self._check(request, request.path_params["till"])
        windowed = request.query_params.get("window") == "1"
        found = await run_in_threadpool(self._newest, till, windowed=windowed)
        return Response(_encode(found), media_type="application/json", headers={"Cache-Control": "no-store"})

    def _newest(self, till: TillRow, *, windowed: bool) -> SnapshotAnswer:
        """Of the scope that the till is to hold; it asks here before its first page of changes."""
        self._centre.note_window(till.till, asks=windowed)
        now_ms = self._centre.wall_ms()

        def read(connection: sqlite3.Connection) -> SnapshotAnswer:
            scope = windows.scope_of(connection, till.store, asked=windowed)
            return snapshots.answer(connection, self._folder, now_ms, scope)

        return self._centre.read(read)

    def _file(self, till: TillRow, wanted: str) -> tuple[Path, SnapshotRow]:
        """One of all members, for a till that may have them, or of its own store's."""
        now_ms = self._centre.wall_ms()

        def read(connection: sqlite3.Connection) -> tuple[Path, SnapshotRow]:
            may_all = former.may_have_all(connection, till.till, now_ms)
            scopes = (till.store, windows.WHOLE) if may_all else (till.store,)
            if not any(snapshots.is_of(connection, wanted, scope) for scope in scopes):
                raise RefusedError(404, "snapshot_gone", "expected a snapshot of this till's own members")
            return snapshots.file_of(connection, self._folder, wanted)

        return self._centre.read(read)

    async def file(self, request: Request) -> Response:
        """The till that asks is named by the query, for all tills share the path."""
        till = self._check(request, request.query_params.get("till", ""))
        wanted = request.path_params["snapshot"]
        path, row = await run_in_threadpool(self._file, till, wanted)
        headers = {"ETag": f'"{row.sha256}"', "Cache-Control": "private, max-age=31536000, immutable"}
        return _SnapshotResponse(path, media_type="application/octet-stream", headers=headers)

"""The update repository as files: what is there is signed, so that anybody may read it. Ranges, no listing."""

import re
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from till_cloud.exceptions import RefusedError

UPDATES_PATH = "/v1/updates/{folder}/{name}"
CHUNK_BYTES = 256 * 1024
"""Of a bundle that is read, and sent, at once."""

NAMES = {
    "metadata": re.compile(r"(?:[0-9]{1,9}\.)?(?:root|targets|snapshot|timestamp)\.json"),
    "targets": re.compile(r"[0-9a-f]{64}\.[A-Za-z0-9._+-]{1,150}"),
}
"""No other name is looked for on the disk: no path leads out, and no draft is served."""
CHANGING = "timestamp.json"
FOREVER = "public, max-age=31536000, immutable"
"""All other files have their version or hash in their name."""


class _Pieces(FileResponse):
    """Range, If-Range and 416 are Starlette's."""

    chunk_size = CHUNK_BYTES


class UpdateRoutes:
    """Serves a folder as `tillside update repo publish` fills it; 404 where there is none."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def routes(self) -> list[Route]:
        return [Route(UPDATES_PATH, self.file, methods=["GET"])] if self._folder is not None else []

    async def file(self, request: Request) -> Response:
        folder, name = request.path_params["folder"], request.path_params["name"]
        names = NAMES.get(folder)
        if self._folder is None or names is None or not names.fullmatch(name):
            raise RefusedError(404, "update_file_unknown", "expected the name of a file of the update repository")
        path = self._folder / folder / name
        if not path.is_file():
            raise RefusedError(404, "update_file_unknown", "expected a file that was published")
        cache = "no-cache" if name == CHANGING else FOREVER
        return _Pieces(path, media_type="application/octet-stream", headers={"Cache-Control": cache})

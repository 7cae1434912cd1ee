"""The camera: how many spoiled pictures are read, by whom, in what time; and what a camera that sees nothing costs."""

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tillbench.parts import Bench, Found, Row, cells, plain

SEED = 20_261_122
EACH = {"full": 12, "quick": 2}
"""Pictures of each symbology for each way of spoiling. The ladder's rungs were chosen on another seed."""
SHOWN_TIMES = 2
"""How often a ladder is climbed from bottom to top before a picture counts as unread: bars are to be read twice."""
SENSOR_NOISE = 2.0
BUDGET_MS = 60_000
"""Never used up: what is read must not depend on how busy the machine is."""
IDLE_S = {"full": 10.0, "quick": 3.0}
SETTLE_S = 4.0
"""A camera's process loads OpenCV and climbs its ladder once in this time."""


@dataclass
class Tally:
    """What one way of reading made of one symbology."""

    pictures: int = 0
    right: int = 0
    wrong: int = 0
    frames: int = 0
    seconds: float = 0.0

    @property
    def rate(self) -> str:
        return f"{100 * self.right / max(1, self.pictures):.0f} %"

    @property
    def ms(self) -> str:
        return f"{1000 * self.seconds / max(1, self.frames):.0f}"


@dataclass
class Read:
    """Tallies by way of reading and symbology, and of what was read where there was nothing."""

    tallies: dict[tuple[str, str], Tally] = field(default_factory=dict)
    spoiled: dict[tuple[str, str], Tally] = field(default_factory=dict)

    def of(self, way: str, symbology: str) -> Tally:
        return self.tallies.setdefault((way, symbology), Tally())


def measure(bench: Bench) -> Found:
    """Rows of the part `camera`; none without the packages of the extra camera."""
    try:
        import cv2
        import pyzbar.pyzbar  # noqa: F401  # only to see whether it and its shared library are there
        import zxingcpp  # noqa: F401  # only to see whether it is there
    except ImportError as exc:
        bench.say(f"left out: {exc}")
        return Found()
    cv2.setNumThreads(1)
    rows = _reading(bench)
    rows += _idling(bench)
    return Found(rows)


def _reading(bench: Bench) -> list[Row]:
    from tillbench.camera_pictures import CODES, SPOILED, empty, pictures

    ways = _ways()
    read = Read()
    for symbology in CODES:
        bench.say(f"pictures of {symbology}")
        for number, picture in enumerate(pictures(SEED, EACH[bench.size.name], symbology)):
            for way, look in ways.items():
                started = time.process_time()
                texts, frames = look(picture.gray, number)
                took = time.process_time() - started
                for tally in (
                    read.of(way, symbology),
                    read.spoiled.setdefault((way, picture.spoiled), Tally()),
                ):
                    tally.pictures += 1
                    tally.right += picture.code.text in texts
                    tally.wrong += any(text != picture.code.text for text in texts)
                    tally.frames += frames
                    tally.seconds += took
    rows = [_row("camera: read of spoiled pictures", "symbology", s, [read.of(w, s).rate for w in ways]) for s in CODES]
    rows += [
        _row(
            "camera: read of spoiled pictures, by what spoils them",
            "spoiled",
            s,
            [read.spoiled[w, s].rate for w in ways],
        )
        for s in SPOILED
    ]
    rows += [_row("camera: ms of CPU a picture", "symbology", s, [read.of(w, s).ms for w in ways]) for s in CODES]
    rows += [
        _row("camera: pictures read as another code", "symbology", s, [str(read.of(w, s).wrong) for w in ways])
        for s in CODES
    ]
    blank = empty(SEED, EACH[bench.size.name] * 4)
    false = [str(sum(bool(look(gray, number)[0]) for number, gray in enumerate(blank))) for look in ways.values()]
    rows.append(_row("camera: pictures read as another code", "symbology", f"none, {len(blank)} pictures", false))
    return rows


WAYS = ("ours", "the design's ladder", "zxing-cpp alone", "pyzbar", "OpenCV")


def _row(table: str, first: str, name: str, values: Sequence[str]) -> Row:
    return cells(table, (first, *WAYS), name, *values)


Look = Callable[[Any, int], tuple[set[str], int]]


def _ways() -> dict[str, Look]:
    from till_drivers.camera.decoders import OpencvDecoder, ZxingDecoder
    from till_drivers.camera.ladder import standard

    ladders = {"ours": lambda: standard("utf-8")[0], "the design's ladder": _designed}
    alone = {"zxing-cpp alone": ZxingDecoder(), "OpenCV": OpencvDecoder()}

    def once(decoder: Any) -> Look:
        return lambda gray, _number: ({each.text for each in decoder.decode(gray, (), BUDGET_MS)}, 1)

    ways: dict[str, Look] = {name: _held(make) for name, make in ladders.items()}
    ways |= {name: once(decoder) for name, decoder in alone.items()}
    ways["pyzbar"] = _zbar
    return {name: ways[name] for name in WAYS}


def _zbar(gray: Any, _number: int) -> tuple[set[str], int]:
    """zbar with all that it knows; on the ladder it is asked for some bars only."""
    from pyzbar import pyzbar

    return {each.data.decode("utf-8", "replace") for each in pyzbar.decode(gray)}, 1


def _held(make: Callable[[], Any]) -> Look:
    """A picture that is held before a ladder, each time with other noise, until something is told of it."""
    import numpy as np

    from till_drivers.camera.sightings import Sightings

    def look(gray: Any, number: int) -> tuple[set[str], int]:
        rng = np.random.default_rng([SEED, number])
        ladder, sightings = make(), Sightings()
        limit = SHOWN_TIMES * ladder.height
        for frame in range(limit):
            shown = np.clip(gray + rng.normal(0, SENSOR_NOISE, gray.shape), 0, 255).astype(np.uint8) if frame else gray
            told = sightings.note(ladder.decode(shown, (), BUDGET_MS), frame * 100)
            if told:
                return {each.found.text for each in told}, frame + 1
        return set(), limit

    return look


def _designed() -> Any:
    """The ladder that was thought of before anything was measured."""
    import cv2

    from till_drivers.camera.decoders import OpencvDecoder, ZbarDecoder, ZxingDecoder
    from till_drivers.camera.ladder import Ladder, Rung, as_is, doubled

    zxing = ZxingDecoder()
    rungs = (
        Rung("blur", lambda gray: cv2.GaussianBlur(gray, (0, 0), 0.8), zxing),
        Rung("half", lambda gray: cv2.resize(gray, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), zxing),
        Rung("double", doubled, zxing),
        Rung("zbar", as_is, ZbarDecoder()),
        Rung("opencv", as_is, OpencvDecoder()),
    )
    return Ladder(Rung("plain", as_is, zxing), rungs)


def _idling(bench: Bench) -> list[Row]:
    """Share of a core and memory of the camera's process before an empty counter, and before a busy one."""
    import cv2
    import numpy as np

    from tillbench.camera_pictures import HEIGHT, WIDTH, empty

    if not Path("/proc/self/stat").exists():
        return []
    rng = np.random.default_rng(SEED)
    counter = empty(SEED, 1)[0]
    folder = bench.folder / "camera"
    folder.mkdir()
    seconds = SETTLE_S + IDLE_S[bench.size.name] + 5
    for name in ("still", "busy"):
        writer = cv2.VideoWriter(
            str(folder / f"{name}.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 10, (WIDTH, HEIGHT), isColor=False
        )
        for number in range(round(seconds * 10)):
            noisy = np.clip(counter + rng.normal(0, 4, counter.shape), 0, 255).astype(np.uint8)
            writer.write(np.roll(noisy, number * 7, axis=1) if name == "busy" else noisy)
        writer.release()
    rows = []
    for name, words in (("still", "an empty counter"), ("busy", "a view that always moves")):
        bench.say(f"a camera before {words}")
        share, mebibytes = asyncio.run(_process(folder / f"{name}.avi", IDLE_S[bench.size.name]))
        rows.append(plain(f"camera's process before {words}, of a core", share * 100, "%", places=1))
        if name == "still":
            rows.append(plain("camera's process, resident memory", mebibytes, "MiB"))
    return rows


async def _process(path: Path, seconds: float) -> tuple[float, float]:
    from till_drivers.camera.lines import Start
    from till_drivers.camera.process import CameraProcess

    process = CameraProcess(Start(port=str(path)))
    try:
        await process.hear(60_000)
        await asyncio.sleep(SETTLE_S)
        before, began = _cpu_s(process.pid), time.monotonic()
        await asyncio.sleep(seconds)
        used, took = _cpu_s(process.pid) - before, time.monotonic() - began
        pages = int(Path(f"/proc/{process.pid}/statm").read_text("ascii").split()[1])
        return used / took, pages * os.sysconf("SC_PAGE_SIZE") / 2**20
    finally:
        await process.end()


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

"""kill -9 of the cloud while batches arrive: no half batch is left, and nothing acknowledged is gone."""

import contextlib
import json
import os
import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import msgspec
import pytest

from till_cloud.store.connection import open_reader
from till_cloud.verify import verify
from unit.cloud.cloud_kit import Chain, Till

TILLSIDE = str(Path(sys.executable).with_name("tillside"))
BATCH = 40
KILLS = 8
MEMBERS = 5
WAIT_S = 30
LATEST_KILL_S = 0.25
"""A batch takes some 20 ms, so that a kill falls anywhere in or between the first ten."""


COMMIT_EACH_OP = """
from till_cloud.ingest import push
from till_config.main import main
apply = push._apply

def apply_and_commit(context, salt, op):
    result = apply(context, salt, op)
    context.book.settle_ops()
    for statement in ("COMMIT", "BEGIN IMMEDIATE", "SAVEPOINT work"):
        context.book.connection.execute(statement)
    return result

push._apply = apply_and_commit
main()
"""
"""The mutant: a cloud whose batch is many transactions."""


@contextlib.contextmanager
def cloud(path: Path, program: tuple[str, ...] = (TILLSIDE,)) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    ready = path.with_name("ready.json")
    ready.unlink(missing_ok=True)
    words = [*program, "cloud", "run", "--db", str(path), "--port", "0", "--ready-file", str(ready)]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(WAIT_S * 50):
            if ready.exists():
                break
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.02)
        yield process, f"http://127.0.0.1:{json.loads(ready.read_text())['port']}"
    finally:
        process.kill()
        process.wait(WAIT_S)


def check(path: Path, till: Till, acknowledged: int) -> int:
    """The file as the kill left it: whole batches only, everything acknowledged, every sum. Answers what is stored."""
    with contextlib.closing(open_reader(path)) as connection:
        stored = connection.execute("SELECT count(*) FROM ops").fetchone()[0]
        acked, head = connection.execute("SELECT acked_seq, head_hash FROM tills").fetchone()
        found = verify(connection)
    assert stored % BATCH == 0, "half a batch was kept"
    assert stored >= acknowledged, "an acknowledged op is gone"
    assert (acked, head) == (stored, till.heads[stored]), "half a batch was kept: its ops without the till's new head"
    assert found.holds, found.breaches
    return int(stored)


def push_one(client: httpx.Client, till: Till, acknowledged: int, chance: random.Random, *, broken: bool) -> int:
    """The next batch, made if it was not made before the last kill; answers what is acknowledged after it."""
    while len(till.ops) < acknowledged + BATCH:
        till.sale(f"u{len(till.ops)}", f"m-{chance.randrange(MEMBERS)}", chance.randrange(1, 50_000))
    request = till.request(acknowledged + 1, acknowledged + BATCH)
    answer = client.post("/v1/tills/k1/ops", content=msgspec.json.encode(request))
    if broken and answer.status_code != 200:
        return acknowledged  # a cloud that is broken on purpose may trip over itself before it is killed
    assert answer.status_code == 200, answer.text
    assert answer.json()["acked_seq"] == acknowledged + BATCH
    return acknowledged + BATCH


def stream_until_killed(path: Path, seed: int, program: tuple[str, ...] = (TILLSIDE,)) -> int:
    """Kills at random moments of a stream of pushes, each followed by a check and a restart; answers the ops kept."""
    chance = random.Random(seed)
    chain = Chain(path)
    for number in range(MEMBERS):
        chain.member(f"m-{number}")
    till = chain.till()
    chain.centre.close()
    headers = {"Authorization": f"Bearer {till.token}", "Content-Type": "application/json"}
    stored = 0
    for _ in range(KILLS):
        acknowledged = stored
        with (
            cloud(path, program) as (process, url),
            httpx.Client(base_url=url, headers=headers, trust_env=False) as client,
        ):
            assert client.get("/v1/tills/k1/hello").json()["acked_seq"] == stored
            killer = threading.Timer(chance.uniform(0, LATEST_KILL_S), process.kill)
            killer.start()
            with contextlib.suppress(httpx.TransportError):
                while True:
                    acknowledged = push_one(client, till, acknowledged, chance, broken=program != (TILLSIDE,))
            killer.join()
            process.wait(WAIT_S)
        stored = check(path, till, acknowledged)
    return stored


@pytest.mark.faults
def test_no_half_batch_and_nothing_acknowledged_lost(tmp_path: Path) -> None:
    seed = int(os.environ.get("TILLSIDE_SEED", "0")) or random.randrange(1, 10**6)
    assert stream_until_killed(tmp_path / "c.db", seed) > 0, f"seed {seed}: no kill left time for a batch"


@pytest.mark.faults
def test_a_batch_of_many_transactions_is_found_out(tmp_path: Path) -> None:
    """The same kills leave half a batch where each op is committed by itself."""
    with pytest.raises(AssertionError, match="half a batch"):
        stream_until_killed(tmp_path / "c.db", 1, (sys.executable, "-c", COMMIT_EACH_OP))

"""Handlers of what is about the agent itself: health, figures, queue, sync, its own description."""

import msgspec

from till_agent.bridge.answers import Answer
from till_agent.bridge.context import Bridge
from till_agent.bridge.endpoint import Call, Handler
from till_agent.bridge.shapes import Live, Queue, QueuedOpBody, Ready
from till_sync.problems import ProblemError

QUEUE_DEFAULT = 100
METRICS_MEDIA = b"text/plain; version=0.0.4; charset=utf-8"

_encode = msgspec.json.Encoder().encode
_LIVE = _encode(Live())


def handlers(bridge: Bridge) -> dict[str, Handler]:
    """Handlers by operation id."""

    async def livez(_call: Call) -> Answer:
        return Answer(_LIVE)

    async def readyz(_call: Call) -> Answer:
        reason = bridge.ready()
        return Answer(_encode(Ready(ready=not reason, reason=reason, missing=bridge.missing())), 503 if reason else 200)

    async def metrics(_call: Call) -> Answer:
        return Answer(await bridge.metrics(), media_type=METRICS_MEDIA)

    async def status(call: Call) -> Answer:
        return Answer(_encode(await bridge.status(call.parameters.get("language"))))

    async def queue(call: Call) -> Answer:
        which = call.parameters.get("which", "waiting")
        waiting, ops = await bridge.core.queue.listed(
            waiting_only=which == "waiting",
            verdict=which if which in ("rejected", "adjusted") else "",
            limit=int(call.parameters.get("limit", QUEUE_DEFAULT)),
        )
        return Answer(_encode(Queue(waiting=waiting, ops=ops)))

    async def queued(call: Call) -> Answer:
        epoch = call.parameters.get("epoch")
        found = await bridge.core.queue.one(int(call.parameters["seq"]), int(epoch) if epoch else None)
        if found is None:
            raise ProblemError(404, "op_unknown", "expected the place of an op of this till")
        op, body = found
        return Answer(_encode(QueuedOpBody(op=op, body=msgspec.Raw(body))))

    async def sync(_call: Call) -> Answer:
        return Answer(_encode(await bridge.sync.status()))

    async def sync_now(_call: Call) -> Answer:
        through = await bridge.sync.now()
        return Answer(_encode(await bridge.sync.status()), 200 if through else 202)

    async def described(_call: Call) -> Answer:
        from till_agent.bridge import openapi

        return Answer(openapi.encode(bridge.version))

    return {
        "livez": livez,
        "readyz": readyz,
        "metrics": metrics,
        "status": status,
        "queue": queue,
        "queued": queued,
        "sync": sync,
        "sync_now": sync_now,
        "openapi": described,
    }

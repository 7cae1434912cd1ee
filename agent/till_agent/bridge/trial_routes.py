"""Handlers of test slips: one is begun, and what became of it."""

import msgspec
from msgspec.structs import replace

from till_agent.bridge.answers import Answer
from till_agent.bridge.context import Bridge
from till_agent.bridge.endpoint import Call, Handler
from till_agent.bridge.trial_shapes import TrialPrint
from till_agent.device_words import told
from till_agent.store_words import ENGLISH

_encode = msgspec.json.Encoder().encode


def _told(trial: TrialPrint, call: Call) -> TrialPrint:
    """With the driver's words in the language that was asked for."""
    return replace(trial, detail=told(trial.detail, call.parameters.get("language", ENGLISH)))


def handlers(bridge: Bridge) -> dict[str, Handler]:
    """Handlers by operation id."""

    async def try_printer(call: Call) -> Answer:
        language = call.parameters.get("language", bridge.language)
        return Answer(_encode(_told(bridge.trials.start(call.parameters["printer"], language), call)), 202)

    async def print_note(call: Call) -> Answer:
        return Answer(_encode(bridge.trials.note(call.parameters["printer"], call.body.blocks)), 202)

    async def tried(call: Call) -> Answer:
        return Answer(_encode(_told(bridge.trials.look(call.parameters["job"]), call)))

    return {"try_printer": try_printer, "print_note": print_note, "tried": tried}

"""What taking in other settings looks like on the bridge."""

from msgspec import Struct

from till_agent.bridge.shapes import Operation


class Reloaded(Struct, frozen=True, kw_only=True):
    """Keys are dotted; a device stands by its name (`printers.receipt`). `restart_needed` are as they were before."""

    applied: tuple[str, ...]
    restart_needed: tuple[str, ...]
    policy_version: int


SETTINGS = (
    Operation(
        id="reload",
        method="POST",
        path="/v1/admin/reload",
        scope="admin",
        tag="health",
        answer=Reloaded,
        summary="Take in the configuration file as it is now: all that needs no restart, or, where it is bad, nothing.",
        problems={409: "no_config_file", 422: "config_bad, device_unusable, reload_failed"},
    ),
)
"""Operations of the table in `operations`."""

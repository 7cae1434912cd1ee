"""All checks, in the order in which people are told of them."""

from till_installer.doctor import (
    checks_bridge,
    checks_cloud,
    checks_config,
    checks_data,
    checks_devices,
    checks_journal,
    checks_machine,
    checks_secrets,
    checks_service,
    checks_state,
    checks_versions,
)
from till_installer.doctor.catalogue import Check, listed


def all_checks() -> tuple[Check, ...]:
    """Every check."""
    order = (
        checks_config,
        checks_state,
        checks_journal,
        checks_data,
        checks_secrets,
        checks_service,
        checks_versions,
        checks_machine,
        checks_bridge,
        checks_cloud,
        checks_devices,
    )
    places = {module.__name__: place for place, module in enumerate(order)}
    return tuple(sorted(listed(), key=lambda each: places[each.look.__module__]))

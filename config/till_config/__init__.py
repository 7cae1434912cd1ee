"""Typed settings with packaged defaults, and the root of the tillside command."""

from till_config.exceptions import ConfigError, PolicyError, Problem, TillConfigError
from till_config.layers import PolicyText, load
from till_config.settings import (
    AgentSettings,
    BridgeSettings,
    ClientSettings,
    CloudSettings,
    PrinterSettings,
    ScannerSettings,
    Settings,
    SlipSettings,
)

__all__ = [
    "AgentSettings",
    "BridgeSettings",
    "ClientSettings",
    "CloudSettings",
    "ConfigError",
    "PolicyError",
    "PolicyText",
    "PrinterSettings",
    "Problem",
    "ScannerSettings",
    "Settings",
    "SlipSettings",
    "TillConfigError",
    "load",
]

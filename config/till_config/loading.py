"""From a configuration file to `Settings`."""

import tomllib
from pathlib import Path

import msgspec

from till_config.exceptions import ConfigError, Problem
from till_config.settings import Settings


def load(path: str | Path) -> Settings:
    """Settings of the TOML file at `path`, defaults filled in. Raises ConfigError with every problem found."""
    file = Path(path)
    try:
        return msgspec.convert(tomllib.loads(file.read_text("utf-8")), Settings)
    except (OSError, ValueError) as error:
        raise ConfigError((Problem(file=str(path), line=0, column=0, key="", message=str(error)),)) from error

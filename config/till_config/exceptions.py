"""Errors of the configuration.

TillConfigError
└── ConfigError        the configuration file can't be used; lists every problem in it
    └── PolicyError    the file is good, and the chain's policy does not fit it
"""

from msgspec import Struct


class Problem(Struct, frozen=True, kw_only=True):
    """One thing wrong in a configuration file.

    `line` and `column` count from 1, columns in characters; both are 0 when the problem has no place (a file that
    can't be read). `key` is dotted, with indexes for lists (`scanners[0].port`), "" when it concerns the whole file.
    """

    file: str
    line: int
    column: int
    key: str
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return f"{place}: {self.key}: {self.message}" if self.key else f"{place}: {self.message}"


class TillConfigError(Exception):
    """Base of every error that `till_config` raises on purpose."""


class ConfigError(TillConfigError):
    """Raised when a configuration file can't be used; `problems` has them all, in file order, never an empty tuple.

    Nothing was taken from the file: whoever has an older configuration in force keeps it.
    """

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class PolicyError(ConfigError):
    """Raised when a policy asks for what it may not set, or does not fit the till's own file, which is good by itself.

    Nothing was taken from the policy: the one before it stays in force.
    """

"""Errors of the bridge and of the agent's start.

AgentStartError
├── TokenError            a client's token can't be read or made
└── AlreadyRunningError   another agent holds the state directory
AgentUnreachableError     the command line found no agent to ask, or one that would not answer
"""


class AgentStartError(Exception):
    """Raised when the agent can't start; the message says what to do."""


class TokenError(AgentStartError):
    """Raised when a token file can't be read, made or kept to its owner."""


class AlreadyRunningError(AgentStartError):
    """Raised when another process holds the lock of the state directory."""


class AgentUnreachableError(Exception):
    """Raised when no agent answers on its bridge; the files may be read instead."""

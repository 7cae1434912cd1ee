"""Errors of the bridge and of the agent's start.

AgentStartError
├── TokenError            a client's token can't be read or made
└── AlreadyRunningError   another agent holds the state directory
AgentUnreachableError     the command line found no agent that answers
TokenChangeUntoldError    a token was changed, and the running agent does not know
AgentRefusedError         an agent answered the command line, and the answer is no
"""


class AgentStartError(Exception):
    """Raised when the agent can't start; the message says what to do."""


class TokenError(AgentStartError):
    """Raised when a token file can't be read, made or kept to its owner."""


class AlreadyRunningError(AgentStartError):
    """Raised when another process holds the lock of the state directory."""


class AgentRefusedError(Exception):
    """Raised when the running agent refuses what the command line asked; the files would say no other."""


class AgentUnreachableError(Exception):
    """Raised when no agent answers on its bridge; the files may be read instead."""


class TokenChangeUntoldError(Exception):
    """Raised when a client's token was changed in its files and the running agent could not be told of it."""

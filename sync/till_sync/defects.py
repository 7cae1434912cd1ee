"""How an exception that nobody expected is logged: where it happened, and not a word of the data."""

import logging
import traceback


def log_unexpected(log: logging.Logger, doing: str, error: BaseException) -> None:
    """One entry with the type and the stack of `error`, without its message, which may quote a phone or a card."""
    stack = "".join(traceback.format_tb(error.__traceback__))
    log.error("Unexpected %s while %s\n%s", type(error).__name__, doing, stack)

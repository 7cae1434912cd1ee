"""Errors of the Priority API.

FrontolError
├── BadDocument   what came is no document or call that Frontol sends
└── Refused       a business answer: no, and what the cashier should know
"""

# ruff: noqa: N818 - answers that a till gives and gets, named as such


class FrontolError(Exception):
    """Base of every error that this package raises on purpose."""


class BadDocument(FrontolError):
    """Raised when a request can't be read: no JSON object, a number that is none. The message is for the developer."""


class Refused(FrontolError):
    """Raised when the answer is a business error: its stable `code` (`till_agent.frontol.codes`) and the sentence."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code
        self.text = text

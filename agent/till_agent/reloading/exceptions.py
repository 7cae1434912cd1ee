"""Errors of changing the settings of a running agent:

ReloadRefusedError
"""


class ReloadRefusedError(Exception):
    """Raised when the settings that were to be taken in can't be: nothing of them was taken, those before are in force.

    `problems`: what is wrong, a line each, the first one first.
    """

    def __init__(self, code: str, problems: tuple[str, ...]) -> None:
        super().__init__("; ".join(problems))
        self.code = code
        self.problems = problems

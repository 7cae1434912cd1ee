"""The first step of the `tillside` command. It imports next to nothing: the rest is loaded where Ctrl-C is heard."""

import sys

STATUS_INTERRUPTED = 130
"""As in the root, which at this moment may not be loaded."""


def main() -> None:
    """Load the commands and run one; Ctrl-C before a command has begun ends it with a status and no traceback."""
    try:
        from till_config.main import main as command

        # A command that has begun says itself what Ctrl-C left; between the two it would come out here.
        command()
    except KeyboardInterrupt:
        sys.exit(STATUS_INTERRUPTED)

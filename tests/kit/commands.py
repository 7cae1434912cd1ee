"""Commands of `tillside` in this process: as the installed command, but for half a second of start-up."""

from pathlib import Path

from click.testing import CliRunner, Result

from till_config.main import main


def tillside(*words: str | Path, status: int = 0) -> Result:
    """Run a command; AssertionError unless it ends with `status`."""
    done = CliRunner().invoke(main, [str(word) for word in words], catch_exceptions=False)
    assert done.exit_code == status, done.output
    return done

"""What `tillside agent token` does: a new token without a gap, and the end of those before it."""

import re
import time
from pathlib import Path

import click

from till_agent.audit_trail import note
from till_agent.bridge.exceptions import AgentRefusedError, AgentUnreachableError, TokenChangeUntoldError
from till_agent.bridge.token_files import earlier_of, read_token, revoke, rotate
from till_agent.cli.asking import CLIENT, ask
from till_agent.cli.words import moment
from till_agent.instance import is_running

OVERLAP_LIMIT_MS = 31 * 86_400_000
"""A token that was replaced should end while somebody still remembers it."""
_UNITS_MS = {"m": 60_000, "h": 3_600_000, "d": 86_400_000}
_DURATION = re.compile(r"([0-9]{1,5})([mhd])")


def duration_ms(text: str) -> int:
    """`90m`, `24h` or `7d` as milliseconds; `0` for none. click.BadParameter."""
    found = _DURATION.fullmatch(text)
    ms = int(found[1]) * _UNITS_MS[found[2]] if found else 0 if text == "0" else -1
    if not 0 <= ms <= OVERLAP_LIMIT_MS:
        raise click.BadParameter(f"expected a time such as 90m, 24h or 7d, at most 31d, or 0, not {text!r}")
    return ms


def change(state_dir: Path, client: str, *, new: bool, end_earlier: bool, overlap_ms: int) -> str:
    """Change a client's token in its files and let a running agent take it in; says in a line what counts now.

    TokenError when nothing is changed; TokenChangeUntoldError when the files are, and the running agent is not told.
    """
    # The agent knows the token that was there before: the change may be of the very one that asks.
    asking = read_token(state_dir, CLIENT)
    if end_earlier:
        revoke(state_dir, client)
        note(state_dir, "token_revoked", client=client)
    if new:
        rotate(state_dir, client, overlap_ms=overlap_ms, now_wall_ms=_now_ms())
        note(state_dir, "token_rotated", client=client, overlap_ms=overlap_ms)
    if not is_running(state_dir):
        return "The agent does not run: it takes this in at its start."
    try:
        ask(state_dir, "POST", "/v1/tokens/read", token=asking)
    except (AgentUnreachableError, AgentRefusedError) as exc:
        raise TokenChangeUntoldError(
            f"the files are changed, and the running agent could not be told: {exc}. It goes on with the tokens that "
            "it has; start it again to make it take them in"
        ) from exc
    left = earlier_of(state_dir, client, _now_ms())
    if not left:
        return "The agent takes the present token, and no other of this client."
    end = moment(max(each.until_ms for each in left))
    return f"The agent takes the present token, and {len(left)} before it until {end}."


def _now_ms() -> int:
    return time.time_ns() // 1_000_000

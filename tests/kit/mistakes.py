"""Mistakes of one place, planted while a test runs that has to notice: what no mistake fails is no test."""

import inspect
import sys
import textwrap
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from till_agent.exceptions import DeskProblem


class Mistake(NamedTuple):
    """In `holder.name`, `old` becomes `new`; `caught_by` fails."""

    holder: Any
    name: str
    old: str
    new: str
    caught_by: Callable[[], None]


def broken(mistake: Mistake) -> Any:
    """The function or property with its mistake in it."""
    right = inspect.getattr_static(mistake.holder, mistake.name)
    function = right.fget if isinstance(right, property) else right
    source = textwrap.dedent(inspect.getsource(function))
    assert source.count(mistake.old) == 1, source
    source = source.replace("@property\n", "").replace(mistake.old, mistake.new)
    names: dict[str, Any] = {}
    exec(compile(source, "mutant", "exec", dont_inherit=True), function.__globals__, names)
    return property(names[mistake.name]) if isinstance(right, property) else names[mistake.name]


def must_be_caught(mistake: Mistake, monkeypatch: pytest.MonkeyPatch, *more: type[Exception]) -> None:
    """Its test passes without the mistake and fails with it, by an assertion, a refusal or one of `more`."""
    mistake.caught_by()
    right = getattr(mistake.holder, mistake.name)
    wrong = broken(mistake)
    monkeypatch.setattr(mistake.holder, mistake.name, wrong)
    for title, module in list(sys.modules.items()):
        if title.startswith(("till_agent.", "fakes.")) and getattr(module, mistake.name, None) is right:
            monkeypatch.setattr(module, mistake.name, wrong)
    with pytest.raises((AssertionError, DeskProblem, pytest.fail.Exception, *more)):
        mistake.caught_by()

"""Reads plain data into typed structs and lists every fault with its place, where msgspec stops at the first.

Works on what programmes are made of: structs, tuples of one type, string-keyed dicts, and leaves that msgspec checks.
"""

import difflib
from collections.abc import Callable
from functools import cache
from types import UnionType
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import fields

SHOWN_VALUE_LIMIT = 60
"""Characters of a wrong value in a message; a SKU list pasted into the wrong place must not fill the screen."""
Report = Callable[[str, str], None]
"""Takes the place (`rules[2].id`) and the sentence."""


def check_value(value: object, hint: Any, place: str, report: Report) -> None:
    """Report everything in `value` that `hint` (a type annotation) does not allow."""
    if get_origin(hint) is UnionType:  # a part that may be left out: `When | None`
        if value is None:
            return
        hint = next(each for each in get_args(hint) if each is not type(None))
    plain, constrained = _without_meta(hint)
    if isinstance(plain, type) and issubclass(plain, Struct):
        _check_struct(value, plain, place, report)
    elif get_origin(plain) is tuple:
        _check_items(value, plain, constrained, place, report)
    elif get_origin(plain) is dict:
        _check_mapping(value, get_args(plain)[1], place, report)
    else:
        _check_leaf(value, constrained, place, report)


def nearest(name: str, known: "tuple[str, ...]") -> str:
    """`; did you mean 'x'?` for the known name that is most like `name`, or nothing."""
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def shown(value: object) -> str:
    """A value in a message, cut short."""
    text = repr(value)
    return text if len(text) <= SHOWN_VALUE_LIMIT else text[: SHOWN_VALUE_LIMIT - 3] + "..."


def _without_meta(hint: Any) -> tuple[Any, Any]:
    """The type without its constraints, and with them."""
    return (get_args(hint)[0], hint) if get_origin(hint) is Annotated else (hint, hint)


def _check_struct(value: object, struct: type[Struct], place: str, report: Report) -> None:
    if not isinstance(value, dict):
        report(place, f"expected a table, not {shown(value)}")
        return
    known = _fields(struct)
    for name in value:
        if name not in known:
            listed = nearest(str(name), tuple(known)) or ", not this one"
            report(_inside(place, str(name)), f"expected a known field{listed}")
    for name, (hint, required) in known.items():
        if name in value:
            check_value(value[name], hint, _inside(place, name), report)
        elif required:
            report(_inside(place, name), "expected this field, not nothing")


@cache
def _fields(struct: type[Struct]) -> dict[str, tuple[Any, bool]]:
    """Type and need of each field by its name in a document. Our own types only, so there are few.

    To resolve annotations takes longer than all else: kept, the packaged supermarket is read in a seventh of the time.
    """
    hints = get_type_hints(struct, include_extras=True)
    return {field.encode_name: (hints[field.name], field.required) for field in fields(struct)}


def _check_items(value: object, hint: Any, constrained: Any, place: str, report: Report) -> None:
    if not isinstance(value, (list, tuple)):
        report(place, f"expected a list, not {shown(value)}")
        return
    for index, item in enumerate(value):
        check_value(item, get_args(hint)[0], f"{place}[{index}]", report)
    for meta in get_args(constrained)[1:] if constrained is not hint else ():
        if isinstance(meta, Meta):
            if meta.min_length is not None and len(value) < meta.min_length:
                report(place, f"expected at least {meta.min_length} in the list, not {len(value)}")
            if meta.max_length is not None and len(value) > meta.max_length:
                report(place, f"expected at most {meta.max_length} in the list, not {len(value)}")


def _check_mapping(value: object, hint: Any, place: str, report: Report) -> None:
    if not isinstance(value, dict):
        report(place, f"expected a table, not {shown(value)}")
        return
    for name, item in value.items():
        if not _is_whole(str(name)):
            report(place, f"expected names of whole characters, not {shown(name)}")
        check_value(item, hint, _inside(place, str(name)), report)


def _check_leaf(value: object, hint: Any, place: str, report: Report) -> None:
    if get_origin(hint) is Literal:
        choices = get_args(hint)
        if not any(value == choice and type(value) is type(choice) for choice in choices):
            listed = " or ".join(repr(choice) for choice in choices)
            names = tuple(choice for choice in choices if isinstance(choice, str))
            report(place, f"expected {listed}, not {shown(value)}{nearest(str(value), names) if names else ''}")
        return
    if isinstance(value, str) and not _is_whole(value):
        report(place, f"expected whole characters, not {shown(value)}")
        return
    try:
        msgspec.convert(value, hint)
    except msgspec.ValidationError as error:
        # msgspec writes "Expected `int`, got `str`" or "Expected `int` >= 1".
        wanted = str(error).split(" - at ")[0].split(", got ")[0].removeprefix("Expected ")
        report(place, f"expected {wanted}, not {shown(value)}")


def _is_whole(text: str) -> bool:
    """A JSON escape can name half of a character, which no text in UTF-8 holds."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _inside(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name

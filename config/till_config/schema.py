"""The settings structs seen as a tree of keys: what the checker, `explain` and the reference page walk."""

from collections.abc import Iterator
from functools import cache
from typing import Any

from msgspec import Struct, inspect

from till_config.settings import Settings


class Key(Struct, frozen=True, kw_only=True):
    """One key of a section. `kind` is what msgspec knows of its type; `default` is NODEFAULT when it must be given."""

    name: str
    kind: inspect.Type
    default: Any
    description: str
    expected: str
    """What a good value is, in words that fit after "expected"."""


class Section(Struct, frozen=True, kw_only=True):
    """One struct: a `[name]` section, or a `[[name]]` one when it may be repeated."""

    name: str
    repeated: bool
    description: str
    keys: dict[str, Key]

    @property
    def heading(self) -> str:
        """As it is written in the file."""
        return f"[[{self.name}]]" if self.repeated else f"[{self.name}]"


@cache
def root() -> Section:
    """The whole file as a section whose keys are the sections."""
    return section_of(inspect.type_info(Settings), "", repeated=False)


@cache
def _section_of_class(kind: type, name: str, repeated: bool) -> Section:
    info = inspect.type_info(kind)
    if not isinstance(info, inspect.StructType):
        raise TypeError(f"expected a struct for {name}, not {kind.__name__}")
    keys: dict[str, Key] = {}
    for field in info.fields:
        extra: dict[str, Any] = {}
        inner = field.type
        description = ""
        if isinstance(inner, inspect.Metadata):
            extra = inner.extra or {}
            description = (inner.extra_json_schema or {}).get("description", "")
            inner = inner.type
        if isinstance(inner, inspect.StructType):
            description = _docstring(inner.cls)
        keys[field.name] = Key(
            name=field.name,
            kind=inner,
            default=field.default,
            description=description,
            expected=extra.get("expected", "") or words(inner),
        )
    return Section(name=name, repeated=repeated, description=_docstring(kind), keys=keys)


def section_of(kind: inspect.Type, name: str, *, repeated: bool) -> Section:
    """The section that a struct type stands for."""
    if not isinstance(kind, inspect.StructType):
        raise TypeError(f"expected a struct for {name}, not {kind}")
    return _section_of_class(kind.cls, name, repeated)


def struct_inside(kind: inspect.Type) -> inspect.StructType | None:
    """The struct that a section or a list of sections is made of; None for plain values."""
    if isinstance(kind, inspect.VarTupleType):
        kind = kind.item_type
    return kind if isinstance(kind, inspect.StructType) else None


def sections() -> Iterator[Section]:
    """All sections, each before those inside it."""
    yield from _inside(root(), "")


def _inside(section: Section, prefix: str) -> Iterator[Section]:
    for key in section.keys.values():
        struct = struct_inside(key.kind)
        if struct is not None:
            inner = section_of(struct, prefix + key.name, repeated=isinstance(key.kind, inspect.VarTupleType))
            yield inner
            yield from _inside(inner, f"{inner.name}.")


def at(names: tuple[str, ...]) -> Section:
    """The section of that name, such as `("bridge", "clients")`. Raises KeyError when there is none."""
    section = root()
    for depth, name in enumerate(names, start=1):
        kind = section.keys[name].kind
        struct = struct_inside(kind)
        if struct is None:
            raise KeyError(name)
        section = section_of(struct, ".".join(names[:depth]), repeated=isinstance(kind, inspect.VarTupleType))
    return section


def words(kind: inspect.Type) -> str:
    """What a value of this type looks like, in words that fit after "expected"."""
    match kind:
        case inspect.BoolType():
            return "true or false"
        case inspect.IntType(ge=low, le=high, multiple_of=step):
            return f"a whole number from {low} to {high}" + (f", a multiple of {step}" if step else "")
        case inspect.StrType(min_length=shortest, max_length=longest):
            if longest is not None:
                return f"a text of at most {longest} characters"
            return "a text that isn't empty" if shortest else "a text"
        case inspect.LiteralType(values=values):
            return "one of " + ", ".join(f'"{value}"' for value in values)
        case inspect.VarTupleType(item_type=item, min_length=shortest, max_length=longest):
            count = f" of {shortest or 0} to {longest}" if longest is not None else " of 1 or more" if shortest else ""
            return f"a list{count}, each {words(item)}"
        case inspect.StructType():
            return "a section"
        case inspect.Metadata(type=inner):
            return words(inner)
        case _:
            raise TypeError(f"expected a type that settings use, not {kind}")


def _docstring(kind: type) -> str:
    return " ".join((kind.__doc__ or "").split())
